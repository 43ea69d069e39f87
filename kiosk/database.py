"""How a kiosk opens its SQLite files: pragmas on every connection, migrations, and what becomes of a damaged file.

Raises sqlite3.Error and OSError as they come; journal and cache turn them into errors of their own.
"""

import logging
import os
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database

from kiosk.newer_tables import bring_back
from kiosk.private_files import make_private_folder, sync_folder
from kiosk.schema import Schema

log = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 5.0
"""How long a write waits for another process before it fails."""
_ASIDE = re.compile(r"\.damaged-(\d{8}T\d{6}Z)(?:-(\d+))?$")
"""How a damaged file is named; what belongs to it has a longer name."""
_COMPANIONS = ("", "-wal", "-shm")
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Unmade(sqlite3.OperationalError):
    """The process that owns the file has not made its tables yet."""


class ForeignFile(sqlite3.DatabaseError):
    """The file belongs to another program, or to a newer version of this one; it is left alone."""


class NewerFile(ForeignFile):
    """The file is ours, of a version that this program does not know."""


class Damaged(sqlite3.DatabaseError):
    """SQLite's own check found the file damaged."""


def is_damage(error: BaseException) -> bool:
    """Say whether an error means that the file is spoilt, and not a full disk or another process in the way."""
    return isinstance(error, Damaged) or getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE


