"""The plan of the demo's day: which card is held to which door and when, and what must come of it; pure."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Door(StrEnum):
    """The two doors of the demo's site, by what their kiosks read."""

    QR = "qr"
    NFC = "nfc"


class Expected(StrEnum):
    """What must come of a tap."""

    ENTRY = "entry"
    EXIT = "exit"
    AGAIN = "again"
    """Answered kindly and not recorded."""
    UNKNOWN = "unknown"
    """Recorded as a card nobody holds."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How quickly cards follow each other at a door."""

    hold_s: float
    gap_s: float

    @property
    def beat_s(self) -> float:
        """From one card to the next."""
        return self.hold_s + self.gap_s


RHYTHMS = {Door.QR: Rhythm(hold_s=1.2, gap_s=0.7), Door.NFC: Rhythm(hold_s=0.7, gap_s=0.8)}
REPEAT_WINDOW_S = 6
"""The site's repeat window in the demo: a day lasts well under a minute there."""
FIRST_TAP_S = 1.0
LEFT_OVER = 3
"""How many children at least are still in when the day is over."""
APART_S = 10.0
"""A child leaves at the earliest this long after coming: past the repeat window, and past the time presence takes to
travel from one door to the other."""


@dataclass(frozen=True, slots=True)
class Tap:
    """One card held to one door."""

    child: str | None
    """The child's number, None for a card nobody holds."""
    door: Door
    at_s: float
    expected: Expected


def play(children: Sequence[str], *, day_s: float, seed: int) -> list[Tap]:
    """Return the taps of a day that lasts `day_s` seconds: arrivals, a few shown twice, an unknown card, departures.

    Every door's taps keep its rhythm; of the children who come some stay, so that the headcount is not zero.
    """
    order = random.Random(seed)  # noqa: S311 - a play, not a secret
    waiting = list(children)
    order.shuffle(waiting)
    inside: list[tuple[float, str]] = []
    again: dict[Door, tuple[int, str]] = {}
    unknown = set(Door)
    taps: list[Tap] = []
    for number, at_s, door in _slots(day_s):
        late = at_s > day_s / 2
        leaving = next((child for came_s, child in inside if at_s - came_s >= APART_S), None)
        child: str | None
        if again.get(door, (-1, ""))[0] == number:
            child, expected = again[door][1], Expected.AGAIN
        elif late and door in unknown:
            unknown.discard(door)
            child, expected = None, Expected.UNKNOWN
        elif leaving is not None and (late or not waiting) and len(inside) > LEFT_OVER:
            inside = [pair for pair in inside if pair[1] != leaving]
            child, expected = leaving, Expected.EXIT
        elif waiting:
            child, expected = waiting.pop(), Expected.ENTRY
            inside.append((at_s, child))
            if door not in again and number > 0:
                again[door] = (number + 2, child)  # with another card in between, so that it is a second showing
        else:
            continue
        taps.append(Tap(child, door, at_s, expected))
    return taps


def present_at_end(taps: Iterable[Tap]) -> frozenset[str]:
    """Return who is in when the day is over."""
    inside: set[str] = set()
    for tap in taps:
        if tap.child is not None and tap.expected is Expected.ENTRY:
            inside.add(tap.child)
        elif tap.child is not None and tap.expected is Expected.EXIT:
            inside.discard(tap.child)
    return frozenset(inside)


def _slots(day_s: float) -> list[tuple[int, float, Door]]:
    """Return the moments a card can be shown, over both doors in order: number at its door, time, door."""
    slots = [
        (number, round(FIRST_TAP_S + number * rhythm.beat_s, 3), door)
        for door, rhythm in RHYTHMS.items()
        for number in range(max(1, int((day_s - FIRST_TAP_S) / rhythm.beat_s)))
    ]
    return sorted(slots, key=lambda slot: (slot[1], slot[2]))
