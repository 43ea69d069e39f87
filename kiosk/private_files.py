"""Files for the kiosk's own user alone, written so that a power cut leaves the old or the new, never a torn one."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def make_private_folder(folder: Path) -> None:
    """Create a folder for its owner alone, and those above it, durably; leave one that exists. Raises: OSError."""
    _make_folder(folder, 0o700)


def write_private(path: Path, content: bytes) -> None:
    """Put content in a file's place, mode 0600, durably. Raises: OSError.

    The file is given to the owner of its folder, so that root can enrol for the user the service runs as.
    """
    making = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if os.geteuid() == 0:
                folder = path.parent.stat()
                os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        making.replace(path)
    except BaseException:
        making.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was made, renamed or removed in a folder durable. Raises: OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: Path, mode: int = 0o777) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode, exist_ok=True)
    try:
        sync_folder(folder.parent)
    except OSError:
        # Whoever tries again must not take it for one that lasts.
        with suppress(OSError):
            folder.rmdir()
        raise
