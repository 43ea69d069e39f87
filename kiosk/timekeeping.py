"""The kiosk's clocks: what the wall clock rests on, which boot this is, and whether the wall clock stepped.

A Pi has no battery-backed clock, so each reading says how far it can be trusted; the server resolves times later.
"""

import time
from pathlib import Path

from attendance.clock import NS_IN_MS, ClockReading, ClockState
from attendance.discipline import kernel_discipline
from attendance.records import ClockStepped

STEP_MS = 500
"""A smaller difference between two looks is slewing, not a step."""
_EARLIEST_WALL_MS = 1_704_067_200_000  # 2024-01-01: before this software was, so the clock was never set
_RTC_AGREES_S = 60
_STATE_KEPT_NS = 10_000_000_000


class KioskClock:
    """A `Clock` that also says what its wall clock rests on; `root` is the folder that holds /sys and /var."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._rtc = root / "sys/class/rtc/rtc0"
        self._saved = root / "var/lib/systemd/timesync/clock"
        self._state: tuple[int, ClockState] | None = None

    def read(self) -> ClockReading:
        """Look at all clocks once. Thread: any."""
        discipline = kernel_discipline()
        boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        wall_ms = time.time_ns() // NS_IN_MS
        if discipline is not None and discipline.synchronised:
            return ClockReading(wall_ms, discipline.max_error_ms, boot_ns, ClockState.NTP)
        return ClockReading(wall_ms, None, boot_ns, self._unsynchronised(wall_ms, boot_ns))

    def _unsynchronised(self, wall_ms: int, boot_ns: int) -> ClockState:
        """What the wall clock rests on without NTP; kept for a while, since an RTC is slow to ask."""
        if self._state is None or boot_ns - self._state[0] > _STATE_KEPT_NS:
            self._state = (boot_ns, self.state_without_ntp(wall_ms))
        return self._state[1]

    def state_without_ntp(self, wall_ms: int) -> ClockState:
        """Judge a wall clock that nothing disciplines."""
        if wall_ms < _EARLIEST_WALL_MS:
            return ClockState.NONE
        rtc_s = _number(self._rtc / "since_epoch")
        # An RTC without a battery starts in 1970 and disagrees with the clock that systemd restored from a file.
        if rtc_s is not None and abs(rtc_s - wall_ms / 1000) <= _RTC_AGREES_S:
            return ClockState.RTC
        return ClockState.SAVED if self._saved.exists() else ClockState.NONE


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def boot_id() -> str:
    """Return the kernel's id of this boot, 32 hexadecimal digits."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", "")


class StepWatch:
    """Notices when the wall clock steps against CLOCK_BOOTTIME; to be asked often, or slewing adds up to a step."""

    def __init__(self, first: ClockReading) -> None:
        self._offset_ms = _offset_ms(first)

    def look(self, reading: ClockReading) -> ClockStepped | None:
        """Return the step since the last look, or None; a step is returned again until `settle` is called with it."""
        step_ms = _offset_ms(reading) - self._offset_ms
        if abs(step_ms) > STEP_MS:
            return ClockStepped(step_ms=step_ms)
        self._offset_ms += step_ms
        return None

    def settle(self, step: ClockStepped) -> None:
        """Note that a step was recorded: from now on it is no step any more."""
        self._offset_ms += step.step_ms


def _offset_ms(reading: ClockReading) -> int:
    return reading.wall_ms - reading.boot_ns // NS_IN_MS
