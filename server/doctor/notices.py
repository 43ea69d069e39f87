"""Notices to guardians: whether somebody sends them, which wait, which failed, and whose address takes none."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, func, select

from attendance.clock import from_ms, local_day
from attendance.finding import Finding
from server.doctor.processes import users_of
from server.store.tables import delivery
from server.suspended import suspended_addresses

STUCK_MS = 10 * 60_000
"""A notice that is due for so long tells that nothing sends: the dispatcher tries each within seconds."""
TRIED_OFTEN = 3
FAILED_DAYS = 7


def check_notices(conn: Connection, now_ms: int) -> Iterator[Finding]:
    """Look at what waits and at what came to nothing."""
    waiting = delivery.c.state == "queued"
    stuck = _number(conn, waiting, delivery.c.due_at_ms < now_ms - STUCK_MS)
    retried = waiting & (delivery.c.attempts >= TRIED_OFTEN)
    again = _number(conn, retried)
    since_ms = now_ms - round(timedelta(days=FAILED_DAYS) / timedelta(milliseconds=1))
    lost = (delivery.c.state == "failed") & (delivery.c.settled_at_ms > since_ms)
    failed = _number(conn, lost)
    suspended = {each.guardian_id for each in suspended_addresses(conn, local_day(from_ms(now_ms)))}
    if stuck:
        yield Finding("notices_stuck", wrong=True, values={"number": stuck})
    if again:
        yield Finding("notices_retried", wrong=True, values={"number": again, "reasons": _reasons(conn, retried)})
    if failed:
        values = {"number": failed, "days": FAILED_DAYS, "reasons": _reasons(conn, lost)}
        yield Finding("notices_failed", wrong=True, values=values)
    if suspended:
        yield Finding("addresses_suspended", wrong=True, values={"number": len(suspended)})
    if not (stuck or again or failed or suspended):
        yield Finding("notices")


def check_dispatcher(file: Path | None) -> Iterator[Finding]:
    """Look for the dispatcher among those who use the database's file; of another database nobody here knows."""
    if file is None or not file.exists():
        return
    well = any("dispatch" in each.arguments for each in users_of(file))
    yield Finding("dispatcher" if well else "dispatcher_missing", not well)


def _number(conn: Connection, *conditions: ColumnElement[bool]) -> int:
    return int(conn.execute(select(func.count()).select_from(delivery).where(*conditions)).scalar_one())


def _reasons(conn: Connection, condition: ColumnElement[bool]) -> str:
    reasons = select(delivery.c.reason).where(condition, delivery.c.reason.is_not(None)).distinct()
    return ", ".join(sorted(conn.execute(reasons.limit(3)).scalars())) or "?"
