"""The rows on the leaf pages of a SQLite file, whatever became of the pages above them; the file is only read.

No tree is followed, so a spoilt page costs the rows on it and no others. What it yields may be old, double or rubbish:
whoever reads it wants proof. Source: sqlite.org/fileformat2.html, 1.6, 2.1 and 4.
"""

import errno
import os
import sys
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

PAGE_BYTES = 4096
"""SQLite's default, which all our files have."""
_LEAF = 13
_LEAF_HEAD_BYTES = 8
_LOG_HEAD_BYTES, _FRAME_HEAD_BYTES = 32, 24
_LOG_MAGIC = 0x377F0682
"""Its last bit says that sums are of big-endian words."""
_MOST_LOCAL = PAGE_BYTES - 35
_LEAST_LOCAL = (PAGE_BYTES - 12) * 32 // 255 - 23
"""How much of a row stays on its leaf; the rest is on overflow pages, each of which names the next."""
_MOST_ROW_BYTES = 1 << 20
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)
_NULL, _ZERO, _ONE, _FIRST_BLOB = 0, 8, 9, 12
_VARINT_BYTES = 9

Value = bytes | int | None


class Row(NamedTuple):
    """A row of any table."""

    rowid: int
    values: tuple[Value, ...]


class Pages:
    """The pages of a file, as its log has them where it does."""

    def __init__(self, file: int, log: dict[int, bytes]) -> None:
        self._file = file
        self._log = log
        self.count = max(os.fstat(file).st_size // PAGE_BYTES, *log, 0)

    def read(self, number: int) -> bytes:
        """Return a page, counted from 1; empty when there is none or its sector cannot be read. Raises: OSError."""
        if number in self._log:
            return self._log[number]
        return _read(self._file, PAGE_BYTES, (number - 1) * PAGE_BYTES) if number > 0 else b""

    def all(self) -> Iterator[bytes]:
        """Yield every page, of the file and of its log, which may be another's. Raises: OSError."""
        for number in range(1, self.count + 1):
            yield _read(self._file, PAGE_BYTES, (number - 1) * PAGE_BYTES)
        yield from self._log.values()


@contextmanager
def opened(path: Path) -> Iterator[Pages]:
    """Open a file and its log to be read. Raises: OSError."""
    file = os.open(path, os.O_RDONLY)
    try:
        yield Pages(file, _log_of(path))
    finally:
        os.close(file)


def leaf_rows(pages: Pages) -> Iterator[Row]:
    """Yield the rows of all tables that can be read, by page. Raises: OSError."""
    for page in pages.all():
        if page[:1] == bytes([_LEAF]):
            for at in _cells(page):
                with suppress(ValueError):
                    yield _row(pages, page, at)


def _read(file: int, size: int, at: int) -> bytes:
    try:
        return os.pread(file, size, at)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return b""


def _log_of(path: Path) -> dict[int, bytes]:
    """The pages that were committed to the write-ahead log of a file: what was taken back is not a row."""
    log = path.with_name(f"{path.name}-wal")
    if not log.exists():
        return {}
    file = os.open(log, os.O_RDONLY)
    try:
        return _committed(file)
    finally:
        os.close(file)


def _committed(file: int) -> dict[int, bytes]:
    head = _read(file, _LOG_HEAD_BYTES, 0)
    magic = int.from_bytes(head[:4], "big")
    if magic & ~1 != _LOG_MAGIC or int.from_bytes(head[8:12], "big") != PAGE_BYTES:
        return {}
    order = "big" if magic & 1 else "little"
    sums = _sums((0, 0), head[:24], order)
    committed: dict[int, bytes] = {}
    open_: dict[int, bytes] = {}
    at = _LOG_HEAD_BYTES
    while True:
        frame = _read(file, _FRAME_HEAD_BYTES + PAGE_BYTES, at)
        page = frame[_FRAME_HEAD_BYTES:]
        if len(page) < PAGE_BYTES or frame[8:16] != head[16:24]:
            return committed
        sums = _sums(_sums(sums, frame[:8], order), page, order)
        if frame[16:24] != sums[0].to_bytes(4, "big") + sums[1].to_bytes(4, "big"):
            return committed
        open_[int.from_bytes(frame[:4], "big")] = page
        if any(frame[4:8]):  # the last frame of a transaction
            committed |= open_
            open_ = {}
        at += len(frame)


def _sums(sums: tuple[int, int], data: bytes, order: str) -> tuple[int, int]:
    words = array("I", data)
    if order != sys.byteorder:
        words.byteswap()
    first, second = sums
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second


def _cells(page: bytes) -> Iterator[int]:
    """Where the rows of a leaf begin, as far as that lies on the page."""
    number = int.from_bytes(page[3:5], "big")
    for at in range(_LEAF_HEAD_BYTES, min(_LEAF_HEAD_BYTES + 2 * number, len(page) - 1), 2):
        yield int.from_bytes(page[at : at + 2], "big")


def _row(pages: Pages, page: bytes, at: int) -> Row:
    size, at = _varint(page, at)
    rowid, at = _varint(page, at)
    if size <= _MOST_LOCAL:
        return Row(_signed(rowid), _values(page[at : at + size]))
    if size > _MOST_ROW_BYTES:
        raise ValueError("longer than any row of ours")
    local = _LEAST_LOCAL + (size - _LEAST_LOCAL) % (PAGE_BYTES - 4)
    if local > _MOST_LOCAL:
        local = _LEAST_LOCAL
    payload = page[at : at + local]
    following = page[at + local : at + local + 4]
    while len(payload) < size:
        more = pages.read(int.from_bytes(following, "big"))
        if len(more) < PAGE_BYTES:
            raise ValueError("a page of the row is gone")
        payload += more[4 : 4 + size - len(payload)]
        following = more[:4]
    return Row(_signed(rowid), _values(payload))


def _values(payload: bytes) -> tuple[Value, ...]:
    """The columns of a row; a number with a fraction is passed over, since no table of ours has one."""
    end, at = _varint(payload, 0)
    kinds = []
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    values: list[Value] = []
    for kind in kinds:
        if kind >= _FIRST_BLOB:
            size = (kind - _FIRST_BLOB) // 2
            values.append(payload[at : at + size])
        elif kind in (_ZERO, _ONE):
            size = 0
            values.append(kind - _ZERO)
        elif kind < len(_INTEGER_BYTES):
            size = _INTEGER_BYTES[kind]
            values.append(None if kind == _NULL else int.from_bytes(payload[at : at + size], "big", signed=True))
        else:
            raise ValueError("no such kind of value")
        at += size
    if at > len(payload):
        raise ValueError("the row is cut short")
    return tuple(values)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of 1 to 9 bytes, and where it ends."""
    value = 0
    for number, byte in enumerate(data[at : at + _VARINT_BYTES]):
        if number == _VARINT_BYTES - 1:
            return value << 8 | byte, at + _VARINT_BYTES
        value = value << 7 | byte & 0x7F
        if byte < 0x80:  # its first bit says that more follows
            return value, at + number + 1
    raise ValueError("the number is cut short")


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number
