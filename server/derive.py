"""What follows from journal entries: movements, undo, unknown cards, and the notices queued for them (within step 11).

Derived rows can be made again from the entries at any time, so times are recomputed when a better anchor comes.
"""

import logging
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from attendance.clock import ClockReading, from_ms, local_day
from attendance.presence import movement_id
from attendance.records import AttendanceRecord, JournalLine, Moved, Undone, UnknownCard, read_line
from server.neighbours import find_neighbours
from server.notify.outbox import queue_moved, queue_undone
from server.store.chunks import chunks
from server.store.tables import anchor, child, entry, journal_session, movement, unknown_card
from server.timeline import (
    Anchor,
    BestTime,
    Change,
    Neighbours,
    TimeSource,
    allows,
    anchor_of_ntp,
    best_time,
    between,
    compare,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """Where entries come from."""

    site: str
    kiosk: str
    boot: str


def known_children(conn: Connection, records: Iterable[AttendanceRecord]) -> frozenset[str]:
    """Return those of the children in the records' movements who are on the roster."""
    asked = sorted({record.body.child for record in records if isinstance(record.body, Moved)})
    known: set[str] = set()
    for some in chunks(asked):
        known.update(conn.execute(select(child.c.id).where(child.c.id.in_(some))).scalars())
    return frozenset(known)


def derive(
    conn: Connection, records: Sequence[AttendanceRecord], source: Source, now_ms: int, *, told: Container[int] = ()
) -> None:
    """Write the rows that follow from new records of one session, in their order, and queue notices.

    Of the entries `told` no notice is queued: they were acknowledged before this database was restored.
    """
    dating = _dating(conn, records, source, now_ms)
    moved = [
        _movement(record, record.body, source, dating.best(record.at))
        for record in records
        if isinstance(record.body, Moved)
    ]
    unknown = [
        _unknown_card(record, record.body, source, dating.best(record.at))
        for record in records
        if isinstance(record.body, UnknownCard)
    ]
    if moved:
        conn.execute(insert(movement), moved)
        for earlier in (True, False):
            these = [each for each in records if isinstance(each.body, Moved) and (each.seq in told) is earlier]
            queue_moved(conn, [movement_id(each.session, each.seq) for each in these], now_ms, earlier=earlier)
    if unknown:
        conn.execute(insert(unknown_card), unknown)
    for record in records:
        if isinstance(record.body, Undone):
            at_ms = dating.best(record.at).at_ms
            if _take_back(conn, record, record.body, at_ms):
                target = movement_id(record.session, record.body.seq)
                queue_undone(conn, target, now_ms, earlier=record.seq in told)


@dataclass(frozen=True, slots=True)
class _Dating:
    """What the times of one boot's records rest on."""

    anchor: Anchor | None
    neighbours: Neighbours | None

    def best(self, at: ClockReading) -> BestTime:
        if self.anchor is None and self.neighbours is not None:
            return between(at, self.neighbours)
        return best_time(at, self.anchor or anchor_of_ntp(at))


def _dating(conn: Connection, records: Sequence[AttendanceRecord], source: Source, now_ms: int) -> _Dating:
    if not source.boot or not records:  # a header that is lost or in quarantine names none, and many may be without
        return _Dating(None, None)
    held = find_anchor(conn, source.kiosk, source.boot)
    if held is not None:
        return _Dating(held, None)
    neighbours = find_neighbours(conn, source.kiosk, source.boot, now_ms)
    for own in (anchor_of_ntp(record.at) for record in records):
        if own is not None and (neighbours is None or allows(neighbours, own)):
            put_anchor(conn, source.kiosk, source.boot, own)
            retime(conn, source.kiosk, source.boot, own)
            return _Dating(own, None)
    return _Dating(None, neighbours)


def find_anchor(conn: Connection, kiosk_id: str, boot: str) -> Anchor | None:
    """Return the anchor of a boot if there is one."""
    row = conn.execute(select(anchor).where(anchor.c.kiosk_id == kiosk_id, anchor.c.boot == boot)).one_or_none()
    return None if row is None else _anchor(row)


def put_anchor(conn: Connection, kiosk_id: str, boot: str, new: Anchor) -> None:
    """Keep an anchor as the one of its boot."""
    values = {"boot_ns": new.boot_ns, "server_ms": new.server_ms, "err_ms": new.err_ms, "source": new.source}
    this = (anchor.c.kiosk_id == kiosk_id) & (anchor.c.boot == boot)
    if conn.execute(update(anchor).where(this).values(**values)).rowcount == 0:
        conn.execute(insert(anchor).values(kiosk_id=kiosk_id, boot=boot, **values))


def take_anchor(conn: Connection, kiosk_id: str, boot: str, new: Anchor) -> None:
    """Keep an anchor as the one of its boot where it is better than the one held; recompute what it corrects."""
    held = find_anchor(conn, kiosk_id, boot)
    change = Change.CORRECTS if held is None else compare(held, new)
    if change is not Change.NONE:
        put_anchor(conn, kiosk_id, boot, new)
    if change is Change.CORRECTS:
        changed = retime(conn, kiosk_id, boot, new)
        if changed:
            log.info("retimed kiosk=%s boot=%s movements=%s", kiosk_id, boot, changed)


def lend_anchor(conn: Connection, boot: str, *, of: str, to: str) -> None:
    """Give a kiosk that has no anchor for a boot the one of another: the same machine under the name it had before."""
    lent = find_anchor(conn, of, boot)
    if lent is not None and find_anchor(conn, to, boot) is None:
        put_anchor(conn, to, boot, lent)


def retime(conn: Connection, kiosk_id: str, boot: str, found: Anchor) -> int:
    """Recompute the times of what was done in a boot, except those set by staff; return how many movements changed."""
    rows = conn.execute(
        select(movement.c.id, movement.c.at_ms, movement.c.at_source, movement.c.at_err_ms).where(
            movement.c.boot == boot, movement.c.kiosk_id == kiosk_id, movement.c.at_source != TimeSource.STAFF
        )
    ).all()
    changed = 0
    for row in rows:
        session, _, seq = row.id.rpartition(":")
        at = _read(conn, session, int(seq)).at
        best = best_time(at, found)
        if (best.at_ms, best.source, best.err_ms) != (row.at_ms, row.at_source, row.at_err_ms):
            conn.execute(update(movement).where(movement.c.id == row.id).values(**_time_columns(best)))
            changed += 1
    _retime_unknown_cards(conn, kiosk_id, boot, found)
    return changed


def _retime_unknown_cards(conn: Connection, kiosk_id: str, boot: str, found: Anchor) -> None:
    of_boot = (journal_session.c.kiosk_id == kiosk_id) & (journal_session.c.boot == boot)
    seen = select(entry.c.line, entry.c.hash).join(journal_session, journal_session.c.session == entry.c.session)
    for row in conn.execute(seen.where(of_boot, entry.c.kind == "unknown_card")).all():
        record = read_line(JournalLine(line=row.line, hash=row.hash))
        at_ms = best_time(record.at, found).at_ms
        this = unknown_card.c.id == movement_id(record.session, record.seq)
        conn.execute(update(unknown_card).where(this).values(at_ms=at_ms, day=local_day(from_ms(at_ms))))


def _anchor(row: Row[Any]) -> Anchor:
    return Anchor(row.boot_ns, row.server_ms, row.err_ms, TimeSource(row.source))


def _read(conn: Connection, session: str, seq: int) -> AttendanceRecord:
    row = conn.execute(select(entry.c.line, entry.c.hash).where(entry.c.session == session, entry.c.seq == seq)).one()
    return read_line(JournalLine(line=row.line, hash=row.hash))


def _take_back(conn: Connection, record: AttendanceRecord, body: Undone, at_ms: int) -> bool:
    """Mark a movement as taken back; return False when there is none to be taken back."""
    target = movement_id(record.session, body.seq)
    mark = update(movement).where(movement.c.id == target, movement.c.undone_at_ms.is_(None)).values(undone_at_ms=at_ms)
    return body.seq < record.seq and conn.execute(mark).rowcount > 0


def _movement(record: AttendanceRecord, body: Moved, source: Source, best: BestTime) -> dict[str, Any]:
    return {
        "id": movement_id(record.session, record.seq),
        "site_id": source.site,
        "kiosk_id": source.kiosk,
        "child_id": body.child,
        "direction": body.direction,
        "made_by": body.by,
        "boot": source.boot,
        "boot_ns": record.at.boot_ns,
        "wall_ms": record.at.wall_ms,
        **_time_columns(best),
    }


def _time_columns(best: BestTime) -> dict[str, Any]:
    return {
        "at_ms": best.at_ms,
        "at_source": best.source,
        "at_err_ms": best.err_ms,
        "day": local_day(from_ms(best.at_ms)),
    }


def _unknown_card(record: AttendanceRecord, body: UnknownCard, source: Source, best: BestTime) -> dict[str, Any]:
    return {
        "id": movement_id(record.session, record.seq),
        "site_id": source.site,
        "card_hash": body.card.card_hash,
        "day": local_day(from_ms(best.at_ms)),
        "at_ms": best.at_ms,
    }
