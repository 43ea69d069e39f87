"""How sure a time is, as people see it: nothing when it is sure to the minute; pure."""

from dataclasses import dataclass

from attendance.clock import local_time
from server.timeline import BestTime, TimeSource

_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Doubt:
    """What to say of a time beside it."""

    settled: bool
    """False when nothing vouches for the time."""
    minutes: int = 0
    """By how much a settled time may be off, either way."""
    earliest: str = ""
    """Of a time that is not settled: HH:MM, or M/D HH:MM on another day; empty when nothing is known."""
    latest: str = ""


def doubt(time: BestTime, now_ms: int) -> Doubt | None:
    """Return what to say of a time, None when it is settled and off by less than a minute."""
    if time.source is TimeSource.UNSETTLED:
        if time.err_ms is None:
            return Doubt(settled=False)
        latest_ms = min(time.at_ms + time.err_ms, max(now_ms, time.at_ms))  # what is recorded has happened
        earliest, latest = _wall_time(time.at_ms - time.err_ms, time), _wall_time(latest_ms, time)
        return Doubt(settled=False, earliest=earliest, latest=latest)
    if time.err_ms is None or time.err_ms < _MINUTE_MS:
        return None
    return Doubt(settled=True, minutes=-(-time.err_ms // _MINUTE_MS))


def hh_mm(at_ms: int) -> str:
    """Return an instant as the clock on the site's wall shows it."""
    return f"{local_time(at_ms):%H:%M}"


def _wall_time(at_ms: int, beside: BestTime) -> str:
    there = local_time(at_ms)
    if there.date() == local_time(beside.at_ms).date():
        return hh_mm(at_ms)
    return f"{there.month}/{there.day} {hh_mm(at_ms)}"
