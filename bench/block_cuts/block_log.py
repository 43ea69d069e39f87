"""Reads the log of a block device that QEMU's blklogwrites keeps, in the format of the kernel's dm-log-writes. Pure.

An entry is logged once it is done and before the guest hears of it: what the guest did after a flush had been answered
comes after that flush in the log.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

SECTOR_BYTES = 512
_MAGIC, _VERSION = 0x6A736677736872, 1
_HEAD = struct.Struct("<QQQI")
"""Magic, version, number of entries, bytes of a sector."""
_ENTRY = struct.Struct("<QQQQ")
"""Sector, number of sectors, flags, bytes of text; then comes the data. Each begins a sector of the log."""
_FLUSH, _FUA = 1, 2


class Entry(NamedTuple):
    """One thing the device was asked."""

    sector: int
    data: bytes
    flush: bool
    """What was done before it is safe from now on."""
    fua: bool
    """Its own data is safe from now on."""


def read_log(log: bytes) -> list[Entry]:
    """Return the entries up to the last flush at least. Raises: ValueError for what is not such a log."""
    if len(log) < _HEAD.size:
        raise ValueError("no log: too short")
    magic, version, entries, sector_bytes = _HEAD.unpack_from(log)
    if (magic, version, sector_bytes) != (_MAGIC, _VERSION, SECTOR_BYTES):
        raise ValueError(f"no log of sectors of {SECTOR_BYTES} bytes")
    return list(_entries(log, entries))


def _entries(log: bytes, entries: int) -> Iterator[Entry]:
    at = SECTOR_BYTES
    for number in range(entries):
        if at + SECTOR_BYTES > len(log):
            raise ValueError(f"entry {number} is cut off")
        sector, sectors, flags, _ = _ENTRY.unpack_from(log, at)
        if flags & ~(_FLUSH | _FUA):
            raise ValueError(f"entry {number} is of a kind that is not known: {flags}")
        start, at = at + SECTOR_BYTES, at + (1 + sectors) * SECTOR_BYTES
        if at > len(log):
            raise ValueError(f"entry {number} is cut off")
        yield Entry(sector, log[start:at], bool(flags & _FLUSH), bool(flags & _FUA))
