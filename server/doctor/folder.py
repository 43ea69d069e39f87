"""Whether the data folder can take what the server writes, and whether the secrets in it are whole and secret."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from attendance.finding import Finding
from server.config import ServerSettings
from server.errors import StoreError
from server.keys import KEY_BYTES, load_secrets

FREE_MIN_MB = 1000
FILES_MIN = 1000
_MB = 1_000_000
_PROBE_BYTES = 4096
_CODES = {errno.ENOENT: "folder_missing", errno.EROFS: "folder_read_only"}


def check_folder(settings: ServerSettings) -> Iterator[Finding]:
    """Write a file without a name, which leaves nothing behind, and look what room there is. Raises: OSError."""
    folder = Path(settings.data_dir)
    refused = write_refused(folder)
    if refused is None:
        yield Finding("folder", values={"folder": folder})
    else:
        code = _CODES.get(refused.errno or 0, "folder_unwritable")
        yield Finding(code, wrong=True, values={"folder": folder, "reason": refused.strerror or refused})
    if not folder.is_dir():
        return
    free_mb = shutil.disk_usage(folder).free // _MB
    yield Finding("disk_full" if free_mb < FREE_MIN_MB else "disk", free_mb < FREE_MIN_MB, {"free_mb": free_mb})
    room = os.statvfs(folder)
    if room.f_files and room.f_favail < FILES_MIN:  # filesystems that make inodes as they need them count none
        yield Finding("disk_no_files", wrong=True, values={"free": room.f_favail, "folder": folder})


def write_refused(folder: Path) -> OSError | None:
    """Return why a folder takes no file, None when it does; the file has no name and is gone at once."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(_PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return error
    return None


def check_secrets(settings: ServerSettings) -> Iterator[Finding]:
    """Read the secrets, and look who else can. Raises: OSError."""
    folder = Path(settings.data_dir)
    keys = sorted((folder / "secrets").glob("*.key"))
    try:
        load_secrets(folder)
    except StoreError as error:
        match error.__cause__:
            case FileNotFoundError(filename=file):
                yield Finding("secrets_missing", wrong=True, values={"file": file})
            case OSError(filename=file, strerror=reason):
                yield Finding("secrets_unreadable", wrong=True, values={"file": file, "reason": reason})
            case _:
                damaged = [str(each) for each in keys if each.stat().st_size != KEY_BYTES]
                yield Finding("secrets_damaged", wrong=True, values={"files": ", ".join(damaged)})
        return
    readable = [each.name for each in keys if each.stat().st_mode & 0o077]
    if readable:
        yield Finding("secrets_open", wrong=True, values={"files": ", ".join(readable)})
    else:
        yield Finding("secrets")
