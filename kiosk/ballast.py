"""The ballast: disk space held back beside the journal, let go when the disk is full so that the door can go on."""

import logging
import os
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

BALLAST_BYTES = 4_000_000
"""A megabyte bought about 980 records on a full disk in a trial; a busy site makes 300 a day."""
SPARE_BYTES = 10 * BALLAST_BYTES
"""As much must be free before the ballast is laid again, or it would be laid and thrown in turn."""
_LEAST_FREE_BYTES = 1_000_000
_LEAST_FREE_FILES = 16


class Ballast:
    """A file that takes up space and an inode. Thread: any, one at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wanted = False

    @property
    def laid(self) -> bool:
        """Whether the space is held."""
        return self._path.exists()

    @property
    def missing(self) -> bool:
        """Whether the space should be held and is not: the disk is full or nearly so."""
        return self._wanted and not self.laid

    def lay(self) -> None:
        """Hold the space if there is plenty; what fails is left for another time."""
        self._wanted = True
        if self.laid:
            return
        making = self._path.with_suffix(".new")
        try:
            if _free(self._path.parent)[0] < SPARE_BYTES:
                return
            with making.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, BALLAST_BYTES)
            making.replace(self._path)
        except OSError as error:
            log.info("ballast not laid reason=%r", error.strerror)
            with suppress(OSError):
                making.unlink(missing_ok=True)

    def throw(self) -> bool:
        """Let the space go if the disk has none left, and say whether that may help a write that failed."""
        try:
            free_bytes, free_files = _free(self._path.parent)
            if free_bytes >= _LEAST_FREE_BYTES and free_files >= _LEAST_FREE_FILES:
                return False
            self._path.unlink()
        except OSError:
            return False
        log.error("disk full: ballast thrown free_bytes=%d free_files=%d", free_bytes, free_files)
        return True


def _free(folder: Path) -> tuple[int, float]:
    """Bytes and files that this user may still make; filesystems without a limit of files have infinitely many."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize, status.f_favail if status.f_files else float("inf")
