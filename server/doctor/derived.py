"""Whether what people see follows from the entries: no movement without its entry, no entry without its movement."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from attendance.finding import Finding
from attendance.presence import movement_id
from attendance.records import AttendanceRecord, Moved, Undone, UnknownCard
from server.doctor.chains import Fault, Tally, read_session, session_names
from server.store.engine import Store
from server.store.tables import entry, journal_session, movement, unknown_card

_PAGE = 500
_SEQ = re.compile(r"[0-9]{1,10}")
_MISSING, _EXTRA, _DIFFERS = "derived_missing", "derived_extra", "derived_differs"
_KINDS = ((movement, "movement"), (unknown_card, "unknown_card"))


def check_derived(store: Store) -> Iterator[Finding]:
    """Compare every entry with its row, and every row with its entry, in memory that does not grow with their number.

    What was found wrong with an entry itself is told elsewhere, and not again here.
    """
    tally, number = Tally(), 0
    for name in session_names(store):
        with store.read() as conn:
            session = conn.execute(select(journal_session).where(journal_session.c.session == name)).one()
            for fault in _of_session(conn, session):
                tally.add(fault)
    for table, kind in _KINDS:
        for page in _pages(store, table):
            number += len(page)
            with store.read() as conn:
                for fault in _without_entry(conn, page, kind):
                    tally.add(fault)
    yield from tally.findings()
    if not tally.numbers:
        yield Finding("derived", values={"number": number})


@dataclass(slots=True)
class _Undoing:
    """Which movements of one session its entries took back, and which of its rows say so."""

    entries: set[int] = field(default_factory=set)
    rows: set[int] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)
    """Movements that have a row."""


def _of_session(conn: Connection, session: Row[Any]) -> Iterator[Fault]:
    undoing = _Undoing()
    for part in read_session(conn, session):
        if isinstance(part, Fault):
            return
        yield from _moved(conn, [each for each in part if isinstance(each.body, Moved)], undoing)
        yield from _unknown(conn, [each for each in part if isinstance(each.body, UnknownCard)])
        undoing.entries.update(
            each.body.seq for each in part if isinstance(each.body, Undone) and each.body.seq < each.seq
        )
    for seq in sorted((undoing.entries & undoing.seen) ^ undoing.rows):
        yield Fault(_DIFFERS, movement_id(session.session, seq))


def _moved(conn: Connection, records: list[AttendanceRecord], undoing: _Undoing) -> Iterator[Fault]:
    ids = {movement_id(each.session, each.seq): each for each in records}
    columns = (movement.c.id, movement.c.child_id, movement.c.direction, movement.c.undone_at_ms)
    rows = {row.id: row for row in conn.execute(select(*columns).where(movement.c.id.in_(ids)))} if ids else {}
    for name, record in ids.items():
        row = rows.get(name)
        if row is None:
            yield Fault(_MISSING, name)
            continue
        undoing.seen.add(record.seq)
        if row.undone_at_ms is not None:
            undoing.rows.add(record.seq)
        assert isinstance(record.body, Moved)
        if (row.child_id, row.direction) != (record.body.child, record.body.direction):
            yield Fault(_DIFFERS, name)


def _unknown(conn: Connection, records: list[AttendanceRecord]) -> Iterator[Fault]:
    ids = [movement_id(each.session, each.seq) for each in records]
    held = set(conn.execute(select(unknown_card.c.id).where(unknown_card.c.id.in_(ids))).scalars()) if ids else set()
    yield from (Fault(_MISSING, name) for name in ids if name not in held)


def _pages(store: Store, table: Table) -> Iterator[list[str]]:
    """Yield the ids of rows that came from a kiosk, in pages; what staff added has no entry."""
    after = ""
    while True:
        page = select(table.c.id).where(table.c.id > after).order_by(table.c.id).limit(_PAGE)
        with store.read() as conn:
            ids = list(conn.execute(page).scalars())
        yield [each for each in ids if ":" in each]
        if len(ids) < _PAGE:
            return
        after = ids[-1]


def _without_entry(conn: Connection, ids: list[str], kind: str) -> Iterator[Fault]:
    of_session: defaultdict[str, list[int]] = defaultdict(list)
    for each in ids:
        session, _, seq = each.rpartition(":")
        if _SEQ.fullmatch(seq):
            of_session[session].append(int(seq))
        else:
            yield Fault(_EXTRA, each)
    for session, seqs in of_session.items():
        these = select(entry.c.seq).where(
            entry.c.session == session, entry.c.seq.in_(seqs), entry.c.kind == kind, entry.c.quarantined.is_(None)
        )
        held = set(conn.execute(these).scalars())
        yield from (Fault(_EXTRA, movement_id(session, seq)) for seq in seqs if seq not in held)
