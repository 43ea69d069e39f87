"""One door process per kiosk: a lock that ends with the process, so that nothing is left over after a power cut."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_FILE = "door.lock"


@contextmanager
def door_lock(data_dir: Path) -> Iterator[bool]:
    """Hold the lock while the context lasts; yields False when another process holds it. Raises: OSError."""
    descriptor = os.open(data_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
