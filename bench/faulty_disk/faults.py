"""What a faulty disk can be told, and what it does to the operations that follow."""

import errno
import fnmatch
from dataclasses import dataclass, field
from typing import Literal

import msgspec

Kind = Literal["open", "make", "write", "resize", "rename", "remove", "sync", "sync_folder"]
"""What can fail; folders count as made, renamed and removed too."""
CHANGES: tuple[Kind, ...] = ("make", "write", "resize", "rename", "remove")
SYNCS: tuple[Kind, ...] = ("sync", "sync_folder")


class Fail(msgspec.Struct, frozen=True, tag=True):
    """Let operations of some kinds fail from now on."""

    kinds: tuple[Kind, ...]
    error: int
    """An errno."""
    names: str = "*"
    """Of files of such a name only."""
    after: int = 0
    """So many go well before."""
    times: int | None = None
    """So many fail, and the disk is well again; None for all."""
    drops: bool = False
    """A sync that fails takes back what was written, as if its pages were read from the disk again."""


class Hold(msgspec.Struct, frozen=True, tag=True):
    """Let no more fit on the disk than so much; None for all there is."""

    size_bytes: int | None = None
    files: int | None = None


class Heal(msgspec.Struct, frozen=True, tag=True):
    """Be well again."""


class Record(msgspec.Struct, frozen=True, tag=True):
    """Write all operations so far to a file on another disk."""

    to: str


Command = Fail | Hold | Heal | Record


@dataclass
class _Left:
    fault: Fail
    after: int
    times: int | None


@dataclass
class Faults:
    """Which operations fail now."""

    hold: Hold = field(default_factory=Hold)
    _left: list[_Left] = field(default_factory=list)

    def add(self, fault: Fail) -> None:
        """Arm a fault beside those there are."""
        self._left.append(_Left(fault, fault.after, fault.times))

    def heal(self) -> None:
        """Disarm all."""
        self.hold = Hold()
        self._left = []

    def trip(self, kind: Kind, name: str) -> Fail | None:
        """Return the fault that an operation runs into; counts it."""
        for left in self._left:
            if kind not in left.fault.kinds or not fnmatch.fnmatchcase(name, left.fault.names):
                continue
            if left.after:
                left.after -= 1
            elif left.times != 0:
                if left.times is not None:
                    left.times -= 1
                return left.fault
        return None

    def check(self, kind: Kind, name: str) -> None:
        """Raise the OSError of the fault that an operation runs into, if there is one."""
        fault = self.trip(kind, name)
        if fault is not None:
            raise OSError(fault.error, "told to fail")

    def check_room(self, size_bytes: int, files: int) -> None:
        """Raise OSError unless so much fits on the disk."""
        hold = self.hold
        if (hold.size_bytes is not None and size_bytes > hold.size_bytes) or (
            hold.files is not None and files > hold.files
        ):
            raise OSError(errno.ENOSPC, "no room left")
