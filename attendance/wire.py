"""The messages between kiosk and server (docs/protocol.md), with their codecs; golden files pin each byte.

Fields may be added with a default, never changed or taken away: an older peer ignores what it does not know.
"""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec

from attendance.clock import ClockReading, Instant, Nanoseconds
from attendance.errors import WireError
from attendance.names import SealedNames
from attendance.policy import Policy
from attendance.presence import Movement
from attendance.records import Head, JournalLine, Seq, SessionId
from attendance.roster import Holder

ENROL_PATH = "/kiosk/v1/enrol"
OFFER_PATH = "/kiosk/v1/offer"
ENTRIES_PATH = "/kiosk/v1/entries"
STATE_PATH = "/kiosk/v1/state"
MAX_BODY_BYTES = 2 * 1024 * 1024
"""What the server reads of one request: 500 entries of 1 KiB leave three quarters of it free."""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
BatchSize = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
BackoffMs = Annotated[int, msgspec.Meta(ge=0, le=3_600_000)]
"""An hour at most: a server that is wrong about itself must not be left alone for longer."""
Through = Annotated[int, msgspec.Meta(ge=-1, le=2**31 - 1)]
"""A Seq, or -1 for none."""

_Message = TypeVar("_Message", bound=msgspec.Struct)


class EnrolRequest(msgspec.Struct, frozen=True):
    """A new kiosk names itself with a one-time code; signed with the key it brings."""

    code: str
    public_key: bytes
    """32 raw bytes of Ed25519."""
    app: str


class EnrolResponse(msgspec.Struct, frozen=True):
    """Who the kiosk is from now on."""

    kiosk: str
    site: str
    site_name: str
    policy: Policy
    uid_key: bytes
    """The municipality's key for hashing UIDs, 32 bytes; secret."""
    time_ms: Instant

    def __repr__(self) -> str:
        return f"EnrolResponse(kiosk={self.kiosk!r}, site={self.site!r})"


class Heard(msgspec.Struct, frozen=True):
    """An answer to an offer: the server's clock read `time_ms` between these two instants of a boot."""

    asked_ns: Nanoseconds
    answered_ns: Nanoseconds
    time_ms: Instant


class KioskNow(msgspec.Struct, frozen=True, omit_defaults=True):
    """The kiosk's clocks when it asked: the anchor from which the server resolves its times."""

    session: SessionId | None
    """The running session, or None when the door process is not running."""
    boot: str
    at: ClockReading
    heard: Heard | None = None
    """The last answer in this boot; None until there was one: how long the request was on its way is then not known."""


class DoorProblem(StrEnum):
    """What may be wrong with a kiosk's door."""

    DOOR_SILENT = "door_silent"
    """It hangs or does not run."""
    JOURNAL_UNWRITABLE = "journal_unwritable"
    """It records nothing."""
    DISK_FULL = "disk_full"
    """The space held back for the journal is used up."""


class SyncProblem(StrEnum):
    """What may be wrong with a kiosk's sync."""

    CHAIN_DIFFERS = "chain_differs"
    """The server holds another entry than the kiosk at the same place; a person must look."""
    ENTRY_REFUSED = "entry_refused"
    """The server does not take an entry, which by protocol it must; tried again later."""
    JOURNAL_UNREADABLE = "journal_unreadable"
    CACHE_UNUSABLE = "cache_unusable"
    NAMES_KEY_UNWRITABLE = "names_key_unwritable"


class Health(msgspec.Struct, frozen=True):
    """What staff and office should know of a kiosk."""

    app: str
    unsent: Count
    readers: dict[str, str] = {}
    """Reader name to `up`, or the reason it is not."""
    problems: tuple[str, ...] = ()
    """Codes of what is wrong: of DoorProblem, of SyncProblem, or of a kiosk newer than the server."""


class OfferRequest(msgspec.Struct, frozen=True):
    """What the kiosk holds."""

    now: KioskNow
    heads: tuple[Head, ...]
    health: Health


class Want(msgspec.Struct, frozen=True):
    """A stretch the server lacks: this session from this entry on."""

    session: SessionId
    from_seq: Seq


class OfferResponse(msgspec.Struct, frozen=True):
    """What the server lacks, and what the kiosk may lack."""

    want: tuple[Want, ...]
    time_ms: Instant
    max_batch: BatchSize
    backoff_ms: BackoffMs
    roster_version: str
    presence_version: str


class EntriesRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A contiguous stretch of one session."""

    session: SessionId
    from_seq: Seq
    entries: tuple[JournalLine, ...]
    told: Through = -1
    """Last entry that the server ever acknowledged: one restored from a backup sends no notice of those again."""
    heard: Heard | None = None
    """An answer in the boot of the session: one restored from a backup knows no other of a boot that is over."""


class Receipt(msgspec.Struct, frozen=True):
    """What the server now holds of the session, durably."""

    session: str
    through: Through
    """Last entry of the contiguous prefix held, -1 for none."""
    hash: str
    """Its hash, empty for none."""
    quarantined: tuple[int, ...] = ()


class RosterPart(msgspec.Struct, frozen=True):
    """The whole roster of the site, as the kiosk needs it."""

    version: str
    holders: tuple[Holder, ...]
    names: SealedNames


class PresencePart(msgspec.Struct, frozen=True):
    """The site's effective movements of a day, in which the kiosk's own are folded up to `through`."""

    version: str
    day: date
    through: tuple[Head, ...]
    movements: tuple[Movement, ...]


class StateResponse(msgspec.Struct, frozen=True):
    """News for the kiosk; a part is None when the kiosk has it already."""

    policy: Policy
    names_key: bytes
    """Opens the sealed names; for memory only."""
    roster: RosterPart | None = None
    presence: PresencePart | None = None

    def __repr__(self) -> str:
        return f"StateResponse(roster={self.roster is not None}, presence={self.presence is not None})"


class ErrorCode(StrEnum):
    """Why a request was not served; the HTTP status says whether to try again."""

    BAD_REQUEST = "bad_request"
    SIGNATURE_REFUSED = "signature_refused"
    REVOKED = "revoked"
    CODE_REFUSED = "code_refused"
    NOT_FOUND = "not_found"
    TOO_LARGE = "too_large"
    BUSY = "busy"
    INTERNAL = "internal"


class Problem(msgspec.Struct, frozen=True):
    """The one shape of an error."""

    code: ErrorCode
    message: str
    """For a log, in English; says what to do."""


class ErrorResponse(msgspec.Struct, frozen=True):
    """The body of every answer that is not 2xx."""

    error: Problem


def state_query(*, roster_version: str, presence_version: str, boot: str) -> Mapping[str, str]:
    """Return the query of a state request; an empty version asks for everything."""
    return {"roster": roster_version, "presence": presence_version, "boot": boot}


def encode(message: msgspec.Struct) -> bytes:
    """Return the bytes of a message: JSON with sorted keys."""
    return msgspec.json.encode(message, order="sorted")


def decode(body: bytes, kind: type[_Message]) -> _Message:
    """Return the message in a body. Raises: WireError when it is not one, e.g. the HTML of a captive portal."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(kind.__name__, str(error)) from error
