"""Entries of children whom nobody knows: kept until their children are on the roster, then derived (within step 11).

A server that was restored lacks the children enrolled since the backup, until the roster is brought in again.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import Connection, or_, select, update

from attendance.records import AttendanceRecord, JournalLine, Moved, Undone, kind_of, read_line
from server.derive import Source, derive, known_children
from server.store.chunks import chunks
from server.store.tables import entry, journal_session, kiosk

log = logging.getLogger(__name__)

UNKNOWN_CHILD = "unknown child"
UNKNOWN_CHILD_TOLD = "unknown child, told before a restore"
REASONS = (UNKNOWN_CHILD, UNKNOWN_CHILD_TOLD)
"""Why what waits for its child is kept."""
IS_UNDERSTOOD = or_(entry.c.quarantined.is_(None), entry.c.quarantined.in_(REASONS))
"""Holds for entries that say what they mean, whether or not their children are known."""


def unknown_child(*, told: bool) -> str:
    """Return the reason for keeping an entry of a child who is not known; `told`: no notice is due when it is."""
    return UNKNOWN_CHILD_TOLD if told else UNKNOWN_CHILD


def waiting(conn: Connection, session: str, seqs: Iterable[int]) -> set[int]:
    """Return those of a session's entries that are kept until their children are known."""
    found: set[int] = set()
    for some in chunks(sorted(seqs)):
        kept = entry.c.quarantined.in_(REASONS)
        asked = select(entry.c.seq).where(entry.c.session == session, entry.c.seq.in_(some), kept)
        found.update(conn.execute(asked).scalars())
    return found


def take_out(conn: Connection, now_ms: int) -> int:
    """Derive what was kept of children who are known by now, in the order it came; return how many entries."""
    kept = list(_kept(conn))
    known = known_children(conn, (each.record for each in kept))
    taken = 0
    for session, of_session in groupby(kept, key=lambda each: each.record.session):
        freed = _freed(list(of_session), known)
        if freed:
            _derive(conn, session, freed, now_ms)
            taken += len(freed)
    return taken


class _Kept(NamedTuple):
    id: str
    record: AttendanceRecord
    told: bool


def _kept(conn: Connection) -> Iterator[_Kept]:
    """Yield what is kept, sessions one after another as they came, each in its order."""
    rows = conn.execute(
        select(entry.c.id, entry.c.line, entry.c.hash, entry.c.quarantined)
        .join(journal_session, journal_session.c.session == entry.c.session)
        .where(entry.c.quarantined.in_(REASONS))
        .order_by(journal_session.c.grown_at_ms, entry.c.session, entry.c.seq)
    )
    for row in rows:
        record = read_line(JournalLine(line=row.line, hash=row.hash))
        yield _Kept(row.id, record, told=row.quarantined == UNKNOWN_CHILD_TOLD)


def _freed(kept: Sequence[_Kept], known: frozenset[str]) -> list[_Kept]:
    """Return the movements of children who are known, and what took back movements that are kept no longer."""
    still = {
        each.record.seq for each in kept if isinstance(each.record.body, Moved) and each.record.body.child not in known
    }
    return [
        each
        for each in kept
        if each.record.seq not in still and not (isinstance(each.record.body, Undone) and each.record.body.seq in still)
    ]


def _derive(conn: Connection, session: str, freed: Sequence[_Kept], now_ms: int) -> None:
    for each in freed:
        values = {"kind": kind_of(each.record.body), "quarantined": None}
        conn.execute(update(entry).where(entry.c.id == each.id).values(**values))
    whose = conn.execute(
        select(journal_session.c.kiosk_id, journal_session.c.boot, kiosk.c.site_id)
        .join(kiosk, kiosk.c.id == journal_session.c.kiosk_id)
        .where(journal_session.c.session == session)
    ).one()
    log.info("children known by now session=%s entries=%d", session, len(freed))
    told = {each.record.seq for each in freed if each.told}
    source = Source(site=whose.site_id, kiosk=whose.kiosk_id, boot=whose.boot)
    derive(conn, [each.record for each in freed], source, now_ms, told=told)
