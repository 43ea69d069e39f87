"""Whether a backup was made of late, where it lies, and whether it can be one as far as can be told without its key."""

import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from attendance.clock import local_time
from attendance.finding import Finding
from server.backup.make import backups_in, name_at, on_one_disk, read_recipients, sum_of
from server.config import ServerSettings
from server.doctor.database import sqlite_path
from server.doctor.folder import write_refused
from server.errors import BackupRefused

BACKUP_OLD_MS = 2 * 86_400_000
READ_S = 30.0
"""How long a large backup is read, unless all of it is wanted."""
_PIECE_BYTES = 1 << 20
_HEADER = re.compile(rb"age-encryption\.org/v1\n(-> [^\n]+\n([A-Za-z0-9+/]*\n)+)+--- [A-Za-z0-9+/]{43}\n")
_SUM = re.compile(r"[0-9a-f]{64}")
_HEADER_MOST_BYTES = 1 << 16
_NONCE_BYTES, _TAG_BYTES, _CHUNK_BYTES = 16, 16, (1 << 16) + 16
"""Header and payload of an age file. Source: age-encryption.org/v1, "Header" and "Payload"."""


def check_backups(settings: ServerSettings, now_ms: int, *, full: bool) -> Iterator[Finding]:
    """Look at the settings, the folder and the last backup in it. Raises: OSError."""
    if sqlite_path(settings) is None:
        yield Finding("backup_other")
        return
    if not settings.backup.folder or not settings.backup.recipients:
        yield Finding("backup_none", wrong=True)
        return
    try:
        read_recipients(settings.backup.recipients)
    except BackupRefused as error:
        yield Finding("backup_key_wrong", wrong=True, values={"reason": error.__cause__})
    yield from _folder(Path(settings.backup.folder), Path(settings.data_dir), now_ms, full=full)


def _folder(folder: Path, data_dir: Path, now_ms: int, *, full: bool) -> Iterator[Finding]:
    if not folder.exists():
        yield Finding("backup_missing", wrong=True, values={"folder": folder})
        return
    next(folder.iterdir(), None)  # where this is refused, backups_in finds none and says nothing
    # One made while the clock was ahead would be the last for as long as it was.
    made = [each for each in backups_in(folder) if each.name <= name_at(now_ms + BACKUP_OLD_MS)]
    refused = write_refused(folder)
    if refused is not None:
        reason = refused.strerror or refused
        yield Finding("backup_unwritable", wrong=True, values={"folder": folder, "reason": reason})
    elif made and shutil.disk_usage(folder).free < made[-1].stat().st_size:
        yield Finding("backup_no_room", wrong=True, values={"folder": folder})
    if made and on_one_disk(folder, data_dir):
        yield Finding("backup_same_disk", wrong=True, values={"folder": folder})
    if not made:
        yield Finding("backup_missing", wrong=True, values={"folder": folder})
        return
    if not _can_be_whole(made) or not _is_as_written(made[-1], full=full):
        yield Finding("backup_damaged", wrong=True, values={"file": made[-1]})
    at_ms = round(made[-1].stat().st_mtime * 1000)
    old = now_ms - at_ms > BACKUP_OLD_MS
    made_at = f"{local_time(at_ms):%Y-%m-%d %H:%M}"
    yield Finding("backup_old" if old else "backup", old, {"made": made_at})


def _can_be_whole(made: list[Path]) -> bool:
    """Say whether the last backup has the shape of one, and is not half of the one before."""
    last = made[-1]
    size_bytes = last.stat().st_size
    with last.open("rb") as file:
        header = _HEADER.match(file.read(_HEADER_MOST_BYTES))
        if header is None:
            return False
        file.seek(-1, os.SEEK_END)
        file.read(1)  # a disk that lost the end of what it was given refuses this
    payload_bytes = size_bytes - header.end() - _NONCE_BYTES
    in_last_chunk = payload_bytes % _CHUNK_BYTES
    if payload_bytes <= _TAG_BYTES or 0 < in_last_chunk <= _TAG_BYTES:
        return False
    return len(made) == 1 or 2 * size_bytes > made[-2].stat().st_size


def _is_as_written(backup: Path, *, full: bool) -> bool:
    """Compare a backup with the sum beside it, as far as the time allows. Raises: OSError."""
    beside = sum_of(backup)
    wanted = beside.read_text(encoding="ascii", errors="replace").partition(" ")[0] if beside.exists() else ""
    if not _SUM.fullmatch(wanted):
        return True  # copied here without it: its shape is all that can be judged
    until = time.monotonic() + READ_S
    digest = hashlib.sha256()
    with backup.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
            if not full and time.monotonic() > until:
                return True
    return digest.hexdigest() == wanted
