"""Spoils bytes as damage, chance and malice do: flips, cuts, splices, repeats, huge lengths, strange letters."""

import random
from collections.abc import Callable, Sequence

LONGEST_BYTES = 65_536
_EDGES = (b"\0", b"\x01", b"\x7f", b"\x80", b"\xfe", b"\xff")
_HUGE = (b"\xff\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff\xff\xff\xff\xff", b"9" * 40, b"-1", b"1e999", b"0.5")
_STRANGE = (
    "\ud800".encode("utf-16-le", "surrogatepass"),
    b"\\ud800",
    "\u00e9".encode(),
    "\u0301".encode(),
    "\u202e".encode(),
    "\ufeff".encode(),
    b"\xef\xbc\xa1",
    "\U0001f98a".encode(),
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\\u0000",
    b"\r\n",
    b"null",
    b"{}",
    b"[[[[[[[[",
    b'"',
)


class Spoiler:
    """Draws spoilt bytes from sound ones; the same seed draws the same. Thread: one."""

    def __init__(self, seeds: Sequence[bytes], *, seed: int) -> None:
        self._seeds = seeds
        self._random = random.Random(seed)
        self._ways: tuple[Callable[[bytearray], None], ...] = (
            self._flip,
            self._flip,
            self._edge,
            self._cut,
            self._drop,
            self._splice,
            self._repeat,
            lambda data: self._insert(data, _HUGE),
            lambda data: self._insert(data, _STRANGE),
            self._noise,
        )

    def next(self) -> bytes:
        """Return the next spoilt bytes; once in a while they happen to be sound."""
        data = bytearray(self._random.choice(self._seeds))
        for _ in range(self._random.choice((1, 1, 1, 2, 3, 8))):
            self._random.choice(self._ways)(data)
        return bytes(data[:LONGEST_BYTES])

    def _at(self, data: bytearray) -> int:
        return self._random.randrange(len(data) + 1)

    def _flip(self, data: bytearray) -> None:
        if data:
            data[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)

    def _edge(self, data: bytearray) -> None:
        at = self._at(data)
        data[at : at + 1] = self._random.choice(_EDGES)

    def _cut(self, data: bytearray) -> None:
        del data[self._at(data) :]

    def _drop(self, data: bytearray) -> None:
        at = self._at(data)
        del data[at : at + self._random.randrange(1, 9)]

    def _splice(self, data: bytearray) -> None:
        other = self._random.choice(self._seeds)
        data[self._at(data) :] = other[self._random.randrange(len(other) + 1) :]

    def _repeat(self, data: bytearray) -> None:
        at = self._at(data)
        piece = data[at : at + self._random.randrange(1, 40)]
        data[at:at] = piece * self._random.choice((1, 2, 30, 1000))

    def _insert(self, data: bytearray, pieces: Sequence[bytes]) -> None:
        at = self._at(data)
        piece = self._random.choice(pieces)
        data[at : at + self._random.choice((0, len(piece)))] = piece

    def _noise(self, data: bytearray) -> None:
        at = self._at(data)
        data[at:at] = self._random.randbytes(self._random.randrange(1, 20))
