"""The roster cache: what the kiosk knows from the server, in `cache.db`; disposable, since a sync makes it again.

Step 4 of the straight line. The sync process alone writes it; the door and the doctor read it.
"""

import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
from sqlite_utils import Database

from attendance.cards import CardRef
from attendance.errors import WireError
from attendance.names import SealedNames
from attendance.policy import Policy
from attendance.records import Head
from attendance.roster import Animal, Colour, Holder, Mark
from attendance.wire import Heard, PresencePart, StateResponse, decode, encode
from kiosk.database import BUSY_TIMEOUT_S, Unmade, empty_database, inode, is_damage, open_database, open_to_read
from kiosk.errors import CacheError
from kiosk.schema import CACHE
from kiosk.timekeeping import boot_id

log = logging.getLogger(__name__)

_POLICY, _NAMES, _PRESENCE = "policy", "names", "presence"
_FIND = """
    SELECT holder.child, animal, colour FROM card JOIN holder ON holder.child = card.child WHERE card_hash = ?
"""
_PUT_PART = "INSERT INTO part (name, version, body) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET version = excluded.version, body = excluded.body"  # noqa: E501 - one statement
_PUT_ACK = """
    INSERT INTO ack (session, seq, hash, told) VALUES (?, ?, ?, ?)
    ON CONFLICT (session) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, told = max(told, excluded.told)
"""
_PUT_CONTACT = """
    INSERT INTO contact (boot, at_boot_ns, at_ms) VALUES (?, ?, ?)
    ON CONFLICT (boot) DO UPDATE SET at_boot_ns = excluded.at_boot_ns, at_ms = excluded.at_ms
"""
CONTACTS_KEPT = 1000
"""Boots of which contact and answer are kept: they date sessions where no clock of the kiosk does."""
_PUT_HEARD = """
    INSERT INTO heard (boot, asked_ns, answered_ns, time_ms) VALUES (?, ?, ?, ?) ON CONFLICT (boot)
    DO UPDATE SET asked_ns = excluded.asked_ns, answered_ns = excluded.answered_ns, time_ms = excluded.time_ms
"""
_ACKS = "SELECT session, seq, hash FROM ack WHERE seq >= 0 ORDER BY session"

_Message = TypeVar("_Message", bound=msgspec.Struct)


class Contact(NamedTuple):
    """The server's time at an instant of this boot."""

    at_boot_ns: int
    at_ms: int


