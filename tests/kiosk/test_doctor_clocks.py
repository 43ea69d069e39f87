"""What the doctor says of the clock: not set, kept by nothing, other than the server's, set again and again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from attendance.clock import ClockState
from attendance.records import ClockStepped
from tests.kiosk.doctor_parts import house, running_clock, wrong_of
from tests.model_server import ModelServer

AGES_S = 56 * 365 * 24 * 3600


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (ClockState.NTP, "clock_ntp"),
        (ClockState.RTC, "clock_rtc"),
        (ClockState.SAVED, "clock_saved"),
        (ClockState.NONE, "clock_unset"),
    ],
)
def test_a_clock_is_told_by_what_keeps_it(tmp_path: Path, state: ClockState, code: str) -> None:
    with house(tmp_path, None, clock=running_clock(state)) as kiosk:
        findings = kiosk.findings()
        assert code in findings
        assert findings[code].wrong is (state in (ClockState.SAVED, ClockState.NONE))
        assert findings[code].values == {"time": "2026-04-01 12:00"}


def test_a_clock_of_1970_does_no_harm_once_the_server_was_heard(tmp_path: Path, server: ModelServer) -> None:
    clock = running_clock(ClockState.NONE)
    clock.step(-AGES_S)
    with house(tmp_path, server, clock=clock) as kiosk:
        findings = kiosk.findings()
        assert wrong_of(findings) == set()
        assert str(findings["clock_server"].values["time"]).startswith("1970-")


@pytest.mark.parametrize(("step_s", "code"), [(31, "clock_ahead"), (-3600, "clock_behind")])
def test_a_clock_that_differs_from_the_servers_is_told(
    tmp_path: Path, server: ModelServer, step_s: int, code: str
) -> None:
    with house(tmp_path, server) as kiosk:
        kiosk.clock.step(step_s)
        findings = kiosk.findings()
        assert wrong_of(findings) == {code}
        assert findings[code].values == {"seconds": abs(step_s)}
        kiosk.clock.step(-step_s - 29)
        assert kiosk.wrong() == set(), "a slow answer makes that much"


def test_a_difference_that_is_hours_old_says_nothing(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        kiosk.clock.step(3600)
        kiosk.clock.advance(3601)
        assert "clock_ahead" not in kiosk.wrong()


def test_a_clock_that_is_set_again_and_again_is_told(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        for step_ms in (AGES_S * 1000, 900, -2000):
            kiosk.journal.append(ClockStepped(step_ms=step_ms))
            kiosk.step()
        assert kiosk.wrong() == set(), "once after each start is usual, and small steps are"
        kiosk.journal.append(ClockStepped(step_ms=-3_600_000))
        kiosk.step()
        assert kiosk.findings()["clock_steps"].values == {"times": 2, "minutes": AGES_S // 60}
