"""Between which instants a boot that never met the server lies, by the journal's own order (within step 11).

Another boot was before or after it where a header of the later one names a session of the earlier. One that no header
ties to it may be either: the journal that follows one that was set aside names nothing.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from attendance.clock import ClockReading
from attendance.records import JournalLine, SessionOpened, read_line
from server.store.chunks import chunks
from server.store.tables import anchor, entry, journal_session, kiosk, movement
from server.timeline import Anchor, Neighbours, TimeSource, drift_ms

_HEADERS = select(journal_session.c.session, journal_session.c.boot, entry.c.line, entry.c.hash).join(
    entry, (entry.c.session == journal_session.c.session) & (entry.c.seq == 0)
)


class _Header(NamedTuple):
    session: str
    kiosk: str
    """As the line names it."""
    at: ClockReading
    named: frozenset[str]
    """Sessions that were there before it."""


def find_neighbours(conn: Connection, kiosk_id: str, boot: str, now_ms: int) -> Neighbours | None:
    """Return between which instants a boot without an anchor lies; None when that is not known."""
    headers = list(_headers_of(conn, kiosk_id, boot))
    if not headers:
        return None
    first = min((each.at for each in headers), key=lambda at: at.boot_ns)
    earlier = _boots_of(conn, {name for each in headers for name in each.named}) - {boot}
    after = [*_ends(conn, kiosk_id, earlier, first), *_enrolled(conn, kiosk_id, headers, first)]
    if not after:
        return None
    after_ms = max(after)
    later = _boots_naming(conn, kiosk_id, {each.session for each in headers}, after_ms) - earlier - {boot}
    starts = _starts(conn, kiosk_id, later)
    return Neighbours(first, after_ms, min([now_ms, *(each for each in starts if each > after_ms)]))


def _ends(conn: Connection, kiosk_id: str, boots: Collection[str], first: ClockReading) -> Iterator[int]:
    """Yield before when a boot's first instant was not, by what is known of the boots before it."""
    since_boot_ms = first.boot_ns // 1_000_000 - drift_ms(first.boot_ns)
    for some in chunks(sorted(boots)):
        anchored = select(func.max(anchor.c.server_ms - anchor.c.err_ms)).where(
            anchor.c.kiosk_id == kiosk_id, anchor.c.boot.in_(some)
        )
        moved = select(func.max(movement.c.at_ms - movement.c.at_err_ms)).where(
            movement.c.kiosk_id == kiosk_id,
            movement.c.boot.in_(some),
            movement.c.at_source.in_([TimeSource.ANCHOR, TimeSource.WALL]),
        )
        for asked in (anchored, moved):
            last_ms = conn.execute(asked).scalar()
            if last_ms is not None:
                yield int(last_ms) + since_boot_ms


def _enrolled(conn: Connection, kiosk_id: str, headers: Collection[_Header], first: ClockReading) -> Iterator[int]:
    """Yield before when a boot's first instant was not, by when its kiosk was enrolled.

    What was written under a name from before is older than that.
    """
    own = [each.at.boot_ns for each in headers if each.kiosk == kiosk_id]
    if own:
        enrolled_ms = conn.execute(select(kiosk.c.enrolled_at_ms).where(kiosk.c.id == kiosk_id)).scalar_one()
        before_ns = min(own) - first.boot_ns
        yield int(enrolled_ms) - before_ns // 1_000_000 - drift_ms(before_ns)


def _starts(conn: Connection, kiosk_id: str, boots: Collection[str]) -> Iterator[int]:
    """Yield after when boots did not begin."""
    for some in chunks(sorted(boots)):
        for row in conn.execute(select(anchor).where(anchor.c.kiosk_id == kiosk_id, anchor.c.boot.in_(some))):
            yield Anchor(row.boot_ns, row.server_ms).boot_ms + row.err_ms + drift_ms(row.boot_ns)


def _headers_of(conn: Connection, kiosk_id: str, boot: str) -> Iterator[_Header]:
    these = (journal_session.c.kiosk_id == kiosk_id) & (journal_session.c.boot == boot)
    for row in conn.execute(_HEADERS.where(these)).all():
        record = read_line(JournalLine(line=row.line, hash=row.hash))
        if isinstance(record.body, SessionOpened):
            named = frozenset(head.session for head in record.body.heads)
            yield _Header(row.session, record.kiosk, record.at, named)


def _boots_of(conn: Connection, sessions: Collection[str]) -> set[str]:
    boots: set[str] = set()
    for some in chunks(sorted(sessions)):
        these = journal_session.c.session.in_(some)
        boots.update(conn.execute(select(journal_session.c.boot).where(these)).scalars())
    return boots


def _boots_naming(conn: Connection, kiosk_id: str, sessions: Collection[str], since_ms: int) -> set[str]:
    """Return the kiosk's boots of which a header names one of these sessions, none of which began before an instant.

    What names them came after they began, so of years only that is read. (A server's clock that was behind meanwhile
    hides some of it: the boot's bounds are wider then.)
    """
    came = (journal_session.c.kiosk_id == kiosk_id) & (journal_session.c.grown_at_ms >= since_ms)
    boots: set[str] = set()
    for row in conn.execute(_HEADERS.where(came, journal_session.c.boot != "")):
        if any(each in row.line for each in sessions):
            body = read_line(JournalLine(line=row.line, hash=row.hash)).body
            if isinstance(body, SessionOpened) and any(head.session in sessions for head in body.heads):
                boots.add(row.boot)
    return boots
