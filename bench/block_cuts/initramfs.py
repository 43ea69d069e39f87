"""Packs files of this machine as the kernel takes them for its first filesystem: a cpio archive of the kind "newc"."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

_ALIGNED_BYTES = 4
_TRAILER = "TRAILER!!!"
_FOLDER_MODE = stat.S_IFDIR | 0o755


def pack(files: Mapping[Path, Path]) -> bytes:
    """Return an archive of files by the absolute paths they get; links stay links. Raises: OSError.

    On a machine whose /lib is a link to /usr/lib, it is one there too.
    """
    roots = {root for root in map(Path, ("/lib", "/lib64")) if root.is_symlink()}
    sources = {**dict(files), **{root: root for root in roots}}
    folders = {folder for path in sources for folder in path.parents} - {Path("/")}
    parts: list[bytes] = []
    for number, path in enumerate(sorted(folders | sources.keys()), start=1):
        mode, at, content = (_FOLDER_MODE, 0, b"") if path in folders else _read(sources[path])
        parts += _member(str(path).lstrip("/"), number, mode, at, content)
    parts += _member(_TRAILER, 0, 0, 0, b"")
    return b"".join(parts)


def _read(path: Path) -> tuple[int, int, bytes]:
    status = path.lstat()
    content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
    return status.st_mode, int(status.st_mtime), content


def _member(name: str, number: int, mode: int, at: int, content: bytes) -> Iterator[bytes]:
    """One file; numbers are hexadecimal. Source: the kernel's Documentation/driver-api/early-userspace."""
    text = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, at, len(content), 0, 0, 0, 0, len(text), 0)
    head = b"070701" + "".join(f"{field:08x}" for field in fields).encode() + text
    for part in (head, content):
        yield part
        yield bytes(-len(part) % _ALIGNED_BYTES)
