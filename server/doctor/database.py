"""Whether the database is there, whole, writable, and of the schema that this software wants."""

import sqlite3
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from attendance.finding import Finding
from server.config import ServerSettings
from server.doctor.processes import users_of
from server.store.engine import Store
from server.store.migrations import Schema, schema_of

READ_S = 30.0
"""How long the pages of a large file are read, unless all of it is wanted."""
LOCK_WAIT_S = 5.0
_STEPS = 10_000
_Answer = Generator[Finding, None, bool]


def sqlite_path(settings: ServerSettings) -> Path | None:
    """Return the SQLite file of the settings, None for another kind of database or a URL that nobody understands."""
    if not settings.database_url:
        return Path(settings.data_dir) / "tadaima.db"
    backend, _, _ = settings.database_url.partition(":")
    if backend.partition("+")[0] != "sqlite":
        return None
    try:
        database = make_url(settings.database_url).database
    except ArgumentError:
        return None
    return Path(database) if database else None


def check_database(settings: ServerSettings, *, full: bool) -> _Answer:
    """Look at the file itself, beside the server that uses it; return whether there is something to be asked.

    Raises: OSError.
    """
    file = sqlite_path(settings)
    if file is None:
        yield Finding("database_other")
        return True
    if not file.exists():
        yield Finding("database_missing", wrong=True, values={"file": file})
        return False
    try:
        # Held until the end: a writer that closes last would empty the log into the file.
        with closing(_connect(file, "ro")) as reading:
            yield from _mode(reading)
            yield from _pages(reading, full=full)
            yield from _write_lock(file)
    except sqlite3.Error as error:
        if _is_locked(error):
            yield _locked(file)
            return False
        yield Finding("database_damaged", wrong=True, values={"reason": error})
    return True


def check_schema(store: Store) -> _Answer:
    """Look whether the schema is this software's; return whether it is. Raises: StoreError."""
    match schema_of(store):
        case Schema.CURRENT:
            return True
        case age:
            yield Finding(f"database_{age}", wrong=True)
            return False


def _mode(reading: sqlite3.Connection) -> Iterator[Finding]:
    mode = reading.execute("PRAGMA journal_mode").fetchone()[0]
    if mode != "wal":
        yield Finding("database_not_wal", wrong=True, values={"mode": mode})


def _pages(reading: sqlite3.Connection, *, full: bool) -> Iterator[Finding]:
    """Read every page, for as long as the time allows; with `full` also every index and reference."""
    until = time.monotonic() + READ_S
    if not full:
        reading.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    try:
        verdict = reading.execute(f"PRAGMA {'integrity' if full else 'quick'}_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        yield Finding("database_large", values={"seconds": round(READ_S)})
        return
    finally:
        reading.set_progress_handler(None, 0)
    if verdict != "ok":
        yield Finding("database_damaged", wrong=True, values={"reason": " ".join(verdict.split())})
        return
    yield Finding("database")
    lost = {row[0] for row in reading.execute("PRAGMA foreign_key_check")} if full else set()
    if lost:
        yield Finding("database_orphans", wrong=True, values={"tables": ", ".join(sorted(lost))})


def _write_lock(file: Path) -> Iterator[Finding]:
    """Take the write lock, as whoever writes does first, and let it go again."""
    try:
        with closing(_connect(file, "rw")) as writing:
            writing.execute("BEGIN IMMEDIATE")
            writing.execute("ROLLBACK")
    except sqlite3.Error as error:
        if _is_locked(error):
            yield _locked(file)
        else:
            yield Finding("database_unwritable", wrong=True, values={"file": file, "reason": error})


def _connect(file: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{file.absolute().as_uri()}?mode={mode}", uri=True, timeout=LOCK_WAIT_S, isolation_level=None
    )


def _is_locked(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _locked(file: Path) -> Finding:
    by = ", ".join(f"{each.name} ({each.pid})" for each in users_of(file)) or "?"
    return Finding("database_locked", wrong=True, values={"file": file, "by": by})
