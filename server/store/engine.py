"""The store: one database, used through `read` and `write`; all that differs between SQLite and PostgreSQL is here.

One writer at a time, in whatever process: it holds the in-process lock and then, on SQLite, BEGIN IMMEDIATE, on
PostgreSQL an advisory lock. So what a writer has read stays true until it commits, and no transaction fails half way
because another began to write; readers go on beside it.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, make_url, text
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    InternalError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)

from server.errors import StoreError

BUSY_TIMEOUT_S = 5.0
_WRITE_WAIT_S = 30.0
_CONNECT_TIMEOUT_S = 10
_BEGIN = "tadaima_begin"
_WRITE_SQLITE: dict[str, Any] = {_BEGIN: "BEGIN IMMEDIATE"}
_WRITE_POSTGRESQL: dict[str, Any] = {"isolation_level": "READ COMMITTED"}  # else it saw the time before it was alone
_ALONE = text(
    "SELECT set_config('lock_timeout', :wait, true), set_config('idle_in_transaction_session_timeout', :wait, true),"
    " set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), true),"
    f" pg_advisory_xact_lock({0x7461646169})"  # any number nobody else uses in this database
)
"""Makes a transaction on PostgreSQL the one writer, or fails when another has been that for too long; of a machine that
went away in the midst of writing the server lets go after as long. A commit is on disk, whatever others there prefer.
"""
_UNDEFINED_TABLE = "42P01"  # PostgreSQL's name for it; SQLite says it in words
_NO_UNICODE = "names do not fit into it; make the database anew: createdb --template=template0 --encoding=UTF8 NAME"
_NOT_SET_UP = "the database is not set up; run tadaima-server init"
_MENDABLE = (OperationalError, DatabaseError, InternalError)


class Store:
    """A database in use; made by `open_store`, closed by its owner. Thread: any."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        self._writing = threading.Lock()
        self._watching = threading.Lock()
        self._watch: Connection | None = None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database throughout. Raises: StoreError."""
        with self._mended(), self._engine.connect() as plain:
            conn = plain if self._sqlite else plain.execution_options(isolation_level="REPEATABLE READ")
            with conn.begin():
                yield conn

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection whose work is committed as a whole, or not at all when the block raises.

        Blocks while another writes; never call it within itself. Raises: StoreError.
        """
        if not self._writing.acquire(timeout=_WRITE_WAIT_S):
            raise StoreError("the database is busy: another part of this process has been writing for too long")
        try:
            with self._mended(), self._engine.connect() as plain:
                conn = plain.execution_options(**(_WRITE_SQLITE if self._sqlite else _WRITE_POSTGRESQL))
                with conn.begin():
                    if not self._sqlite:
                        conn.execute(_ALONE, {"wait": f"{_WRITE_WAIT_S}s"})
                    yield conn
        finally:
            self._writing.release()

    def version(self) -> str:
        """Return a text that differs from the one before when there was a commit in between. Cheap.

        On PostgreSQL it may also differ when nothing was committed. Raises: StoreError.
        """
        with self._watching, self._mended():
            if not self._sqlite:
                with self._engine.connect() as conn, conn.begin():
                    return str(conn.execute(text("SELECT pg_current_snapshot()::text")).scalar_one())
            if self._watch is None:
                # data_version tells of changes by other connections, so this one is kept and never writes.
                self._watch = self._engine.connect()
            try:
                return str(_pragma(self._watch, "data_version"))
            except sqlite3.Error as error:  # raised past SQLAlchemy, which converts all others
                self._watch.invalidate()
                self._close_watch()
                raise StoreError(f"{_location(self._engine.url)}: {_advice(str(error))}") from error

    def require_unicode(self, conn: Connection) -> None:
        """Make sure that every name can be stored. Raises: StoreError."""
        if not self._sqlite and conn.execute(text("SHOW server_encoding")).scalar_one() != "UTF8":
            raise StoreError(f"{_location(self._engine.url)}: {_NO_UNICODE}")

    def close(self) -> None:
        """Close every connection; the store is not usable afterwards."""
        with self._watching:
            self._close_watch()
        self._engine.dispose()

    def _close_watch(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    @contextmanager
    def _mended(self) -> Iterator[None]:
        """Turn those errors that a person can mend into StoreError; mistakes in our own SQL stay as they are."""
        try:
            yield
        except ProgrammingError as error:
            if getattr(error.orig, "sqlstate", None) != _UNDEFINED_TABLE:
                raise
            raise StoreError(f"{_location(self._engine.url)}: {_NOT_SET_UP}") from error
        except _MENDABLE as error:
            if type(error) not in _MENDABLE:
                raise
            raise StoreError(f"{_location(self._engine.url)}: {_advice(str(error.orig))}") from error


def open_store(url: str, *, read_only: bool = False) -> Store:
    """Return the store at a database URL; nothing is read yet. Raises: StoreError for a URL nobody understands.

    `read_only` leaves an SQLite file as it is found, in whatever state; other databases take no notice.
    """
    try:
        parsed = _for_reading(make_url(url)) if read_only else make_url(url)
        engine = create_engine(parsed, connect_args=_connect_args(parsed))
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise StoreError(f"database_url is not usable: {error}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _leave_begin_to_us if read_only else _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return Store(engine)


@contextmanager
def using_store(url: str, *, read_only: bool = False) -> Iterator[Store]:
    """Give the store at a database URL, and close it after the block. Raises: StoreError."""
    store = open_store(url, read_only=read_only)
    try:
        yield store
    finally:
        store.close()


def sqlite_url(path: Path) -> str:
    """Return the database URL of an SQLite file."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def _for_reading(url: URL) -> URL:
    if url.get_backend_name() != "sqlite" or not url.database:
        return url
    return url.set(database=Path(url.database).absolute().as_uri(), query={"mode": "ro", "uri": "true"})


def _connect_args(url: URL) -> dict[str, Any]:
    match url.get_backend_name():
        case "sqlite":
            return {"timeout": BUSY_TIMEOUT_S}
        case "postgresql":
            usual = {"connect_timeout": _CONNECT_TIMEOUT_S, "client_encoding": "utf8"}
            return {name: value for name, value in usual.items() if name not in url.query}
        case _:
            return {}


def _leave_begin_to_us(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # the driver shall not begin transactions of its own


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    _leave_begin_to_us(connection, _)
    # Turning WAL on is the one statement for which SQLite does not wait by itself.
    until = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
            break
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
    connection.execute("PRAGMA synchronous = FULL").close()
    connection.execute("PRAGMA foreign_keys = ON").close()


def _begin_sqlite(conn: Connection) -> None:
    conn.exec_driver_sql(conn.get_execution_options().get(_BEGIN, "BEGIN"))


def _pragma(conn: Connection, name: str) -> object:
    """Return a pragma's value outside any transaction, which would freeze it."""
    driver: Any = conn.connection.driver_connection
    return driver.execute(f"PRAGMA {name}").fetchone()[0]


def _location(url: URL) -> str:
    return str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


def _advice(reason: str) -> str:
    """Return the reason in words that say what to do about it."""
    for sign, advice in _ADVICE.items():
        if sign in reason:
            return advice
    return f"the database cannot be used: {reason}"


_ADVICE = {
    "no such table": _NOT_SET_UP,
    "unable to open": "the database cannot be opened; run tadaima-server init, and look at its folder's rights",
    "lock timeout": "another process has been writing to it for too long; try again, and look what hangs",
    "locked": "another program has been writing to it for too long; try again, and close what holds it open",
    "readonly": "the database may only be read; run the command as the user who owns the file",
    "full": "the disk is full; make room and start again",
    "not a database": "the file is no database of ours; restore it from a backup, or choose another data_dir",
    "malformed": "the database is damaged; restore it from a backup",
}
