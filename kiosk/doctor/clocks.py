"""What the doctor finds of the clock: what it rests on, how far from the server's it is, and how often it was set."""

from collections.abc import Iterator

from attendance.clock import NS_IN_S, Clock, ClockState, local_time
from attendance.finding import Finding
from attendance.records import ClockStepped
from kiosk.beside import Known, reading
from kiosk.config import KioskSettings
from kiosk.errors import JournalError
from kiosk.today import best_now

DIFFERS_MS = 30_000
"""A slow answer makes ten seconds of it; one more is a clock that is wrong."""
FRESH_NS = 3600 * NS_IN_S
"""Later, the drift of the kiosk's own crystal is in the difference too."""
LARGE_STEP_MS = 60_000
USUAL_STEPS = 1
"""A machine without a battery is set once after each start, when the network comes."""


def check_clock(settings: KioskSettings, clock: Clock, boot: str, known: Known) -> Iterator[Finding]:
    """Yield what the clock is worth."""
    at, contact = clock.read(), known.contact
    shown: dict[str, object] = {"time": f"{local_time(at.wall_ms):%Y-%m-%d %H:%M}"}
    match at.state:
        case ClockState.NTP | ClockState.RTC:
            yield Finding(f"clock_{at.state}", values=shown)
        case _ if contact is not None:
            yield Finding("clock_server", values=shown)
        case ClockState.SAVED:
            yield Finding("clock_saved", wrong=True, values=shown)
        case _:
            yield Finding("clock_unset", wrong=True, values=shown)
    if at.state.trusted and contact is not None and at.boot_ns - contact.at_boot_ns < FRESH_NS:
        ahead_ms = at.wall_ms - best_now(at, contact).at_ms
        if abs(ahead_ms) > DIFFERS_MS:
            seconds = abs(ahead_ms) // 1000
            yield Finding("clock_ahead" if ahead_ms > 0 else "clock_behind", wrong=True, values={"seconds": seconds})
    yield from _steps(settings, boot)


def _steps(settings: KioskSettings, boot: str) -> Iterator[Finding]:
    """A clock that is set again and again: two programs keep it, or a battery is empty."""
    try:
        with reading(settings) as reader:
            bodies = [record.body for record in reader.records_of_boot(boot)]
    except JournalError:
        return  # the finding of the journal's file says it
    large = [
        abs(body.step_ms) for body in bodies if isinstance(body, ClockStepped) and abs(body.step_ms) > LARGE_STEP_MS
    ]
    if len(large) > USUAL_STEPS:
        yield Finding("clock_steps", wrong=True, values={"times": len(large), "minutes": max(large) // 60_000})
