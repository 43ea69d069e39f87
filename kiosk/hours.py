"""Hours of the day as settings name them, "18:00", on the clock of the wall in Japan. Pure."""

from typing import Annotated

import msgspec

from attendance.clock import NS_IN_MS, ClockReading, ClockState, local_time

HourMinute = Annotated[
    str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description='a time of day such as "08:30"')
]


def hour_minute(reading: ClockReading, *, ago_ns: int = 0) -> HourMinute | None:
    """Return the local time of day at a reading, or that long before it; None for a clock that was never set."""
    if reading.state is ClockState.NONE:
        return None
    return f"{local_time(reading.wall_ms - ago_ns // NS_IN_MS):%H:%M}"


def between(at: HourMinute, start: HourMinute, end: HourMinute) -> bool:
    """Say whether a time of day is from `start` until before `end`; over midnight when `end` is the earlier."""
    if start <= end:
        return start <= at < end
    return at >= start or at < end
