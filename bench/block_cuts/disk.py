"""What a disk holds after a power cut: what it was told to flush, and any of the rest. Pure.

A write that was done while a flush ran is taken for flushed. It may not be, but nobody can count on it: the kernel
waits for what a flush is to cover before it asks for it.
"""

import random
from enum import StrEnum

from bench.block_cuts.block_log import SECTOR_BYTES, Entry


class Loss(StrEnum):
    """What became of that which was not flushed."""

    LOST = "lost"
    TORN = "torn"
    """Each sector by itself holds anything it was given since it was last flushed, or what it held then."""
    KEPT = "kept"


class Disk:
    """Follows a log entry by entry; between two of them it can be asked what a power cut would leave."""

    def __init__(self, content: bytes) -> None:
        self._safe = bytearray(content)
        self._waiting: dict[int, list[bytes]] = {}
        """What sectors were given since they were last flushed, oldest first."""

    def apply(self, entry: Entry) -> None:
        """Do the next entry of the log. Raises: ValueError when it lies beyond the end."""
        if entry.flush:
            for sector, given in self._waiting.items():
                _put(self._safe, sector, given[-1])
            self._waiting.clear()
        if entry.sector * SECTOR_BYTES + len(entry.data) > len(self._safe):
            raise ValueError(f"sector {entry.sector} lies beyond the end")
        for offset in range(0, len(entry.data), SECTOR_BYTES):
            sector, data = entry.sector + offset // SECTOR_BYTES, entry.data[offset : offset + SECTOR_BYTES]
            if entry.fua:
                self._waiting.pop(sector, None)
                _put(self._safe, sector, data)
            else:
                self._waiting.setdefault(sector, []).append(data)

    def after(self, loss: Loss, chance: random.Random) -> bytes:
        """What is left when the power goes now."""
        left = bytearray(self._safe)
        for sector, given in self._waiting.items():
            if loss is Loss.KEPT:
                _put(left, sector, given[-1])
            elif loss is Loss.TORN and chance.random() < 0.5:
                _put(left, sector, chance.choice(given))
        return bytes(left)


def _put(content: bytearray, sector: int, data: bytes) -> None:
    content[sector * SECTOR_BYTES : (sector + 1) * SECTOR_BYTES] = data
