"""Time as both sides see it: readings with their trust, a Clock to pass around, and the local day.

Inside, instants are aware UTC datetimes or integer milliseconds since the epoch; Asia/Tokyo appears only here, in
templates and in messages.
"""

import time
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Protocol
from zoneinfo import ZoneInfo

import msgspec

JST = ZoneInfo("Asia/Tokyo")
NS_IN_S = 1_000_000_000
NS_IN_MS = 1_000_000
Instant = Annotated[int, msgspec.Meta(ge=0, le=253_370_764_800_000)]
"""Milliseconds from 1970 to the year 9999: beyond, no calendar can name the day."""
Nanoseconds = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Span = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
"""Milliseconds between two instants; what every JSON reader holds exactly."""


class ClockState(StrEnum):
    """What a machine's wall clock was set by, the most reliable first."""

    NTP = "ntp"
    RTC = "rtc"
    SAVED = "saved"
    NONE = "none"

    @property
    def trusted(self) -> bool:
        """Whether a clock so set tells the right day: one that went on from a file may be behind by months."""
        return self in (ClockState.NTP, ClockState.RTC)


class ClockReading(msgspec.Struct, frozen=True):
    """One look at all clocks of a machine at once."""

    wall_ms: Instant
    """Wall clock, milliseconds since 1970-01-01 UTC; may be wrong by years when `state` is none."""
    wall_err_ms: Span | None
    """The kernel's own bound of the error, or None when there is none."""
    boot_ns: Nanoseconds
    """CLOCK_BOOTTIME: nanoseconds since boot, counting suspend."""
    state: ClockState


class Clock(Protocol):
    """Where the time comes from; passed to whoever needs it."""

    def read(self) -> ClockReading:
        """Look at all clocks once. Thread: any."""
        ...


class SystemClock:
    """The machine's clocks, for processes that need no more trust than the kernel's wall clock (the server)."""

    def read(self) -> ClockReading:
        """Look at the machine's clocks; the state is taken as ntp, since a server is kept on time by its host."""
        return ClockReading(
            wall_ms=time.time_ns() // NS_IN_MS,
            wall_err_ms=None,
            boot_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME),
            state=ClockState.NTP,
        )


class ManualClock:
    """A shipped fake: stands still until it is moved."""

    def __init__(self, at: datetime, *, boot_ns: int = NS_IN_S, state: ClockState = ClockState.NTP) -> None:
        self._wall_ms = to_ms(at)
        self._boot_ns = boot_ns
        self._state = state

    def read(self) -> ClockReading:
        """Return the time it was set to."""
        return ClockReading(wall_ms=self._wall_ms, wall_err_ms=None, boot_ns=self._boot_ns, state=self._state)

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self._wall_ms += round(seconds * 1000)
        self._boot_ns += round(seconds * NS_IN_S)

    def step(self, seconds: float) -> None:
        """Step the wall clock alone, as NTP or a person does."""
        self._wall_ms += round(seconds * 1000)


def now(clock: Clock) -> datetime:
    """Return the clock's wall time as an aware UTC datetime."""
    return from_ms(clock.read().wall_ms)


def to_ms(at: datetime) -> int:
    """Return milliseconds since the epoch, rounded down. Raises: ValueError for a naive datetime."""
    if at.tzinfo is None:
        msg = "a naive datetime has no place on the time line"
        raise ValueError(msg)
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    """Return the aware UTC datetime of milliseconds since the epoch."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def local_time(ms: int) -> datetime:
    """Return what the wall calendar and clock of the site show at milliseconds since the epoch."""
    return from_ms(ms).astimezone(JST)


def local_day(at: datetime) -> date:
    """Return the day on the wall calendar of the site at that instant."""
    return at.astimezone(JST).date()


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """Return the first instant of a local day and the first of the next, in UTC."""
    start = datetime(day.year, day.month, day.day, tzinfo=JST).astimezone(UTC)
    return start, start + timedelta(days=1)  # Japan keeps no summer time