def inode(path: Path) -> tuple[int, int] | None:
    """Return which file is at a path, or None for none: an open connection stays with a file that was moved away."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def open_database(
    path: Path,
    schema: Schema,
    *,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
    on_damage: Callable[[], None] = lambda: None,
) -> Database:
    """Return a connection that may write: checked, pragmas set, tables up to date; `on_damage` may move the file away.

    Raises: Damaged, ForeignFile, sqlite3.Error, OSError. Thread: any, one at a time.
    """
    make_private_folder(path.parent)
    _finish_setting_aside(path)
    db = _connect(path, "rwc", busy_timeout_s)
    try:
        _check(db)
        _recognise(db, schema)
        _set_pragmas(db, schema, busy_timeout_s)
        _rewrite_log(db, path)
        _migrate(db, schema)
        db.execute("PRAGMA foreign_keys=ON")  # tables that are made anew refer to none meanwhile
        # SQLite does this for its log, but goes on when it fails.
        sync_folder(path.parent)
    except BaseException as error:
        # Before closing: SQLite removes the log when it closes, and a damaged file is to be kept whole.
        try:
            if is_damage(error):
                on_damage()
        finally:
            db.close()
        raise
    return db


def open_to_read(
    path: Path, schema: Schema, *, busy_timeout_s: float = BUSY_TIMEOUT_S, at_rest: bool = False
) -> Database:
    """Return a connection that cannot write, not even by closing; `at_rest`, one that needs no other file beside it.

    A writer's connection to a file that was replaced would remove the log of the new one as it closes.
    Raises: ForeignFile, sqlite3.Error, OSError.
    """
    db = _connect(path, "ro&immutable=1" if at_rest else "ro", busy_timeout_s)
    try:
        _recognise(db, schema)
        _expect_tables(db, schema)
    except BaseException:
        db.close()
        raise
    return db


def empty_database(schema: Schema) -> Database:
    """Return the tables with nothing in them, in memory."""
    db = Database(sqlite3.connect(":memory:", check_same_thread=False), execute_plugins=False)
    _migrate(db, schema)
    return db


def _connect(path: Path, mode: str, busy_timeout_s: float) -> Database:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=busy_timeout_s, check_same_thread=False)
    # The plugins of sqlite-utils are other people's code: not inside the kiosk.
    return Database(connection, execute_plugins=False)


def _check(db: Database) -> None:
    verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise Damaged(verdict)


def _set_pragmas(db: Database, schema: Schema, busy_timeout_s: float) -> None:
    mode = _turn_on_wal(db, busy_timeout_s)
    if mode != "wal":
        raise sqlite3.NotSupportedError(f"no write-ahead log on this filesystem, only {mode}")
    db.execute(f"PRAGMA synchronous={schema.synchronous}")


def _turn_on_wal(db: Database, busy_timeout_s: float) -> str:
    """Return the journal mode after asking for WAL; for this statement alone SQLite does not wait by itself."""
    until_s = time.monotonic() + busy_timeout_s
    while True:
        try:
            return str(db.execute("PRAGMA journal_mode=WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until_s:
                raise
            time.sleep(0.005)


def _rewrite_log(db: Database, path: Path) -> None:
    """Write the write-ahead log once more, as it is.

    After a sync that failed Linux takes for clean what never reached the disk: it can be read, and no later sync brings
    it. A process that begins finds such entries in the log, and what it wrote after them would be lost with them.
    """
    db.execute("BEGIN IMMEDIATE")  # nobody else writes to the log meanwhile
    try:
        with path.with_name(f"{path.name}-wal").open("r+b") as log:
            content = log.read()
            log.seek(0)
            log.write(content)
            log.flush()
            os.fsync(log.fileno())
    finally:
        db.rollback()


def _recognise(db: Database, schema: Schema) -> None:
    """Return for a file of ours and for an empty one; nothing was written to it so far."""
    application_id, version, tables = _identity(db)
    if application_id != schema.application_id:
        if (application_id, tables) != (0, 0):
            raise ForeignFile("the file belongs to another program")
    elif version > schema.version and schema.disposable is None:
        raise NewerFile(f"the file is of version {version}, newer than {schema.version}")


def _expect_tables(db: Database, schema: Schema) -> None:
    application_id, version, _ = _identity(db)
    if (application_id, version) == (0, 0):
        raise Unmade("the tables are not made yet")
    oldest = schema.version if schema.disposable is None else schema.disposable.read_from
    if application_id != schema.application_id or version < oldest:
        raise sqlite3.OperationalError(
            f"the tables are of version {version}; their writer has not brought them up to date"
        )


def _migrate(db: Database, schema: Schema) -> None:
    application_id, version, _ = _identity(db)
    if (application_id, version) == (schema.application_id, schema.version):
        return
    # One process migrates, the others wait; reading first would fail them in spite of the busy timeout.
    db.execute("BEGIN IMMEDIATE")
    try:
        if schema.disposable is not None and version > schema.version:
            bring_back(db, schema, schema.disposable)
            log.warning("database brought back from=%d to=%d", version, schema.version)
        else:
            schema.migrations.apply(db)
        db.execute(f"PRAGMA application_id={schema.application_id}")
        db.execute(f"PRAGMA user_version={schema.version}")
        db.execute("COMMIT")
    except BaseException:
        db.rollback()
        raise


def _identity(db: Database) -> tuple[int, int, int]:
    """Return application id, version and number of tables, all of one instant: another may be making them."""
    db.execute("BEGIN")
    try:
        return (
            db.execute("PRAGMA application_id").fetchone()[0],
            db.execute("PRAGMA user_version").fetchone()[0],
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0],
        )
    finally:
        db.rollback()


def _finish_setting_aside(path: Path) -> None:
    """Let the log follow a damaged file that was set aside as the power went; SQLite would remove it."""
    log_left = path.with_name(f"{path.name}-wal")
    if not log_left.exists() or path.exists():
        return
    logs = [each.with_name(f"{each.name}-wal") for each in asides_of(path)]
    lacking = [each for each in logs if not each.exists()]
    if lacking:
        log_left.rename(lacking[-1])
        sync_folder(path.parent)


def asides_of(path: Path) -> list[Path]:
    """Return the damaged files set aside at a path, oldest first."""
    return [path.with_name(name) for _, name in sorted(_asides(path))]


def _asides(path: Path) -> list[tuple[tuple[str, int], str]]:
    """The files set aside, each with what orders it."""
    found = ((_ASIDE.search(each.name), each.name) for each in path.parent.glob(f"{path.name}.damaged-*"))
    return [((match[1], int(match[2] or 1)), name) for match, name in found if match]


def set_aside(path: Path, at_ms: int) -> Path:
    """Rename a damaged file with all that belongs to it, for whoever can repair it, and return where to.

    Its name comes after those set aside before, also when the clock went back: their order is that of sessions.
    """
    stamp = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    (last, number), _ = max(_asides(path), default=(("", 0), ""))
    place = (stamp, 1) if stamp > last else (last, number + 1)
    aside = path.with_name(f"{path.name}.damaged-{place[0]}" + (f"-{place[1]}" if place[1] > 1 else ""))
    for companion in _COMPANIONS:
        part = path.with_name(path.name + companion)
        if part.exists():
            part.rename(aside.with_name(aside.name + companion))
            # In this order, also on the disk: a log whose file has gone is known, and follows it at the next opening.
            with suppress(OSError):
                sync_folder(path.parent)
    log.error("database set aside file=%s as=%s", path.name, aside.name)
    return aside
