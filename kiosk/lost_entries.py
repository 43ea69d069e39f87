"""Entries that a disk lost out of a session: lines that stand in their places, so that those behind arrive.

The server keeps such a line as one it does not understand, and goes on with the entry after it, whose `prev` is the
hash of the last one lost.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from attendance.chain import verify
from attendance.errors import WireError
from attendance.records import FIRST_PREV, AttendanceRecord, Head, JournalLine, Seq, SessionId, line_hash


class Lost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a lost entry."""

    prev: str
    seq: Seq
    session: SessionId
    lost: Literal[True]


def lost_between(before: Head | None, after: AttendanceRecord) -> Iterator[tuple[int, JournalLine]]:
    """Yield a line for each number between an entry, or the beginning, and a later one of the same session."""
    prev = FIRST_PREV if before is None else before.hash
    for seq in range(0 if before is None else before.seq + 1, after.seq):
        raw = msgspec.json.encode(Lost(prev=prev, seq=seq, session=after.session, lost=True), order="sorted")
        line = raw.decode()
        # Of the others the hash is not known. What stands for it nobody can guess who has not this journal.
        prev = after.prev if seq == after.seq - 1 else line_hash(line + after.prev)
        yield seq, JournalLine(line=line, hash=prev)


def read_lost(stored: JournalLine) -> Lost | None:
    """Return what a line says of a lost entry; None for any other line."""
    try:
        return _decoder.decode(stored.line)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None


def verify_but_lost(lines: Iterable[JournalLine]) -> None:
    """Verify a session from its beginning on, of lost entries only their place. Raises: WireError."""
    head: Head | None = None
    for stored in lines:
        lost = read_lost(stored)
        if lost is None:
            head = verify([stored], after=head)
            continue
        expected = (FIRST_PREV, 0, lost.session) if head is None else (head.hash, head.seq + 1, head.session)
        if (lost.prev, lost.seq, lost.session) != expected:
            raise WireError("journal", f"lost entry {lost.seq} does not follow entry {expected[1] - 1}")
        head = Head(lost.session, lost.seq, stored.hash)


_decoder = msgspec.json.Decoder(Lost)
