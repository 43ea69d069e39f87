"""What other processes read of the journal: sync to send it, doctor to check it. A replaced file is followed."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from sqlite_utils import Database

from attendance.errors import WireError
from attendance.records import AttendanceRecord, Head, JournalLine
from kiosk.at_rest import at_rest
from kiosk.database import BUSY_TIMEOUT_S, Damaged, Unmade, inode, is_damage, open_to_read
from kiosk.errors import JournalError
from kiosk.journal_queries import heads, last_opening, records_of_boot, session_ages, stretch
from kiosk.lost_entries import verify_but_lost
from kiosk.retention import Contacts, SessionAge
from kiosk.schema import JOURNAL


class JournalReader:
    """Reads beside the door that writes. Thread: one."""

    def __init__(self, path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Make a reader; the journal need not be there yet."""
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._db: Database | None = None
        self._file: tuple[int, int] | None = None

    def heads(self) -> list[Head]:
        """Return the last entry of every session; none while there is no journal. Raises: JournalError."""
        with self._reading() as db:
            return [] if db is None else heads(db)

    def read(self, session: str, from_seq: int, limit: int) -> list[JournalLine]:
        """Return a stretch of a session. Raises: JournalError."""
        with self._reading() as db:
            return [] if db is None else stretch(db, session, from_seq, limit)

    def session_of_boot(self, boot: str) -> str | None:
        """Return the session that began last in a boot, or None. Raises: JournalError."""
        with self._reading() as db:
            if db is None:
                return None
            row = db.execute("SELECT id FROM session WHERE boot = ? ORDER BY rowid DESC LIMIT 1", (boot,)).fetchone()
            return None if row is None else str(row[0])

    def ages(self, contacts: Contacts) -> list[SessionAge]:
        """Return every session with the time of its first entry, in the order they began. Raises: JournalError."""
        with self._reading() as db:
            return [] if db is None else session_ages(db, contacts)

    def last_opening(self) -> AttendanceRecord | None:
        """Return the first entry of the session that began last. Raises: JournalError."""
        with self._reading() as db:
            return None if db is None else last_opening(db)

    def records_of_boot(self, boot: str) -> list[AttendanceRecord]:
        """Return the records of a boot in the order they were made. Raises: JournalError."""
        with self._reading() as db:
            return [] if db is None else records_of_boot(db, boot, 0)

    def change(self) -> tuple[object, ...]:
        """Return a value that differs after each write of the door; costs microseconds. Raises: JournalError."""
        with self._reading() as db:
            return self._file, None if db is None else db.execute("PRAGMA data_version").fetchone()[0]

    def verify(self) -> int:
        """Check file and chains and return how many entries there are. Raises: JournalError naming what is wrong."""
        entries = 0
        with self._reading() as db:
            if db is None:
                return 0
            verdict = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if verdict != "ok":
                raise Damaged(verdict)
            for (session,) in db.execute("SELECT id FROM session ORDER BY rowid").fetchall():
                lines = stretch(db, session, 0, -1)
                verify_but_lost(lines)
                entries += len(lines)
        return entries

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        db, self._db = self._db, None
        if db is not None:
            db.close()

    @contextmanager
    def _reading(self) -> Iterator[Database | None]:
        try:
            refused = self._follow()
            with nullcontext(self._db) if refused is None else at_rest(self._path, JOURNAL, refused) as db:
                yield db
        except (sqlite3.Error, OSError, WireError) as error:
            if is_damage(error):
                self.close()
            raise JournalError(str(error)) from error

    def _follow(self) -> sqlite3.OperationalError | None:
        """Open the file that is there now, if there is one; return why it does not open as it should."""
        file = inode(self._path)
        if file != self._file:
            self.close()
        if self._db is None and file is not None:
            try:
                self._db = open_to_read(self._path, JOURNAL, busy_timeout_s=self._busy_timeout_s)
                self._file = file
            except Unmade:
                return None
            except sqlite3.OperationalError as error:
                return error
        return None
