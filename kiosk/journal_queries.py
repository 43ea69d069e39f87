"""What is asked of a journal's tables, by the door and by the sync process alike. Raises: sqlite3.Error."""

import logging
from collections.abc import Iterable

from sqlite_utils import Database

from attendance.errors import WireError
from attendance.records import AttendanceRecord, Head, JournalLine, read_line
from kiosk.retention import Contacts, SessionAge, age_of

log = logging.getLogger(__name__)

INSERT_ENTRY = "INSERT INTO entry (session, seq, boot_ns, wall_ms, line, hash) VALUES (?, ?, ?, ?, ?, ?)"
_HEADS = """
    SELECT entry.session, entry.seq, entry.hash FROM session JOIN entry ON entry.session = session.id
    WHERE entry.seq = (SELECT max(seq) FROM entry WHERE session = session.id) ORDER BY session.rowid
"""
_HEADERS = """
    SELECT session.id, session.boot, CAST(line AS BLOB), hash FROM session JOIN entry ON entry.session = session.id
    WHERE seq = 0
"""
_LAST_OPENING = """
    SELECT line, hash FROM entry JOIN session ON session.id = entry.session
    WHERE seq = 0 ORDER BY session.rowid DESC LIMIT 1
"""
_HEAD_OF_SESSION = "SELECT seq, hash FROM entry WHERE session = ? ORDER BY seq DESC LIMIT 1"
_SPAN_OF_SESSION = "SELECT min(boot_ns), max(boot_ns) FROM entry WHERE session = ?"
_STRETCH = "SELECT line, hash FROM entry WHERE session = ? AND seq >= ? ORDER BY seq LIMIT ?"
_OF_WALL = "SELECT line, hash FROM entry WHERE wall_ms >= ? AND wall_ms < ? ORDER BY wall_ms, session, seq"
_OF_BOOT = """
    SELECT line, hash FROM entry JOIN session ON session.id = entry.session
    WHERE session.boot = ? AND boot_ns >= ? ORDER BY session.rowid, seq
"""


def heads(db: Database) -> list[Head]:
    """Return the last entry of every session, in the order they began."""
    return [Head(*row) for row in db.execute(_HEADS).fetchall()]


def head_of(db: Database, session: str) -> Head:
    """Return the last entry of a session that has one."""
    return Head(session, *db.execute(_HEAD_OF_SESSION, (session,)).fetchone())


def span_of(db: Database, session: str) -> tuple[int, int]:
    """Return CLOCK_BOOTTIME at a session's first entry and at its last, in nanoseconds."""
    first_ns, last_ns = db.execute(_SPAN_OF_SESSION, (session,)).fetchone()
    return first_ns, last_ns


def delete_session(db: Database, session: str) -> int:
    """Delete a session within the caller's transaction; return how many entries it had."""
    entries: int = db.execute("DELETE FROM entry WHERE session = ?", (session,)).rowcount
    db.execute("DELETE FROM session WHERE id = ?", (session,))
    return entries


def session_ages(db: Database, contacts: Contacts) -> list[SessionAge]:
    """Return every session with the time of its first entry, in the order they began."""
    headers = {session: (boot, _first(line, digest)) for session, boot, line, digest in db.execute(_HEADERS).fetchall()}
    return [age_of(head, *headers.get(head.session, ("", None)), contacts) for head in heads(db)]


def last_opening(db: Database) -> AttendanceRecord | None:
    """Return the first entry of the session that began last. Raises: WireError."""
    lines = _lines(db, _LAST_OPENING, ())
    return read_line(lines[0]) if lines else None


def stretch(db: Database, session: str, from_seq: int, limit: int) -> list[JournalLine]:
    """Return entries of a session in order; a limit of -1 is none."""
    return _lines(db, _STRETCH, (session, from_seq, limit))


def records_of_wall(db: Database, from_ms: int, to_ms: int) -> list[AttendanceRecord]:
    """Return the records whose wall clock stood within a span, by that clock."""
    return _records(_lines(db, _OF_WALL, (from_ms, to_ms)))


def records_of_boot(db: Database, boot: str, since_boot_ns: int) -> list[AttendanceRecord]:
    """Return the records of a boot from an instant on, in the order they were made."""
    return _records(_lines(db, _OF_BOOT, (boot, since_boot_ns)))


def unsent(heads: Iterable[Head], acked: Iterable[Head]) -> int:
    """Return how many entries lie beyond what was acknowledged."""
    through = {head.session: head.seq for head in acked}
    return sum(max(0, head.seq - through.get(head.session, -1)) for head in heads)


def _lines(db: Database, sql: str, parameters: tuple[object, ...]) -> list[JournalLine]:
    return [JournalLine(line=line, hash=digest) for line, digest in db.execute(sql, parameters).fetchall()]


def _first(line: bytes, digest: str) -> AttendanceRecord | None:
    """Decode a first entry; one that is spoilt, or of a newer version, tells nothing of its own age alone."""
    try:
        return read_line(JournalLine(line=line.decode(errors="replace"), hash=digest))
    except WireError:
        return None


def _records(lines: Iterable[JournalLine]) -> list[AttendanceRecord]:
    """Decode records; a line that a newer version wrote is passed over, since it cannot be acted upon."""
    records = []
    for stored in lines:
        try:
            records.append(read_line(stored))
        except WireError as error:
            log.warning("journal line not understood reason=%r", error.reason)
    return records
