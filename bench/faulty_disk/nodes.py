"""The files and folders of a faulty disk, as programs see them."""

import stat
from dataclasses import dataclass, field
from pathlib import PurePosixPath

ACKNOWLEDGED = "acknowledged"
"""The name of the file that never fails: what was promised is written there, in order with all else."""
BLOCK_BYTES = 4096
_UNRECORDED = "-shm"
"""How a file ends that SQLite makes anew after a crash and maps into memory, where nobody sees the writes."""


@dataclass
class Node:
    """A file or a folder."""

    number: int
    path: str
    """Where it is, or was when it was removed."""
    mode: int
    names: int = 1
    content: bytearray = field(default_factory=bytearray)
    _unsynced: list[tuple[int, bytes, int]] = field(default_factory=list)
    """Of each change since the last sync where it was, what had been there, and the size before."""

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    @property
    def is_recorded(self) -> bool:
        return not self.path.endswith(_UNRECORDED)

    @property
    def can_fail(self) -> bool:
        return self.is_recorded and self.name != ACKNOWLEDGED

    @property
    def held_bytes(self) -> int:
        """What it takes of the disk."""
        return -(-len(self.content) // BLOCK_BYTES) * BLOCK_BYTES

    def write(self, offset: int, data: bytes) -> None:
        """Put data at a place; a gap before it is filled."""
        self._unsynced.append((offset, bytes(self.content[offset : offset + len(data)]), len(self.content)))
        self.content.extend(bytes(max(0, offset - len(self.content))))
        self.content[offset : offset + len(data)] = data

    def resize(self, size: int) -> None:
        """Cut it off, or fill it up."""
        self._unsynced.append((size, bytes(self.content[size:]), len(self.content)))
        del self.content[size:]
        self.content.extend(bytes(size - len(self.content)))

    def settle(self) -> None:
        """Take what there is for synced."""
        self._unsynced.clear()

    def take_back(self) -> None:
        """Be as at the last sync."""
        for offset, was, size in reversed(self._unsynced):
            self.content[offset : offset + len(was)] = was
            del self.content[size:]
        self._unsynced.clear()
