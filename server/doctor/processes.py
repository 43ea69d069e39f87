"""Which processes of this machine use a file, as far as this user may know (/proc)."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """A process, and how it was started."""

    pid: int
    arguments: tuple[str, ...]

    @property
    def name(self) -> str:
        """The command that a person would know it by: a script's name rather than its interpreter's."""
        first, second = (*(Path(each).name for each in self.arguments[:2]), "")[:2]
        return second if first.startswith("python") and second and not second.startswith("-") else first


def users_of(file: Path) -> Iterator[Process]:
    """Yield the other processes that have a file open."""
    try:
        wanted = file.stat()
    except OSError:
        return
    for folder in _PROC.glob("[0-9]*"):
        pid = int(folder.name)
        if pid != os.getpid() and _has_open(folder, wanted):
            arguments = _arguments(folder)
            if arguments:
                yield Process(pid, arguments)


def _has_open(folder: Path, wanted: os.stat_result) -> bool:
    try:
        for descriptor in (folder / "fd").iterdir():
            seen = descriptor.stat()
            if (seen.st_dev, seen.st_ino) == (wanted.st_dev, wanted.st_ino):
                return True
    except OSError:
        return False  # it is another user's, or gone
    return False


def _arguments(folder: Path) -> tuple[str, ...]:
    try:
        return tuple((folder / "cmdline").read_text(encoding="utf-8", errors="replace").split("\0")[:-1])
    except OSError:
        return ()
