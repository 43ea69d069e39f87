"""What the doctor finds of the journal's file: whether it is ours, whole, and free to be written."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from attendance.finding import Finding
from kiosk.beside import Known, reading
from kiosk.config import KioskSettings
from kiosk.database import ForeignFile, NewerFile, is_damage
from kiosk.doctor.locks import Lock, write_locks
from kiosk.doctor.processes import door_lock_held
from kiosk.errors import JournalError

_WRITE_LOCK = 120
"""The byte of the -shm file that whoever writes has locked. Source: sqlite.org/walformat.html, 2.3."""
_COMMIT_S = 1.5
"""A lock that is held for so long is no entry that is being written."""
_LOOKS = 6
_MB = 1_000_000
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def check_record(settings: KioskSettings, known: Known) -> Iterator[Finding]:
    """Yield how the journal's file is; reads all of it, which keeps nobody from writing."""
    path, door = settings.journal_path, door_lock_held(settings.data_dir)
    if not path.exists():
        gone = door is not None or bool(known.told)
        yield Finding("journal_gone", wrong=True, values={"file": path.name}) if gone else Finding("journal_none")
        return
    held = _held(path)
    if held is not None:
        yield Finding("journal_locked", wrong=True, values={"program": held.program})
    log = path.with_name(f"{path.name}-wal")
    if door is not None and (not log.exists() or door.has_open_removed(log)):
        yield Finding("journal_log_gone", wrong=True, values={"file": log.name})
    try:
        with reading(settings) as reader:
            entries = reader.verify()
    except JournalError as error:
        if held is None or not _is_busy(error.__cause__):
            yield _explained(error)
    else:
        yield Finding("journal", values={"entries": entries, "size_mb": round(path.stat().st_size / _MB, 1)})


def _held(path: Path) -> Lock | None:
    """The lock of a program that keeps all others from writing, and not only for the time of an entry."""
    for look in range(_LOOKS):
        if look:
            time.sleep(_COMMIT_S / (_LOOKS - 1))
        held = _write_lock(path)
        if held is None:
            return None
    return held


def _write_lock(path: Path) -> Lock | None:
    in_log = [lock for lock in write_locks(path.with_name(f"{path.name}-shm")) if lock.covers(_WRITE_LOCK)]
    return next(iter([*in_log, *write_locks(path)]), None)


def _explained(error: JournalError) -> Finding:
    cause = error.__cause__
    values: dict[str, object] = {"reason": error.reason}
    if isinstance(cause, NewerFile):
        return Finding("journal_newer", wrong=True, values=values)
    if isinstance(cause, ForeignFile):
        return Finding("journal_foreign", wrong=True, values=values)
    if _is_busy(cause):
        return Finding("journal_locked", wrong=True, values={"program": "?"})
    if isinstance(cause, sqlite3.Error | OSError) and not is_damage(cause):
        return Finding("journal_unreadable", wrong=True, values=values)
    return Finding("journal_damaged", wrong=True, values=values)


def _is_busy(cause: BaseException | None) -> bool:
    return getattr(cause, "sqlite_errorcode", 0) & 0xFF in _BUSY
