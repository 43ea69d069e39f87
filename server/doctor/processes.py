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
    return any(_is_same(descriptor, wanted) for descriptor in _descriptors(folder))


def _descriptors(folder: Path) -> list[Path]:
    try:
        return list((folder / "fd").iterdir())
    except OSError:
        return []  # the process is another user's, or gone


def _is_same(descriptor: Path, wanted: os.stat_result) -> bool:
    try:
        return os.path.samestat(descriptor.stat(), wanted)
    except OSError:
        return False  # closed meanwhile; the process may have the file open all the same


def _arguments(folder: Path) -> tuple[str, ...]:
    try:
        return tuple((folder / "cmdline").read_text(encoding="utf-8", errors="replace").split("\0")[:-1])
    except OSError:
        return ()
