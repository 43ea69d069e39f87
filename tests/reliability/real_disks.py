"""Small real filesystems to fill, to make read-only and to cut off; only root may mount them."""

import errno
import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

EXT4_SHUTDOWN = 0x8004587D
"""ioctl EXT4_IOC_SHUTDOWN, `_IOR('X', 125, __u32)`. Source: the kernel's fs/ext4/ext4.h."""
NO_LOG_FLUSH = 2
"""Everything that is not on the disk is forgotten."""
IMAGE_BYTES = 6_000_000


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)


def fill(file: Path) -> None:
    """Write until nothing more fits."""
    with file.open("wb", buffering=0) as filler:
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            filler.writelines(repeat(bytes(4096)))
        os.fsync(filler.fileno())


class Ext4:
    """A filesystem of 6 MB in a file, mounted."""

    def __init__(self, scratch: Path) -> None:
        self.folder = scratch / "ext4"
        self._image = scratch / "image"

    def __enter__(self) -> Self:
        self.folder.mkdir()
        with self._image.open("wb") as image:
            image.truncate(IMAGE_BYTES)
        run("mkfs.ext4", "-q", self._image)
        self._mount()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        run("umount", "--lazy", self.folder)

    def cut_power(self) -> None:
        """Let everything fail from now on, and forget what was not synced."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def mount_again(self) -> None:
        """Bring the power back; no file may be open any more."""
        run("umount", self.folder)
        self._mount()

    def remount(self, mode: str) -> None:
        """Make it read-only ("ro") or writable ("rw"); no file may be open for writing."""
        run("mount", "-o", f"remount,{mode}", self.folder)

    def _mount(self) -> None:
        run("mount", "-o", "loop", self._image, self.folder)


@contextmanager
def tmpfs(folder: Path, *, files: int, size_mb: int = 4) -> Iterator[Path]:
    """A filesystem in memory that has room for so many files and folders."""
    folder.mkdir()
    run("mount", "-t", "tmpfs", "-o", f"size={size_mb}m,nr_inodes={files}", "tadaima", folder)
    try:
        yield folder
    finally:
        run("umount", "--lazy", folder)
