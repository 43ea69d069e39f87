"""The journal: the one authoritative write of the door (step 6 of the straight line).

A record that `append` returned is on the disk. The journal is never in the way of the door: one that cannot be opened
answers with JournalError, tap by tap, and takes records again as soon as the disk does.
"""

import logging
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Self, TypeVar

from sqlite_utils import Database

from attendance.chain import place
from attendance.clock import Clock, day_bounds, to_ms
from attendance.errors import WireError
from attendance.records import AttendanceRecord, Body, Head, RecordDraft, SessionOpened
from kiosk.asides import Asides
from kiosk.ballast import Ballast
from kiosk.database import BUSY_TIMEOUT_S, inode, is_damage, open_database, set_aside
from kiosk.errors import JournalError
from kiosk.journal_queries import (
    INSERT_ENTRY,
    delete_session,
    head_of,
    heads,
    records_of_boot,
    records_of_wall,
    session_ages,
    span_of,
    unsent,
)
from kiosk.retention import NO_CONTACTS, Contacts, Moment, is_ripe, prunable
from kiosk.salvage import Salvaged, take_in
from kiosk.schema import JOURNAL

log = logging.getLogger(__name__)

BALLAST_FILE = "ballast"
HEADS_IN_HEADER = 64
"""How many earlier sessions a header names, newest last; more would make headers grow for years."""
_INSERT_SESSION = "INSERT INTO session (id, boot) VALUES (?, ?)"
_Result = TypeVar("_Result")


