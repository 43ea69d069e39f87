"""What the guest says it has done, in the order of its writes: marks on the same device, beyond the filesystem.

A mark is written past the page cache (O_DIRECT) and without a flush, after what it tells of was done and answered. So
it follows the flushes of that in the log, it brings nothing to safety itself, and whoever reads the log up to some
entry knows what had been promised by then. Whether the mark's own sector would have survived does not matter: the
promise had been heard.
"""

from enum import StrEnum

import msgspec

from bench.block_cuts.block_log import SECTOR_BYTES, Entry

FILESYSTEM_BYTES = 16 * 1024 * 1024
MARKS_BYTES = 4096
"""What follows the filesystem; the first sector is written again and again."""


class Phase(StrEnum):
    """What a kiosk lives through."""

    ENROLMENT = "enrolment, and a second one in its place"
    MAKING = "a journal being made and opened again"
    UPDATE = "a cache brought to a new version, rosters replaced"
    APPENDING = "children coming and going"
    RENEWAL = "sessions renewed and old ones let go"


class Began(msgspec.Struct, frozen=True, tag=True):
    phase: Phase


class Enrolling(msgspec.Struct, frozen=True, tag=True):
    """From now on there may be another identity, or none for a while."""


class Enrolled(msgspec.Struct, frozen=True, tag=True):
    kiosk: str


class Appended(msgspec.Struct, frozen=True, tag=True):
    """An entry was acknowledged, or a session had begun."""

    session: str
    seq: int
    hash: str


class LettingGo(msgspec.Struct, frozen=True, tag=True):
    """From now on a session may be gone."""

    session: str


class LetGo(msgspec.Struct, frozen=True, tag=True):
    session: str


class Told(msgspec.Struct, frozen=True, tag=True):
    """A cache of version 1 that is closed holds an acknowledgement of a session up to an entry."""

    session: str
    seq: int


class Storing(msgspec.Struct, frozen=True, tag=True):
    """From now on the roster may be this one; it may fall back to an earlier one, since the cache can be made again."""

    number: int


Mark = Began | Enrolling | Enrolled | Appended | LettingGo | LetGo | Told | Storing
PROMISES = Enrolled | Appended | LetGo | Told
_decoder: msgspec.json.Decoder[Mark] = msgspec.json.Decoder(Mark)


def to_sector(mark: Mark) -> bytes:
    """Return a mark as it is written. Raises: ValueError when it is too long."""
    text = msgspec.json.encode(mark)
    if len(text) > SECTOR_BYTES:
        raise ValueError(f"a mark of {len(text)} bytes")
    return text.ljust(SECTOR_BYTES)


def mark_in(entry: Entry) -> Mark | None:
    """Return what an entry of the log says, or None when it is of the filesystem."""
    if entry.sector * SECTOR_BYTES < FILESYSTEM_BYTES or not entry.data:
        return None
    return _decoder.decode(entry.data)
