"""Cuts the pictures of a Motion JPEG stream out of its bytes (before step 1 of the line): pure, no I/O.

A camera programme writes JPEGs one after another, perhaps with a header or padding between them, and may be cut off
anywhere. A picture may hold a smaller one, its preview, so segments are walked by their lengths.
"""

import re
from enum import Enum, auto

LARGEST_BYTES = 8_000_000
"""More than any camera's picture; a stream that goes on longer without an end is damaged."""
_START = b"\xff\xd8\xff"
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""In coded data: a marker that is no restart, past stuffed zeros and fill bytes."""
_START_CODE, _END_CODE, _SCAN_CODE = 0xD8, 0xD9, 0xDA
_BARE_CODES = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers without a length."""
_FREE_CODES = frozenset({*range(0xE0, 0xF0), 0xFE})
"""Segments that hold what anybody likes; all others are tables."""
_LONGEST_TABLE_BYTES = 2400
"""Eight Huffman tables in one segment; a torn one claims to be longer."""


class _Found(Enum):
    """What walking on from a marker found."""

    END = auto()
    MORE_NEEDED = auto()
    DAMAGE = auto()


class JpegCutter:
    """Takes bytes as they come and gives whole pictures. Thread: one.

    A torn picture is dropped, and with it nothing but itself.
    """

    def __init__(self, *, largest_bytes: int = LARGEST_BYTES) -> None:
        self._largest_bytes = largest_bytes
        self._held = bytearray()
        """From the start of the picture that is under way, if there is one."""
        self._at = 0
        """How far the picture under way has been walked; 0: its start is not found yet."""
        self._in_scan = False

    @property
    def held_bytes(self) -> int:
        """How much of a picture under way is kept."""
        return len(self._held)

    def feed(self, more: bytes) -> list[bytes]:
        """The pictures that are whole now, in order."""
        self._held += more
        pictures = []
        while self._find_start():
            match self._walk():
                case _Found.END:
                    pictures.append(bytes(self._held[: self._at]))
                    self._drop(self._at)
                case _Found.DAMAGE:
                    # The next picture may have begun within what was taken for this one.
                    self._drop(2)
                case _Found.MORE_NEEDED:
                    if len(self._held) > self._largest_bytes:
                        self._drop(len(self._held))
                    break
        return pictures

    def _find_start(self) -> bool:
        if self._at:
            return True
        start = self._held.find(_START)
        if start < 0:
            self._drop(max(0, len(self._held) - len(_START) + 1))
            return False
        self._drop(start)
        self._at = 2
        return True

    def _walk(self) -> _Found:
        """Walk as far as there are bytes."""
        while True:
            if self._in_scan:
                marker = _MARKER.search(self._held, self._at)
                if marker is None:
                    self._at = max(self._at, len(self._held) - 1)
                    return _Found.MORE_NEEDED
                self._at, self._in_scan = marker.start(), False
            if (found := self._step()) is not None:
                return found

    def _step(self) -> _Found | None:
        """Step over one marker and its segment; None to go on."""
        held, at = self._held, self._at
        if at + 2 > len(held):
            return _Found.MORE_NEEDED
        code = held[at + 1]
        if held[at] != 0xFF or code in (0x00, _START_CODE):
            return _Found.DAMAGE
        if code == 0xFF:  # a fill byte
            self._at += 1
        elif code == _END_CODE or code in _BARE_CODES:
            self._at += 2
        else:
            if at + 4 > len(held):
                return _Found.MORE_NEEDED
            length = int.from_bytes(held[at + 2 : at + 4])
            if length > _LONGEST_TABLE_BYTES and code not in _FREE_CODES:
                return _Found.DAMAGE
            self._at += 2 + length
            self._in_scan = code == _SCAN_CODE
        return _Found.END if code == _END_CODE else None

    def _drop(self, number: int) -> None:
        del self._held[:number]
        self._at, self._in_scan = 0, False