class RosterCache:
    """Holders, policy, presence and sync state. Thread: any."""

    def __init__(self, path: Path, *, boot: str, busy_timeout_s: float, read_only: bool) -> None:
        self._path = path
        self._read_only = read_only
        self._boot = boot
        self._busy_timeout_s = busy_timeout_s
        self._lock = threading.RLock()
        self._db: Database | None = None
        self._file: tuple[int, int] | None = None
        self._decoded: dict[str, tuple[bytes, msgspec.Struct]] = {}

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        boot: str | None = None,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        read_only: bool = False,
    ) -> "RosterCache":
        """Return the cache: for its one writer made when missing and anew when damaged, for readers empty when missing.

        Raises: CacheError.
        """
        boot = boot_id() if boot is None else boot
        cache = cls(path, boot=boot, busy_timeout_s=busy_timeout_s, read_only=read_only)
        with cache._using():
            return cache

    def find(self, card: CardRef) -> Holder | None:
        """Return who holds a card, or None. Raises: CacheError."""
        with self._using() as db:
            return _holder(db, db.execute(_FIND, (card.card_hash,)).fetchone())

    def holder(self, child: str) -> Holder | None:
        """Return a child of the roster, or None. Raises: CacheError."""
        with self._using() as db:
            row = db.execute("SELECT child, animal, colour FROM holder WHERE child = ?", (child,)).fetchone()
            return _holder(db, row)

    def marks(self) -> dict[str, Mark]:
        """Return every child of the roster with its mark. Raises: CacheError."""
        with self._using() as db:
            rows = db.execute("SELECT child, animal, colour FROM holder ORDER BY child").fetchall()
            return {child: Mark(Animal(animal), Colour(colour)) for child, animal, colour in rows}

    def policy(self) -> Policy:
        """Return the site's rules; those of a new site before the first sync. Raises: CacheError."""
        return self._part(_POLICY, Policy) or Policy()

    def presence(self) -> PresencePart | None:
        """Return what the server last told of a day's movements. Raises: CacheError."""
        return self._part(_PRESENCE, PresencePart)

    def sealed_names(self) -> SealedNames | None:
        """Return the sealed name pack, or None before the first sync. Raises: CacheError."""
        return self._part(_NAMES, SealedNames)

    def versions(self) -> tuple[str, str]:
        """Return the versions of roster and presence; empty for what is not there. Raises: CacheError."""
        with self._using() as db:
            rows = dict(db.execute("SELECT name, version FROM part").fetchall())
            return rows.get(_NAMES, ""), rows.get(_PRESENCE, "")

    def store_state(self, state: StateResponse) -> None:
        """Take in news from the server, all or nothing; its names key is left out. Raises: CacheError."""
        with self._writing() as db:
            _put(db, _POLICY, "", state.policy)
            if state.roster is not None:
                db.execute("DELETE FROM card")
                db.execute("DELETE FROM holder")
                for holder in state.roster.holders:
                    row = (holder.child, holder.mark.animal, holder.mark.colour)
                    db.execute("INSERT INTO holder (child, animal, colour) VALUES (?, ?, ?)", row)
                    for card_hash in holder.cards:
                        db.execute("INSERT INTO card (card_hash, child) VALUES (?, ?)", (card_hash, holder.child))
                # Stored with the holders in one transaction, so its version is the roster's.
                _put(db, _NAMES, state.roster.version, state.roster.names)
            if state.presence is not None:
                _put(db, _PRESENCE, state.presence.version, state.presence)

    def wipe_people(self) -> None:
        """Forget holders, cards, names and presence, for a kiosk that was revoked. Raises: CacheError."""
        with self._writing() as db:
            db.execute("DELETE FROM card")
            db.execute("DELETE FROM holder")
            db.execute("DELETE FROM part WHERE name IN (?, ?)", (_NAMES, _PRESENCE))
        # What was deleted must not stay readable in free pages and in the log beside the file.
        with self._using() as db:
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def note_contact(self, at_boot_ns: int, at_ms: int, heard: Heard | None = None) -> None:
        """Note that the server answered, with its own time at that instant of this boot. Raises: CacheError.

        `heard` is kept as the answer by which this boot can be dated again.
        """
        with self._writing() as db:
            db.execute(_PUT_CONTACT, (self._boot, at_boot_ns, at_ms))
            db.execute("DELETE FROM contact WHERE rowid <= (SELECT max(rowid) FROM contact) - ?", (CONTACTS_KEPT,))
            if heard is not None:
                db.execute(_PUT_HEARD, (self._boot, heard.asked_ns, heard.answered_ns, heard.time_ms))
            db.execute("DELETE FROM heard WHERE boot NOT IN (SELECT boot FROM contact)")

    def contact(self) -> Contact | None:
        """Return the last contact in this boot, or None. Raises: CacheError."""
        with self._using() as db:
            row = db.execute("SELECT at_boot_ns, at_ms FROM contact WHERE boot = ?", (self._boot,)).fetchone()
            return None if row is None else Contact(*row)

    def contacts(self) -> dict[str, Contact]:
        """Return the last contact of each boot in which the server answered. Raises: CacheError."""
        with self._using() as db:
            rows = db.execute("SELECT boot, at_boot_ns, at_ms FROM contact").fetchall()
            return {boot: Contact(at_boot_ns, at_ms) for boot, at_boot_ns, at_ms in rows}

    def heard(self, boot: str) -> Heard | None:
        """Return the answer by which a boot can be dated again, or None. Raises: CacheError."""
        with self._using() as db:
            row = db.execute("SELECT asked_ns, answered_ns, time_ms FROM heard WHERE boot = ?", (boot,)).fetchone()
            return None if row is None else Heard(*row)

    def store_acks(self, heads: Iterable[Head], *, forget: Iterable[str] = ()) -> None:
        """Note what the server holds of some sessions, and which it holds nothing of. Raises: CacheError."""
        with self._writing() as db:
            for session in forget:
                db.execute("UPDATE ack SET seq = -1, hash = '' WHERE session = ?", (session,))
            for head in heads:
                db.execute(_PUT_ACK, (*head, head.seq))

    def drop_acks(self, sessions: Iterable[str]) -> None:
        """Forget sessions that the journal holds no more. Raises: CacheError."""
        with self._writing() as db:
            for session in sessions:
                db.execute("DELETE FROM ack WHERE session = ?", (session,))

    def acks(self) -> list[Head]:
        """Return what the server was last known to hold; for the lamp only, never a cursor. Raises: CacheError."""
        with self._using() as db:
            return [Head(*row) for row in db.execute(_ACKS).fetchall()]

    def told(self, session: str) -> int:
        """Return the last entry of a session that the server ever acknowledged, or -1. Raises: CacheError."""
        with self._using() as db:
            row = db.execute("SELECT told FROM ack WHERE session = ?", (session,)).fetchone()
            return -1 if row is None else int(row[0])

    def all_told(self) -> dict[str, int]:
        """Return of every session the last entry that the server ever acknowledged. Raises: CacheError."""
        with self._using() as db:
            return {session: int(seq) for session, seq in db.execute("SELECT session, told FROM ack").fetchall()}

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        with self._lock:
            db, self._db = self._db, None
            if db is not None:
                db.close()

    def _part(self, name: str, kind: type[_Message]) -> _Message | None:
        with self._using() as db:
            row = db.execute("SELECT body FROM part WHERE name = ?", (name,)).fetchone()
            if row is None:
                return None
            body, known = bytes(row[0]), self._decoded.get(name)
            if known is not None and known[0] == body and isinstance(known[1], kind):
                return known[1]
            message = decode(body, kind)
            self._decoded[name] = body, message
            return message

    @contextmanager
    def _using(self) -> Iterator[Database]:
        with self._lock:
            try:
                yield self._connected()
            except (sqlite3.Error, OSError, WireError, ValueError) as error:
                if self._db is not None:
                    with suppress(sqlite3.Error):
                        self._db.rollback()
                if is_damage(error):
                    self.close()
                raise CacheError(str(error)) from error

    @contextmanager
    def _writing(self) -> Iterator[Database]:
        with self._using() as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")

    def _connected(self) -> Database:
        file = inode(self._path)
        if self._db is None or file != self._file:
            self.close()
            try:
                self._db = self._opened()
                # As it was before: a file that its writer made meanwhile is another, and opened at the next question.
                self._file = file
            except Unmade:  # its writer has only just begun it, or died there: it is looked at again each time
                self._db = empty_database(CACHE)
                self._file = None
        return self._db

    def _opened(self) -> Database:
        if self._read_only:
            if not self._path.exists():
                return empty_database(CACHE)
            return open_to_read(self._path, CACHE, busy_timeout_s=self._busy_timeout_s)
        try:
            return open_database(self._path, CACHE, busy_timeout_s=self._busy_timeout_s)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
        log.warning("roster cache damaged and made anew")
        for ending in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
        return open_database(self._path, CACHE, busy_timeout_s=self._busy_timeout_s)


def _put(db: Database, name: str, version: str, message: msgspec.Struct) -> None:
    db.execute(_PUT_PART, (name, version, encode(message)))


def _holder(db: Database, row: tuple[str, str, str] | None) -> Holder | None:
    if row is None:
        return None
    child, animal, colour = row
    cards = db.execute("SELECT card_hash FROM card WHERE child = ? ORDER BY card_hash", (child,)).fetchall()
    return Holder(child=child, mark=Mark(Animal(animal), Colour(colour)), cards=tuple(card for (card,) in cards))
