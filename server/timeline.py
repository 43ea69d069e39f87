"""Best time of a journal entry: the kiosk's clocks against the server's, with bounds (after step 11; pure).

An anchor says that a boot's CLOCK_BOOTTIME read `boot_ns` when the server's clock read `server_ms`. The request took
an unknown time on its way, so an anchor is late by that much, never early: of two, the one that puts the boot earlier
is better. CLOCK_BOOTTIME of an undisciplined crystal drifts, so a newer anchor is preferred by as much as it may drift.
"""

from dataclasses import dataclass
from enum import StrEnum, auto

from attendance.clock import ClockReading, ClockState

WAY_MS = 1_000
"""How long a request may be on its way before its anchor is judged as wrong."""
DRIFT_PPM = 50
"""Twice what a crystal of a small computer is off by."""
_REFRESH_NS = 600 * 1_000_000_000
_MAX_MS = 10**14  # the year 5138
_MAX_NS = 2**62


class TimeSource(StrEnum):
    """What the best time of a movement rests on."""

    ANCHOR = "anchor"
    WALL = "wall"
    """The kiosk's wall clock, kept by NTP."""
    UNSETTLED = "unsettled"
    """The kiosk's wall clock, which nothing vouches for; shown as not settled."""
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Anchor:
    """One instant on both clocks."""

    boot_ns: int
    server_ms: int

    @property
    def boot_ms(self) -> int:
        """When the boot began, by the server's clock."""
        return self.server_ms - self.boot_ns // 1_000_000


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Between which instants a boot without an anchor lies: its kiosk's life before, and its life after."""

    after_ms: int
    before_ms: int


@dataclass(frozen=True, slots=True)
class BestTime:
    """When something happened, as well as is known."""

    at_ms: int
    source: TimeSource
    err_ms: int | None
    """Half the width of the bounds, None when there are none."""


class Change(StrEnum):
    """What a new anchor means for the one that is held."""

    NONE = auto()
    REFRESHES = auto()
    """It is as good and newer; times already computed stay."""
    CORRECTS = auto()
    """It proves the one held wrong beyond its bound; times computed from that are recomputed."""


def is_possible(at: ClockReading) -> bool:
    """Say whether a reading lies within what can be stored and shown."""
    return 0 <= at.wall_ms < _MAX_MS and 0 <= at.boot_ns < _MAX_NS


def best_time(at: ClockReading, anchor: Anchor | None) -> BestTime:
    """Return the best time of a reading, given the anchor of its boot if there is one."""
    by_ntp = at.state is ClockState.NTP
    if anchor is None:
        if by_ntp:
            return BestTime(at.wall_ms, TimeSource.WALL, at.wall_err_ms)
        return BestTime(at.wall_ms, TimeSource.UNSETTLED, None)
    away_ns = anchor.boot_ns - at.boot_ns
    anchored_ms = anchor.server_ms - away_ns // 1_000_000
    err_ms = WAY_MS + abs(away_ns) // 1_000_000 * DRIFT_PPM // 1_000_000
    anchored = BestTime(anchored_ms, TimeSource.ANCHOR, err_ms)
    if not by_ntp or at.wall_err_ms is None or at.wall_err_ms >= err_ms:
        return anchored
    agree = abs(at.wall_ms - anchored_ms) <= at.wall_err_ms + err_ms  # otherwise NTP's word is worth nothing
    return BestTime(at.wall_ms, TimeSource.WALL, at.wall_err_ms) if agree else anchored


def between(at: ClockReading, neighbours: Neighbours) -> BestTime:
    """Return the best time of a reading that nothing vouches for, by its wall clock as far as its neighbours allow.

    The boot is moved as a whole, so that what was done in it stays in order and as far apart as it was.
    """
    since_boot_ms = at.boot_ns // 1_000_000
    earliest_ms = neighbours.after_ms + since_boot_ms
    latest_ms = max(earliest_ms, neighbours.before_ms)
    at_ms = min(max(at.wall_ms, earliest_ms), latest_ms)
    return BestTime(at_ms, TimeSource.UNSETTLED, max(at_ms - earliest_ms, latest_ms - at_ms))


def compare(held: Anchor, new: Anchor) -> Change:
    """Return what a new anchor of the same boot means for the one that is held."""
    later_ms = new.boot_ms - held.boot_ms
    if later_ms < -WAY_MS:
        return Change.CORRECTS
    age_ns = new.boot_ns - held.boot_ns
    if age_ns >= _REFRESH_NS and later_ms <= age_ns // 1_000_000 * DRIFT_PPM // 1_000_000:
        return Change.REFRESHES
    return Change.NONE
