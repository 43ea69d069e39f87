"""One door process per kiosk: a lock that ends with the process, so that nothing is left over after a power cut."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def door_lock(data_dir: Path) -> Iterator[bool]:
    """Hold the lock while the context lasts; yields False when another process holds it. Raises: OSError."""
    # Of the folder itself, opened to be read: a disk that is full, or may not be written, locks no door out.
    descriptor = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
