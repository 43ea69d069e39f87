"""Journal entries as they come in: each is understood, or there is a reason why not (before step 11; pure)."""

import re
from dataclasses import dataclass

import msgspec

from attendance.chain import SECOND_HEADER
from attendance.errors import WireError
from attendance.records import (
    FIRST_PREV,
    AttendanceRecord,
    JournalLine,
    Moved,
    SessionOpened,
    UnknownCard,
    line_hash,
    read_line,
)
from server.timeline import is_possible

_HASH = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[0-9A-Za-z-]{1,36}")
_BOOT = re.compile(r"[0-9a-f-]{1,36}")
_MAX_REASON = 200

OTHER_PLACE = "the line names another place"
BROKEN_CHAIN = "the chain is broken before this entry"
IMPOSSIBLE_CLOCK = "the clock reading is impossible"
"""Reasons that are told apart by who looks for a cause; stored, so what is in quarantine has those of its time."""


@dataclass(frozen=True, slots=True)
class Place:
    """The place in a journal that the next entry must claim."""

    session: str
    seq: int
    prev: str
    """Hash of the entry before; of no meaning for entry 0."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Why an entry is kept but not understood."""

    reason: str


def storable(stored: JournalLine) -> JournalLine:
    """Return a line that any database can store: NUL escaped, and a malformed hash replaced by the line's own."""
    line = stored.line.replace("\0", "\\u0000")
    return JournalLine(line=line, hash=stored.hash if _HASH.fullmatch(stored.hash) else line_hash(line))


def understand(stored: JournalLine, place: Place) -> AttendanceRecord | Quarantined:
    """Return the record of a line, or why it cannot be the next entry at this place."""
    try:
        record = read_line(stored)
    except WireError as error:
        return Quarantined(error.reason[:_MAX_REASON])
    if record.session != place.session or record.seq != place.seq:
        return Quarantined(OTHER_PLACE)
    if record.prev != (place.prev if place.seq else FIRST_PREV):
        return Quarantined(BROKEN_CHAIN)
    if isinstance(record.body, SessionOpened) != (record.seq == 0):
        return Quarantined(SECOND_HEADER)
    if not is_possible(record.at):
        return Quarantined(IMPOSSIBLE_CLOCK)
    return _with_good_ids(record)


def prev_of(stored: JournalLine) -> str | None:
    """Return the hash of the entry before, as a line of any kind states it; None when it states none."""
    try:
        return _link.decode(stored.line).prev
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None


def kiosk_of(stored: JournalLine) -> str | None:
    """Return the kiosk that a line of any kind names; None when it names none."""
    try:
        return _named.decode(stored.line).kiosk
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None


def _with_good_ids(record: AttendanceRecord) -> AttendanceRecord | Quarantined:
    if not _ID.fullmatch(record.kiosk):
        return Quarantined("no id of a kiosk")
    match record.body:
        case Moved(child=child) if not _ID.fullmatch(child):
            return Quarantined("no id of a child")
        case SessionOpened(boot=boot) if not _BOOT.fullmatch(boot):
            return Quarantined("no boot id")
        case UnknownCard(card=card) if not _HASH.fullmatch(card.card_hash):
            return Quarantined("no hash of a card")
        case _:
            return record


class _Link(msgspec.Struct):
    """What chains lines of every version."""

    prev: str


class _Named(msgspec.Struct):
    """What lines of every version say of who wrote them."""

    kiosk: str


_link = msgspec.json.Decoder(_Link)
_named = msgspec.json.Decoder(_Named)
