"""Brings the power back: mounts what a cut left, as the kernel does, and opens it by the kiosk's own code."""

import ctypes
import os
import sqlite3
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from attendance.clock import ManualClock
from attendance.records import JournalLine
from bench.block_cuts.marks import FILESYSTEM_BYTES
from bench.block_cuts.promised import Left
from bench.block_cuts.workload import BOOT, CACHE_FILE, DATA, JOURNAL_FILE, kiosk_of, open_journal
from kiosk.database import asides_of, open_database
from kiosk.errors import CacheError, JournalError, NotEnrolled
from kiosk.identity import coming_key, is_enrolled, load_identity, load_key
from kiosk.journal_reader import JournalReader
from kiosk.roster_cache import RosterCache
from kiosk.schema import CACHE

_CLONE_NEWNS = 0x20000
_MS_REC_PRIVATE = 0x44000
_libc = ctypes.CDLL(None, use_errno=True)


class Broken(Exception):
    """Something is there and cannot be used."""


def mount_alone() -> None:
    """Let what this process mounts be seen by itself and its children alone. Raises: OSError.

    Else whoever makes a namespace meanwhile takes a mount with it: there it would live on, and so would the loop
    device, which the next mount of that image would get, with what was read of it before.
    """
    if _libc.unshare(_CLONE_NEWNS) or _libc.mount(None, b"/", None, _MS_REC_PRIVATE, None):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def recover(content: bytes, scratch: Path, told: Iterable[str]) -> Left:
    """Return what is left on a disk; the cache is asked about some sessions. Raises: Broken.

    For a process that called `mount_alone`.
    """
    with _mounted(content, scratch) as folder:
        return look(folder, told)


def look(folder: Path, told: Iterable[str]) -> Left:
    """Return what is left in the folder that a disk is mounted at. Raises: Broken."""
    data = folder / DATA
    try:
        # The kiosk would quietly begin a damaged cache anew.
        open_database(data / CACHE_FILE, CACHE).close()
        with closing(RosterCache.open(data / CACHE_FILE, boot=BOOT)) as cache:
            cache.sealed_names()
            roster = cache.versions()[0], len(cache.marks())
            acknowledged = {session: cache.told(session) for session in told}
        return Left(_sessions(data), _kiosk(data), acknowledged, roster)
    except (CacheError, JournalError, NotEnrolled, sqlite3.Error, OSError) as error:
        raise Broken(f"{type(error).__name__}: {error}") from error


@contextmanager
def _mounted(content: bytes, scratch: Path) -> Iterator[Path]:
    """Mount a disk; the kernel brings the filesystem in order by its journal."""
    image, folder = scratch / "image", scratch / "mounted"
    image.write_bytes(content[:FILESYSTEM_BYTES])  # a new file each time, known to no loop device
    folder.mkdir(exist_ok=True)
    try:
        _run("mount", "-t", "ext4", "-o", "loop", image, folder)
    except subprocess.CalledProcessError as error:
        image.unlink()
        raise Broken(f"no filesystem: {error.stderr!r}") from error
    try:
        yield folder
    finally:
        _run("umount", folder)
        image.unlink()


def _sessions(data: Path) -> dict[str, list[JournalLine]]:
    path = data / JOURNAL_FILE
    with (
        closing(open_journal(data, ManualClock(datetime(2026, 10, 1, tzinfo=UTC)))) as journal,
        closing(JournalReader(path)) as reader,
    ):
        if journal.problem is not None or asides_of(path):
            raise Broken(f"journal: {journal.problem or 'set aside'}")
        reader.verify()
        return {
            head.session: reader.read(head.session, 0, -1) for head in reader.heads() if head.session != journal.session
        }


def _kiosk(data: Path) -> str | None:
    """Return whom the machine is enrolled as, with the key of that kiosk; if it is not, it can be."""
    if not is_enrolled(data):
        coming_key(data)
        return None
    kiosk = load_identity(data).kiosk
    if kiosk != kiosk_of(load_key(data).public_key()):
        raise Broken(f"{kiosk} with the key of another")
    return kiosk


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
