"""Best time of a journal entry: the kiosk's clocks against the server's, with bounds (after step 11; pure).

All that was done in a boot is dated by one anchor, an instant on CLOCK_BOOTTIME and on a clock that counts, so it stays
in order and as far apart as it was, whatever the wall clock did. The server's time of a request is such an instant: it
was told between the kiosk's question and the answer, as the kiosk says with its next question (`heard`). Until then
all that is known is that the request was on its way for some time, so its anchor may be late and is never early.
"""

from dataclasses import dataclass
from enum import StrEnum, auto

from attendance.clock import ClockReading, ClockState
from attendance.wire import Heard

WAY_MS = 1_000
"""The least error of any anchor: what NTP may slew CLOCK_BOOTTIME by, and a little for the way."""
SLEW_MS = 500
"""What is more is stepped, and steps do not move CLOCK_BOOTTIME."""
UNHEARD_MS = 90_000
"""How late a request may be whose answer is not known to be heard: no kiosk waits longer for one."""
DRIFT_PPM = 50
"""Twice what a crystal of a small computer is off by."""
UNSETTLED_ABOVE_MS = 600_000
"""A time that may be further off is shown as not settled, whatever it rests on."""
_REFRESH_NS = 600 * 1_000_000_000
_MAX_MS = 10**14  # the year 5138
_MAX_NS = 2**62


class TimeSource(StrEnum):
    """What the best time of a movement rests on."""

    ANCHOR = "anchor"
    WALL = "wall"
    """The kiosk's wall clock, kept by NTP."""
    UNSETTLED = "unsettled"
    """Nothing vouches for it, or two clocks contradict each other; shown as not settled."""
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Anchor:
    """One instant on a boot's clock and on one that counts, the server's or one kept by NTP."""

    boot_ns: int
    server_ms: int
    err_ms: int = WAY_MS
    source: TimeSource = TimeSource.ANCHOR

    @property
    def boot_ms(self) -> int:
        """When the boot began."""
        return self.server_ms - self.boot_ns // 1_000_000

    @property
    def is_heard(self) -> bool:
        """Whether it is known from both sides, so that it may be early as well as late."""
        return self.err_ms < UNHEARD_MS


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Between which instants a boot without an anchor lies; `first` is the first that is known of it."""

    first: ClockReading
    after_ms: int
    """`first` was not before this."""
    before_ms: int
    """Nothing of the boot was after this."""

    def earliest_ms(self, boot_ns: int) -> int:
        """Return before when an instant of the boot was not; a later one's is not earlier."""
        return self.after_ms + (boot_ns - self.first.boot_ns) * (1_000_000 - DRIFT_PPM) // 10**12


@dataclass(frozen=True, slots=True)
class BestTime:
    """When something happened, as well as is known."""

    at_ms: int
    source: TimeSource
    err_ms: int | None
    """How far off it may be, either way; None when nothing is known."""


class Change(StrEnum):
    """What a new anchor means for the one that is held."""

    NONE = auto()
    REFRESHES = auto()
    """It is as good and newer; times already computed stay."""
    CORRECTS = auto()
    """It is narrower, or shows that the one held is wrong; times computed from that are recomputed."""


def is_possible(at: ClockReading) -> bool:
    """Say whether a reading lies within what can be stored and shown."""
    return 0 <= at.wall_ms < _MAX_MS and 0 <= at.boot_ns < _MAX_NS


