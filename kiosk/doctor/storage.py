"""What the doctor finds of the disk below the records: whether it takes and keeps a file, and what room is left."""

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from attendance.finding import Finding
from kiosk.ballast import BALLAST_BYTES
from kiosk.config import KioskSettings
from kiosk.journal import BALLAST_FILE
from kiosk.private_files import sync_folder

FREE_MIN_MB = 200
FREE_MIN_FILES = 1000
_MB = 1_000_000
_CODES = {
    errno.ENOENT: "folder_missing",
    errno.ENOTDIR: "folder_missing",
    errno.EACCES: "folder_denied",
    errno.EPERM: "folder_denied",
    errno.EROFS: "folder_readonly",
    errno.ENOSPC: "disk_no_room",
    errno.EDQUOT: "disk_no_room",
}


def check_storage(settings: KioskSettings) -> Iterator[Finding]:
    """Yield what is wrong with the folder of records and its disk; writes a probe file and removes it."""
    probed = _probe(settings.data_dir)
    try:
        room = _room(os.statvfs(settings.data_dir))
    except OSError:
        yield probed
        return
    # What is full is said by how much is left, unless there is plenty: a quota is reached.
    if not (probed.code == "disk_no_room" and room.wrong):
        yield probed
    yield room


def check_ballast(settings: KioskSettings) -> Iterator[Finding]:
    """Yield what is wrong with the space held back for the day on which the disk is full, once there is a journal."""
    path = settings.data_dir / BALLAST_FILE
    try:
        settings.journal_path.stat()
        held = path.stat() if path.exists() else None
    except OSError:
        return  # the findings of disk and journal say it
    if held is None:
        yield Finding("ballast_gone", wrong=True)
    elif min(held.st_size, held.st_blocks * 512) < BALLAST_BYTES:
        yield Finding("ballast_short", wrong=True, values={"file": path})


def _probe(folder: Path) -> Finding:
    """Try all that an entry of the journal needs: a file, its content on the disk, and its name there too."""
    probe = folder / f".probe-{uuid.uuid4().hex}"
    try:
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, b"tadaima")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
            with suppress(OSError):
                probe.unlink()
        sync_folder(folder)
    except OSError as error:
        code = _CODES.get(error.errno or 0, "disk_failing")
        return Finding(code, wrong=True, values={"folder": folder, "reason": error.strerror or error})
    return Finding("folder", values={"folder": folder})


def _room(status: os.statvfs_result) -> Finding:
    free_mb = status.f_bavail * status.f_frsize // _MB
    if status.f_files and status.f_favail < max(1, min(FREE_MIN_FILES, status.f_files // 10)):
        return Finding("files_full", wrong=True, values={"files": status.f_favail})
    return Finding("disk_full" if free_mb < FREE_MIN_MB else "disk", free_mb < FREE_MIN_MB, {"free_mb": free_mb})
