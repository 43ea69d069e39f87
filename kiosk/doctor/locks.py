"""Who holds a lock on a file, as the kernel lists it: nothing is opened, so that no lock is taken or lost by asking."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from attendance.clock import NS_IN_S
from kiosk.database import inode

LOCKS = Path("/proc/locks")
WHOLE_FILE = "FLOCK"
"""What flock(2) leaves in the list; SQLite's locks are of another kind."""
_LOOKS = 4
"""The kernel hands a long list over in pieces, and leaves lines out when others lock and unlock in between."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that shuts all others out; `first` and `last` are bytes of the file."""

    kind: str
    process: int
    first: int
    last: int | None

    def covers(self, byte: int) -> bool:
        """Say whether the lock holds a byte."""
        return self.first <= byte and (self.last is None or byte <= self.last)

    @property
    def program(self) -> str:
        """The name of the program that holds it, with its number."""
        try:
            return f"{Path(f'/proc/{self.process}/comm').read_text(encoding='utf-8').strip()} ({self.process})"
        except (OSError, UnicodeDecodeError):
            return str(self.process)

    def has_open_removed(self, path: Path) -> bool:
        """Say whether its process writes to a file at a path that was removed, moved or replaced meanwhile."""
        there, name = inode(path), os.path.realpath(path)
        for link in Path(f"/proc/{self.process}/fd").glob("*"):
            try:
                opened, named = link.stat(), str(link.readlink())
            except OSError:
                continue  # closed meanwhile
            if named.removesuffix(" (deleted)") == name and (opened.st_dev, opened.st_ino) != there:
                return True
        return False

    @property
    def began_boot_ns(self) -> int:
        """When its process began, on CLOCK_BOOTTIME; 0 when it cannot be known."""
        try:
            # After the name, which may hold anything. Source: proc_pid_stat(5), field 22.
            fields = Path(f"/proc/{self.process}/stat").read_bytes().rpartition(b")")[2].split()
            return int(fields[19]) * NS_IN_S // os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, IndexError):
            return 0


def write_locks(path: Path, listed: Path = LOCKS) -> list[Lock]:
    """Return the locks that shut others out of a file; none when it cannot be known."""
    try:
        file = path.stat()
        for _ in range(_LOOKS):
            lines = listed.read_text(encoding="ascii", errors="replace").splitlines()
            if found := list(_parsed(lines, file)):
                return found
    except OSError:
        pass
    return []


def _parsed(lines: list[str], file: os.stat_result) -> Iterator[Lock]:
    for line in lines:
        # Those that wait have an arrow after the number. Source: proc_locks(5).
        match line.split():
            case [_, kind, _, "WRITE", process, place, first, last] if _is_of(place, file):
                yield Lock(kind, int(process), int(first), None if last == "EOF" else int(last))
            case _:
                pass


def _is_of(place: str, file: os.stat_result) -> bool:
    """Say whether a place in the list, MAJOR:MINOR:NUMBER, is a file."""
    major, minor, number = place.split(":")
    if int(number) != file.st_ino:
        return False
    # A stacked filesystem has no device of its own, and may tell another than the kernel lists.
    device = os.major(file.st_dev), os.minor(file.st_dev)
    return device[0] == 0 or device == (int(major, 16), int(minor, 16))
