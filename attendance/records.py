"""The attendance record: one entry of a kiosk's journal, numbered and hash-chained within its session.

The line is what counts: canonical JSON (keys sorted, no white space, UTF-8, integers only) that is hashed, stored on
both sides and sent as it is, so that a record can be proved years later by code that no longer knows its kind.
"""

import hashlib
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple, assert_never

import msgspec

from attendance.cards import CardRef
from attendance.clock import ClockReading, Span
from attendance.errors import WireError

FIRST_PREV = "0" * 64
"""`prev` of entry 0: a session begins its own chain."""
WRONG_HASH = "the hash does not fit the text"
NOT_CANONICAL = "not in canonical form"
"""Reasons why a line is not taken that are its own."""
Seq = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
"""Number of an entry in its session."""
SessionId = Annotated[str, msgspec.Meta(min_length=1, max_length=36)]


class Direction(StrEnum):
    """Which way a child went."""

    ENTRY = "entry"
    EXIT = "exit"


class MadeBy(StrEnum):
    """What made a movement at the door."""

    CARD = "card"
    BUTTON = "button"
    STAFF = "staff"


class Head(NamedTuple):
    """The last entry known of a session."""

    session: SessionId
    seq: Seq
    hash: str


class SessionOpened(msgspec.Struct, frozen=True, tag_field="kind", tag="session", forbid_unknown_fields=True):
    """Entry 0: a door process began to live."""

    boot: str
    """The kernel's boot id, 32 hexadecimal digits."""
    app: str
    """Version of the software."""
    key: str
    """Id of the kiosk's signing key."""
    heads: tuple[Head, ...]
    """Sessions known before."""


class Moved(msgspec.Struct, frozen=True, tag_field="kind", tag="movement", forbid_unknown_fields=True):
    """A child came in or left."""

    child: str
    direction: Direction
    by: MadeBy
    card: CardRef | None
    """None when no card was used."""


class Undone(msgspec.Struct, frozen=True, tag_field="kind", tag="undo", forbid_unknown_fields=True):
    """The child took back a movement of this session within the window."""

    seq: Seq


class UnknownCard(msgspec.Struct, frozen=True, tag_field="kind", tag="unknown_card", forbid_unknown_fields=True):
    """A well-formed card that nobody at this site holds."""

    card: CardRef


class ClockStepped(msgspec.Struct, frozen=True, tag_field="kind", tag="clock", forbid_unknown_fields=True):
    """The wall clock stepped against CLOCK_BOOTTIME by more than half a second."""

    step_ms: Span


Body = SessionOpened | Moved | Undone | UnknownCard | ClockStepped


class RecordDraft(msgspec.Struct, frozen=True):
    """What is to be recorded, before the journal gives it its place."""

    body: Body
    at: ClockReading


class AttendanceRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of a journal, as both sides read it."""

    kiosk: str
    session: SessionId
    seq: Seq
    at: ClockReading
    body: Body
    prev: str
    v: Literal[1] = 1


class JournalLine(msgspec.Struct, frozen=True):
    """An entry as it is stored and sent: the exact text that was hashed, and its hash."""

    line: str
    hash: str


def write_line(record: AttendanceRecord) -> JournalLine:
    """Return the canonical line of a record and its hash."""
    raw = msgspec.json.encode(record, order="sorted")
    return JournalLine(line=raw.decode(), hash=hashlib.sha256(raw).hexdigest())


def line_hash(line: str) -> str:
    """Return the hash of a line as it stands."""
    return hashlib.sha256(line.encode()).hexdigest()


def read_line(stored: JournalLine) -> AttendanceRecord:
    """Return the record in a line. Raises: WireError when the hash does not fit or the line is not understood."""
    try:
        if line_hash(stored.line) != stored.hash:
            raise WireError("journal line", WRONG_HASH)
        record = _decoder.decode(stored.line)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        raise WireError("journal line", str(error)) from error
    if write_line(record).hash != stored.hash:
        raise WireError("journal line", NOT_CANONICAL)
    return record


def kind_of(body: Body) -> str:
    """Return the kind's name as it stands in the line."""
    match body:
        case SessionOpened():
            return "session"
        case Moved():
            return "movement"
        case Undone():
            return "undo"
        case UnknownCard():
            return "unknown_card"
        case ClockStepped():
            return "clock"
        case _:
            assert_never(body)


_decoder = msgspec.json.Decoder(AttendanceRecord)
