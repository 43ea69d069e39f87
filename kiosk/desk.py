"""The rule of the door (step 5 of the straight line): from a card's holder and today to what is to be done. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from attendance.policy import Policy, WayMode
from attendance.records import Direction
from attendance.roster import Holder
from kiosk.today import Now, State, Today


class Reason(StrEnum):
    """Why the door sends a child to staff instead of recording."""

    UNKNOWN = "unknown"
    """Nobody at this site holds the card."""
    REENTRY = "reentry"
    """The child left today, and the site does not let children come back by themselves."""
    NO_SCREEN = "no_screen"
    """Only the child knows which way it goes, and there is no screen to ask it on."""


@dataclass(frozen=True, slots=True)
class Record:
    """Write the movement down."""

    holder: Holder
    direction: Direction


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same walk through the door: nothing is written."""

    holder: Holder
    last: Direction
    """The way the child went."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The kiosk cannot know which way; the child can."""

    holder: Holder


@dataclass(frozen=True, slots=True)
class Refuse:
    """A grown-up is needed."""

    reason: Reason
    holder: Holder | None


Outcome = Record | Repeat | Ask | Refuse


@dataclass(frozen=True, slots=True)
class Rules:
    """What a decision rests on beside the child's day: the site's policy, and how long the server is out of reach."""

    policy: Policy
    alone_s: float | None
    """Since the last contact with the server; None for never in this boot."""
    chosen: Direction | None = None
    """The way the child touched, when asked."""
    can_ask: bool = True
    """Whether the door has a screen that a child can touch."""
    by_staff: bool = False
    """Staff say which way: they may let a child in again whom the site does not let in alone."""

    @property
    def way(self) -> WayMode:
        """How to decide now: what another kiosk recorded is unknown once contact is lost, so `auto` becomes `ask`."""
        if self.chosen is not None:
            return WayMode.ENTRY if self.chosen is Direction.ENTRY else WayMode.EXIT
        lost = self.alone_s is None or self.alone_s > self.policy.contact_lost_s
        if self.policy.way is WayMode.AUTO and self.policy.kiosks_at_site > 1 and lost:
            return WayMode.ASK
        return self.policy.way


def decide(holder: Holder | None, today: Today, now: Now, rules: Rules) -> Outcome:
    """Return what to do about a card read at `now`; what happens is recorded, what cannot be the server flags."""
    if holder is None:
        return Refuse(Reason.UNKNOWN, None)
    state = today.state_of(holder.child)
    direction = _direction(rules.way, state)
    if state is not None and _repeats(state, direction, now, rules):
        return Repeat(holder, state.last.direction)
    if direction is None:
        return Ask(holder) if rules.can_ask else Refuse(Reason.NO_SCREEN, holder)
    left = state is not None and state.certain and not state.presence.present
    may_return = rules.policy.reentry_allowed or rules.by_staff
    if direction is Direction.ENTRY and left and not may_return:
        return Refuse(Reason.REENTRY, holder)
    return Record(holder, direction)


def _direction(way: WayMode, state: State | None) -> Direction | None:
    """Which way the child goes; None when only the child knows."""
    match way:
        case WayMode.ENTRY:
            return Direction.ENTRY
        case WayMode.EXIT:
            return Direction.EXIT
        case WayMode.ASK:
            return None
        case WayMode.AUTO:
            if state is None or not state.presence.present:
                return Direction.ENTRY
            # In since before this boot, on a day that is not certain: that may have been yesterday.
            return Direction.EXIT if state.certain else None
        case _:
            assert_never(way)


def _repeats(state: State, direction: Direction | None, now: Now, rules: Rules) -> bool:
    """Say whether a read is the walk that was recorded last, shown again.

    At a door for one way, and for a child who was asked, only the same way can be the same walk.
    """
    if rules.way in (WayMode.ENTRY, WayMode.EXIT) and state.last.direction is not direction:
        return False
    window_ms = rules.policy.repeat_window_s * 1000
    elapsed_ms = now.at_ms - state.last.at_ms
    # A read from before the movement waited while it was written; by another kiosk's clock it is only a difference.
    return elapsed_ms < window_ms and (state.this_boot or elapsed_ms > -window_ms)
