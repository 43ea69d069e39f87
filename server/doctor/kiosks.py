"""The kiosks in service: silent, two under one name, in trouble, behind with sending, without a clock to be placed."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from attendance.clock import local_time
from attendance.finding import Finding
from attendance.wire import DoorProblem, SyncProblem
from server.doors import is_silent
from server.store.tables import anchor, journal_session, kiosk, site
from server.twins import has_twin

UNSENT_MANY = 100
"""More than a rush brings together between two questions."""
_KNOWN = frozenset({*DoorProblem, *SyncProblem})
"""Any other code is told as it is."""


def check_kiosks(conn: Connection, now_ms: int) -> Iterator[Finding]:
    """Look at every kiosk in service; what a silent one said before is old and not told."""
    rows = conn.execute(
        select(kiosk, site.c.name.label("site"))
        .join(site, site.c.id == kiosk.c.site_id)
        .where(kiosk.c.revoked_at_ms.is_(None))
        .order_by(site.c.code, kiosk.c.name, kiosk.c.id)
    ).all()
    if not rows:
        yield Finding("kiosks_none")
        return
    wrong = list(_wrong(conn, rows, now_ms))
    yield from wrong
    if not wrong:
        yield Finding("kiosks", values={"number": len(rows)})


def _wrong(conn: Connection, rows: Sequence[Row[Any]], now_ms: int) -> Iterator[Finding]:
    never = [row for row in rows if row.heard_at_ms is None]
    heard = [row for row in rows if row.heard_at_ms is not None]
    silent = [row for row in heard if is_silent(row.heard_at_ms, now_ms)]
    present = [row for row in heard if not is_silent(row.heard_at_ms, now_ms)]
    if never:
        yield _about("kiosks_never", [name_of(row) for row in never])
    if silent:
        yield _about("kiosks_silent", [f"{name_of(row)} ({_time(row.heard_at_ms)})" for row in silent])
    twins = [name_of(row) for row in present if has_twin(row.twin_at_ms, now_ms)]
    if twins:
        yield _about("kiosks_twin", twins)
    for row in present:
        yield from _troubles(row)
    behind = [f"{name_of(row)} ({row.unsent})" for row in present if row.unsent > UNSENT_MANY]
    if behind:
        yield _about("kiosks_unsent", behind)
    undated = [name_of(row) for row in present if _is_undated(conn, row.id)]
    if undated:
        yield _about("kiosks_undated", undated)


def name_of(row: Row[Any]) -> str:
    """Return what people call a kiosk, from a row that has its site's name as `site`."""
    return f"{row.site} {row.name}"


def _about(code: str, names: Sequence[str]) -> Finding:
    return Finding(code, wrong=True, values={"names": ", ".join(names)})


def _time(at_ms: int) -> str:
    return f"{local_time(at_ms):%Y-%m-%d %H:%M}"


def _troubles(row: Row[Any]) -> Iterator[Finding]:
    """Tell each thing a kiosk says once; of a door that is silent, what it said of its readers is old."""
    codes = row.trouble.split()
    for code in dict.fromkeys(codes):
        kind, _, rest = code.partition(":")
        reader = rest.rpartition(":")[0]
        if kind == "reader" and reader:
            if DoorProblem.DOOR_SILENT not in codes:
                yield Finding("kiosk_reader", wrong=True, values={"kiosk": name_of(row), "reader": reader})
        else:
            known = code if code in _KNOWN else "other"
            yield Finding(f"kiosk_{known}", wrong=True, values={"kiosk": name_of(row), "code": code})


def _is_undated(conn: Connection, kiosk_id: str) -> bool:
    """Say whether the boot that a kiosk last wrote in has no anchor, though the kiosk is heard from."""
    newest = (
        select(journal_session.c.boot)
        .where(journal_session.c.kiosk_id == kiosk_id)
        .order_by(journal_session.c.grown_at_ms.desc(), journal_session.c.session.desc())
        .limit(1)
    )
    boot = conn.execute(newest).scalar_one_or_none()
    if not boot:
        return False  # nothing came yet, or its header is in quarantine, which is told there
    held = select(anchor.c.boot).where(anchor.c.kiosk_id == kiosk_id, anchor.c.boot == boot)
    return conn.execute(held).first() is None