def drift_ms(span_ns: int) -> int:
    """Return how far two clocks may drift apart in a span, rounded up."""
    return -(-abs(span_ns) * DRIFT_PPM // 10**12)


def anchor_of_offer(at: ClockReading, heard: Heard | None, now_ms: int) -> Anchor:
    """Return the anchor that a request gives which reached the server at `now_ms`, or the answer before it."""
    late = Anchor(boot_ns=at.boot_ns, server_ms=now_ms, err_ms=UNHEARD_MS)
    if heard is None or not heard.asked_ns <= heard.answered_ns <= at.boot_ns:
        return late
    known = _heard(heard)
    # Otherwise the server's clock was set since.
    fits = late.boot_ms >= known.boot_ms - known.err_ms - drift_ms(at.boot_ns - known.boot_ns)
    return known if known.is_heard and fits else late


def anchor_of_answer(heard: Heard, last_ns: int, now_ms: int) -> Anchor | None:
    """Return the anchor that an answer gives in a boot of which something was done at `last_ns`; None if it cannot be.

    Nothing of the boot was after `now_ms`, else the server's clock was set since.
    """
    if heard.asked_ns > heard.answered_ns or heard.answered_ns >= _MAX_NS:
        return None
    known = _heard(heard)
    later_ns = max(last_ns - known.boot_ns, 0)
    fits = known.server_ms + later_ns // 1_000_000 <= now_ms + known.err_ms + drift_ms(later_ns)
    return known if known.is_heard and fits else None


def _heard(heard: Heard) -> Anchor:
    way_ms = -(-(heard.answered_ns - heard.asked_ns) // 2_000_000)
    return Anchor((heard.asked_ns + heard.answered_ns) // 2, heard.time_ms, max(WAY_MS, way_ms + SLEW_MS))


def anchor_of_ntp(at: ClockReading) -> Anchor | None:
    """Return the anchor that a reading is by itself: one kept by NTP, with a bound."""
    if at.state is not ClockState.NTP or at.wall_err_ms is None:
        return None
    return Anchor(at.boot_ns, at.wall_ms, at.wall_err_ms + SLEW_MS, TimeSource.WALL)


def best_time(at: ClockReading, anchor: Anchor | None) -> BestTime:
    """Return the best time of a reading, given the anchor of its boot if there is one.

    A clock that NTP keeps and that contradicts the anchor corrects nothing, but either may be wrong: the bound then
    holds both.
    """
    if anchor is None:
        return BestTime(at.wall_ms, TimeSource.UNSETTLED, None)
    away_ns = anchor.boot_ns - at.boot_ns
    at_ms = anchor.server_ms - away_ns // 1_000_000
    err_ms = anchor.err_ms + drift_ms(away_ns)
    if at.state is ClockState.NTP and at.wall_err_ms is not None:
        apart_ms = abs(at.wall_ms - at_ms)
        if apart_ms > err_ms + at.wall_err_ms:
            err_ms = apart_ms + at.wall_err_ms
    return BestTime(at_ms, anchor.source if err_ms <= UNSETTLED_ABOVE_MS else TimeSource.UNSETTLED, err_ms)


def between(at: ClockReading, neighbours: Neighbours) -> BestTime:
    """Return the best time of a reading that nothing vouches for, by its wall clock as far as its neighbours allow.

    The boot is moved as a whole, so that what was done in it stays in order.
    """
    by_wall_ms = neighbours.first.wall_ms + (at.boot_ns - neighbours.first.boot_ns) // 1_000_000
    earliest_ms = neighbours.earliest_ms(at.boot_ns)
    latest_ms = max(earliest_ms, neighbours.before_ms)
    at_ms = min(max(by_wall_ms, earliest_ms), latest_ms)
    return BestTime(at_ms, TimeSource.UNSETTLED, max(at_ms - earliest_ms, latest_ms - at_ms))


def allows(neighbours: Neighbours, anchor: Anchor) -> bool:
    """Say whether a boot that has this anchor lies between its neighbours."""
    earliest_ms, latest_ms = neighbours.earliest_ms(anchor.boot_ns), neighbours.before_ms
    return earliest_ms - anchor.err_ms <= anchor.server_ms <= latest_ms + anchor.err_ms


def compare(held: Anchor, new: Anchor) -> Change:
    """Return what a new anchor of the same boot means for the one that is held."""
    if held.source is TimeSource.WALL:
        return Change.CORRECTS
    age_ns = new.boot_ns - held.boot_ns
    may_ms = drift_ms(age_ns)
    later_ms = new.boot_ms - held.boot_ms
    if later_ms < -held.err_ms - may_ms - (new.err_ms if new.is_heard else 0):
        return Change.CORRECTS  # the server's clock was set back, or the one held was late
    if later_ms > held.err_ms + may_ms + new.err_ms:
        return Change.CORRECTS if new.is_heard else Change.NONE  # the server's clock was set, or this one is late
    if new.err_ms + may_ms < held.err_ms or (not new.is_heard and later_ms < -WAY_MS and not held.is_heard):
        return Change.CORRECTS
    as_good = new.err_ms <= held.err_ms + may_ms and (new.is_heard or later_ms <= may_ms)
    return Change.REFRESHES if age_ns >= _REFRESH_NS and as_good else Change.NONE
