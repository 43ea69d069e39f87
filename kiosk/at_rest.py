"""A database on a disk that takes nothing, read as it lies there: SQLite wants to write beside one to read it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from kiosk.database import open_to_read
from kiosk.schema import Schema


@contextmanager
def at_rest(path: Path, schema: Schema, refused: sqlite3.Error) -> Iterator[Database]:
    """Yield a connection to a file that no log lies beside, so that the file is all there is; else raise `refused`.

    What was read counts only if it ends without an error. Raises: sqlite3.Error, OSError.
    """
    if _log_bytes(path):
        raise refused
    before = path.stat()
    db = open_to_read(path, schema, at_rest=True)
    try:
        yield db
    finally:
        db.close()
    # Without locks: whoever could write after all, the disk being well again, may have done so in the middle.
    if _log_bytes(path) or not _same(before, path.stat()):
        raise sqlite3.OperationalError("the file was written to while it was read")


def _log_bytes(path: Path) -> int:
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size
    except FileNotFoundError:
        return 0


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_ino, before.st_size, before.st_mtime_ns) == (after.st_ino, after.st_size, after.st_mtime_ns)