class Journal:
    """The door's side: appends to a session of its own. Thread: any."""

    def __init__(
        self,
        path: Path,
        *,
        kiosk: str,
        clock: Clock,
        boot: str,
        app: str,
        key_id: str,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        self._path = path
        self._kiosk = kiosk
        self._clock = clock
        self._boot = boot
        self._app = app
        self._key_id = key_id
        self._busy_timeout_s = busy_timeout_s
        self._ballast = Ballast(path.with_name(BALLAST_FILE))
        self._asides = Asides(path)
        self._lock = threading.RLock()
        self._db: Database | None = None
        self._file: tuple[int, int] | None = None
        self._session: str | None = None
        self._earlier: list[Head] = []
        """The last entries of the sessions before this one, which never grow again."""
        self.problem: str | None = None
        """Why the last entry was not taken; None while all is well."""

    def begin(self) -> Self:
        """Begin a session if none has begun, or leave `problem` set: then whatever is asked next begins it."""
        with suppress(JournalError):
            self._write(None)
        return self

    @property
    def session(self) -> str | None:
        """The running session; None while none could be begun."""
        return self._session

    @property
    def boot(self) -> str:
        """The boot whose records `records_of_boot` returns."""
        return self._boot

    @property
    def salvages(self) -> int:
        """How often entries from before this process were added; whoever remembers the journal looks at it again."""
        return self._asides.salvaged

    @property
    def short_of_space(self) -> bool:
        """Whether the disk is so full that the space held back for the journal is used up."""
        return self._ballast.missing

    def append(self, body: Body) -> AttendanceRecord:
        """Return the record once it is durable. Raises: JournalError, and then nothing was recorded."""
        record = self._write(body)
        assert record is not None
        return record

    def append_within(self, session: str, body: Body) -> AttendanceRecord | None:
        """Do as `append`, or record nothing and return None when that session has ended. Raises: JournalError."""
        return self._write(body, session)

    def heads(self) -> list[Head]:
        """Return the last entry of every session, in the order they began. Raises: JournalError."""
        return self._read(heads)

    def records_of_day(self, day: date) -> list[AttendanceRecord]:
        """Return the records that the wall clock put on a local day, whatever it was worth. Raises: JournalError."""
        start, end = day_bounds(day)
        return self._read(lambda db: records_of_wall(db, to_ms(start), to_ms(end)))

    def records_of_boot(self, since_boot_ns: int) -> list[AttendanceRecord]:
        """Return this boot's records from an instant on, in the order they were made. Raises: JournalError."""
        return self._read(lambda db: records_of_boot(db, self._boot, since_boot_ns))

    def unsent(self, acked: Iterable[Head]) -> int:
        """Return how many entries the server is not known to hold. Raises: JournalError."""
        # Asked each second: the sessions of years are not read again for it.
        return self._read(lambda db: unsent([*self._earlier, self._head(db)], acked))

    def renew(self) -> bool:
        """Begin a new session if the running one is a day old and has been quiet; say whether. Raises: JournalError."""

        def work(db: Database) -> bool:
            assert self._session is not None
            ripe = is_ripe(*span_of(db, self._session), self._clock.read().boot_ns)
            if ripe:
                self._open_session(db)
            return ripe

        return self._read(work)

    def prune(self, acked: Iterable[Head], now_ms: int, contacts: Contacts = NO_CONTACTS) -> int:
        """Let one session go that is old and acknowledged; return how many entries went. Raises: JournalError.

        One at a time: a child at the door waits for it.
        """

        def work(db: Database) -> int:
            now = Moment(self._boot, self._clock.read(), now_ms, contacts)
            old = prunable(session_ages(db, contacts), acked, now)
            if not old:
                return 0
            db.execute("BEGIN IMMEDIATE")
            entries = delete_session(db, old[0])
            db.execute("COMMIT")
            self._earlier = [head for head in self._earlier if head.session != old[0]]
            log.info("session let go session=%s entries=%d", old[0], entries)
            return entries

        return self._read(work)

    def salvage(self) -> None:
        """Take in what is sound in the journals that were set aside; each is gone through once. Raises: JournalError.

        Children are served meanwhile: they wait for one session at a time. One that gives nothing, though it holds
        something, is gone through again by the next process.
        """
        self._asides.salvage(self._take_in)

    def lay_ballast(self) -> None:
        """Hold disk space back for a day on which there is none, if there is plenty now."""
        self._ballast.lay()

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        with self._lock:
            self._drop()

    def _take_in(self, found: Salvaged) -> int:
        def work(db: Database) -> int:
            taken = take_in(db, found)
            self._earlier = [head for head in heads(db) if head.session != self._session]
            return taken

        return self._read(work)

    def _write(self, body: Body | None, within: str | None = None) -> AttendanceRecord | None:
        """Append, or with None only see to it that a session has begun; `problem` says how it went."""
        with self._lock:
            try:
                record = self._written(body, within)
            except JournalError as error:
                self._note(error.reason)
                raise
            self._note(None)
            return record

    def _written(self, body: Body | None, within: str | None) -> AttendanceRecord | None:
        def work(db: Database) -> AttendanceRecord | None:
            return None if body is None or within not in (None, self._session) else self._append(db, body)

        try:
            return self._read(work)
        except JournalError:
            # Whatever SQLite calls it: on a full disk it is also files that cannot be opened or mapped.
            if not self._ballast.throw():
                raise
            return self._read(work)

    def _note(self, problem: str | None) -> None:
        if problem is not None and self.problem is None:
            log.error("journal broken reason=%r", problem)
        elif problem is None and self.problem is not None:
            log.info("journal well again")
        self.problem = problem

    def _read(self, work: Callable[[Database], _Result]) -> _Result:
        with self._lock:
            try:
                return work(self._connected())
            except (sqlite3.Error, OSError, WireError) as error:
                if self._db is not None:
                    with suppress(sqlite3.Error):
                        self._db.rollback()
                if is_damage(error) and self._db is not None:
                    # A disk that lets nothing be renamed keeps the damaged file: the next question finds it again.
                    with suppress(OSError):
                        self._set_aside()
                    self._drop()
                raise JournalError(str(error)) from error

    def _connected(self) -> Database:
        """The open file with a session begun; a damaged file is set aside, a removed one begun anew."""
        if self._db is not None and inode(self._path) != self._file:
            log.error("journal moved away while open")
            self._drop()
        if self._db is None:
            self._db = self._opened()
            self._file = inode(self._path)
        if self._session is None:
            self._open_session(self._db)
        return self._db

    def _opened(self) -> Database:
        try:
            return open_database(self._path, JOURNAL, busy_timeout_s=self._busy_timeout_s, on_damage=self._set_aside)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
        return open_database(self._path, JOURNAL, busy_timeout_s=self._busy_timeout_s)

    def _set_aside(self) -> None:
        set_aside(self._path, self._clock.read().wall_ms)

    def _drop(self) -> None:
        # The chain lives in the file that is left behind: a session never goes on in another.
        db, self._db, self._file, self._session = self._db, None, None, None
        if db is not None:
            db.close()

    def _open_session(self, db: Database) -> None:
        session = secrets.token_hex(16)
        db.execute("BEGIN IMMEDIATE")
        earlier = heads(db)
        known = tuple(earlier[-HEADS_IN_HEADER:])
        db.execute(_INSERT_SESSION, (session, self._boot))
        self._insert(db, SessionOpened(boot=self._boot, app=self._app, key=self._key_id, heads=known), session, None)
        db.execute("COMMIT")
        self._session, self._earlier = session, earlier
        self._note(None)
        log.info("session opened session=%s boot=%s", session, self._boot)

    def _append(self, db: Database, body: Body) -> AttendanceRecord:
        db.execute("BEGIN IMMEDIATE")
        head = self._head(db)
        record = self._insert(db, body, head.session, head)
        db.execute("COMMIT")
        return record

    def _head(self, db: Database) -> Head:
        """The last entry of the running session."""
        assert self._session is not None
        return head_of(db, self._session)

    def _insert(self, db: Database, body: Body, session: str, after: Head | None) -> AttendanceRecord:
        # The clock is read under the write lock, so that time never runs backwards along a chain.
        draft = RecordDraft(body=body, at=self._clock.read())
        record, stored = place(draft, kiosk=self._kiosk, session=session, after=after)
        at = record.at
        db.execute(INSERT_ENTRY, (record.session, record.seq, at.boot_ns, at.wall_ms, stored.line, stored.hash))
        return record
