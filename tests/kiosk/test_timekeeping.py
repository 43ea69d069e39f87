from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.clock import ClockReading, ClockState, ManualClock
from attendance.discipline import Discipline
from kiosk import timekeeping
from kiosk.timekeeping import STEP_MS, KioskClock, StepWatch, boot_id
from tests.kiosk.door_parts import AFTERNOON

WALL_MS = 1_775_020_000_000


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Callable[[Discipline | None], None]:
    """Lets a test say what the kernel says."""
    return lambda says: monkeypatch.setattr(timekeeping, "kernel_discipline", lambda: says)


def machine(root: Path, *, rtc_s: int | None = None, saved: bool = False) -> KioskClock:
    if rtc_s is not None:
        rtc = root / "sys/class/rtc/rtc0"
        rtc.mkdir(parents=True)
        (rtc / "since_epoch").write_text(f"{rtc_s}\n")
    if saved:
        file = root / "var/lib/systemd/timesync/clock"
        file.parent.mkdir(parents=True)
        file.touch()
    return KioskClock(root)


def test_a_reading_has_all_clocks_of_this_machine() -> None:
    first, second = KioskClock().read(), KioskClock().read()
    assert second.boot_ns > first.boot_ns
    assert second.wall_ms >= first.wall_ms
    assert first.state in ClockState


def test_a_synchronised_clock_tells_its_error(tmp_path: Path, kernel: Callable[[Discipline | None], None]) -> None:
    kernel(Discipline(synchronised=True, max_error_ms=37))
    reading = machine(tmp_path).read()
    assert (reading.state, reading.wall_err_ms) == (ClockState.NTP, 37)


@pytest.mark.parametrize("says", [None, Discipline(synchronised=False, max_error_ms=16_000)])
def test_a_clock_that_nothing_keeps_has_no_bound(
    tmp_path: Path, kernel: Callable[[Discipline | None], None], says: Discipline | None
) -> None:
    kernel(says)
    reading = machine(tmp_path).read()
    assert (reading.state, reading.wall_err_ms) == (ClockState.NONE, None)


def test_a_clock_that_agrees_with_its_battery_rests_on_it(tmp_path: Path) -> None:
    clock = machine(tmp_path, rtc_s=WALL_MS // 1000 + 2, saved=True)
    assert clock.state_without_ntp(WALL_MS) is ClockState.RTC


def test_an_rtc_without_a_battery_is_not_believed(tmp_path: Path) -> None:
    assert machine(tmp_path, rtc_s=300, saved=True).state_without_ntp(WALL_MS) is ClockState.SAVED


def test_a_restored_clock_is_told_from_none_at_all(tmp_path: Path) -> None:
    assert machine(tmp_path, saved=True).state_without_ntp(WALL_MS) is ClockState.SAVED
    assert machine(tmp_path / "other").state_without_ntp(WALL_MS) is ClockState.NONE


def test_1970_is_no_time_whatever_the_rtc_says(tmp_path: Path) -> None:
    assert machine(tmp_path, rtc_s=60, saved=True).state_without_ntp(60_000) is ClockState.NONE


def test_the_boot_id_is_that_of_the_kernel() -> None:
    assert len(boot_id()) == 32
    assert int(boot_id(), 16)


def test_a_step_is_noticed_forward_and_back() -> None:
    clock = ManualClock(AFTERNOON)
    watch = StepWatch(clock.read())
    clock.advance(10)
    assert watch.look(clock.read()) is None
    for seconds in (3600.0, -7200.5):
        clock.step(seconds)
        step = watch.look(clock.read())
        assert step is not None
        assert step.step_ms == seconds * 1000
        watch.settle(step)
        assert watch.look(clock.read()) is None


def test_a_step_is_told_until_it_is_settled() -> None:
    clock = ManualClock(AFTERNOON)
    watch = StepWatch(clock.read())
    clock.step(5)
    assert watch.look(clock.read()) == watch.look(clock.read()) is not None


def test_half_a_second_is_not_yet_a_step() -> None:
    clock = ManualClock(AFTERNOON)
    watch = StepWatch(clock.read())
    clock.step(STEP_MS / 1000)
    assert watch.look(clock.read()) is None


@given(st.lists(st.integers(-STEP_MS, STEP_MS), max_size=50))
def test_slewing_never_adds_up_to_a_step(slews_ms: list[int]) -> None:
    wall_ms = WALL_MS
    watch = StepWatch(ClockReading(wall_ms, None, 0, ClockState.NTP))
    for slew_ms in slews_ms:
        wall_ms += slew_ms
        assert watch.look(ClockReading(wall_ms, None, 0, ClockState.NTP)) is None
