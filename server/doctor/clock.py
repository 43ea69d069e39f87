"""Whether this server's clock is right: by the kernel's word and by that of the kiosks."""

from collections.abc import Iterator

from sqlalchemy import Connection

from attendance.discipline import Discipline
from attendance.finding import Finding
from server.doors import own_clock_ahead_ms


def check_machine_clock(discipline: Discipline | None) -> Iterator[Finding]:
    """Judge what the kernel says; it may say nothing, as in some containers."""
    if discipline is not None:
        yield Finding("clock_kept" if discipline.synchronised else "clock_not_kept", not discipline.synchronised)


def check_kiosks_word(conn: Connection, now_ms: int) -> Iterator[Finding]:
    """Ask what most kiosks say that are kept by NTP."""
    ahead_ms = own_clock_ahead_ms(conn, now_ms)
    code = "clock_ahead" if ahead_ms > 0 else "clock_behind"
    yield Finding(code, wrong=True, values={"seconds": abs(ahead_ms) // 1000}) if ahead_ms else Finding("clock")
