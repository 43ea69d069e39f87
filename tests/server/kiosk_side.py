"""A kiosk as the server meets it: its journal, on the real chain, its signed requests, and the answers it gets."""

import secrets
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient
from sqlalchemy import Row
from werkzeug.test import TestResponse

from attendance.cards import CardToken
from attendance.chain import place
from attendance.clock import ClockReading, ClockState
from attendance.records import (
    Body,
    Direction,
    Head,
    JournalLine,
    MadeBy,
    Moved,
    RecordDraft,
    SessionOpened,
    Undone,
    UnknownCard,
)
from attendance.signatures import sign
from attendance.wire import (
    STATE_PATH,
    EntriesRequest,
    ErrorCode,
    ErrorResponse,
    Health,
    Heard,
    KioskNow,
    OfferRequest,
    Receipt,
    decode,
)
from server.ledger import accept
from server.store.engine import Store
from tests.server.factories import NOON, NOON_MS

BOOT = "b" * 32
S = 1_000_000_000

_Message = TypeVar("_Message", bound=msgspec.Struct)


def reading(at_s: float = 0, **values: Any) -> ClockReading:
    """A reading `at_s` seconds after noon, of a machine that booted 1,000 s before and has no time from outside."""
    defaults = {
        "wall_ms": NOON_MS + round(at_s * 1000),
        "wall_err_ms": None,
        "boot_ns": round((1000 + at_s) * S),
        "state": ClockState.RTC,
    }
    return ClockReading(**defaults | values)


@dataclass
class Session:
    """One session of a kiosk's journal."""

    kiosk: str
    name: str = field(default_factory=lambda: secrets.token_hex(16))
    boot: str = BOOT
    heads: tuple[Head, ...] = ()
    opened_at: ClockReading | None = None
    lines: list[JournalLine] = field(default_factory=list)
    head: Head | None = None

    def __post_init__(self) -> None:
        self.add(SessionOpened(boot=self.boot, app="1.0", key="k" * 32, heads=self.heads), self.opened_at)

    def add(self, body: Body, at: ClockReading | None = None) -> int:
        """Append an entry and return its seq."""
        record, line = place(
            RecordDraft(body=body, at=at or reading(len(self.lines))),
            kiosk=self.kiosk,
            session=self.name,
            after=self.head,
        )
        self.head = Head(self.name, record.seq, line.hash)
        self.lines.append(line)
        return record.seq

    def moved(
        self, child: str, direction: Direction = Direction.ENTRY, *, at_s: float | None = None, **clock: Any
    ) -> int:
        at = reading(len(self.lines) if at_s is None else at_s, **clock)
        return self.add(Moved(child=child, direction=direction, by=MadeBy.CARD, card=None), at)

    def undone(self, seq: int) -> int:
        return self.add(Undone(seq=seq))

    def unknown(self) -> int:
        return self.add(UnknownCard(card=CardToken.new().ref))

    def request(self, from_seq: int = 0, until: int | None = None) -> EntriesRequest:
        """The entries from one seq up to, not including, another."""
        return EntriesRequest(session=self.name, from_seq=from_seq, entries=tuple(self.lines[from_seq:until]))


def offer(
    *sessions: Session, boot: str = BOOT, at: ClockReading | None = None, heard: Heard | None = None, **health: Any
) -> OfferRequest:
    return OfferRequest(
        now=KioskNow(session=None, boot=boot, at=at or reading(60), heard=heard),
        heads=tuple(session.head for session in sessions if session.head),
        health=Health(app="1.0", unsent=0, **health),
    )


def send(
    client: FlaskClient,
    path: str,
    body: bytes = b"",
    *,
    key: Ed25519PrivateKey,
    method: str = "POST",
    nonce: str | None = None,
    headers: dict[str, str] | None = None,
) -> TestResponse:
    """Send a signed request; `headers` replace those of the signature."""
    signed = sign(method, path, body, key=key, created=NOON, nonce=nonce)
    return client.open(path, method=method, data=body, headers=signed | (headers or {}))


def take(store: Store, door: Row[Any], request: EntriesRequest, now_ms: int = NOON_MS + 60_000) -> Receipt:
    """Have the ledger accept what `door` brings, a minute after noon unless told."""
    return accept(store, door, request, now_ms)


def good(response: TestResponse, kind: type[_Message]) -> _Message:
    """The message of an answer that must be one."""
    assert response.status_code == 200, response.data
    assert response.mimetype == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    return decode(response.data, kind)


def problem(response: TestResponse) -> tuple[int, ErrorCode]:
    """The status and code of an answer that must be a refusal."""
    assert response.mimetype == "application/json"
    return response.status_code, decode(response.data, ErrorResponse).error.code


def state_path(roster: str = "", presence: str = "") -> str:
    """Where a kiosk that holds these versions asks for its state."""
    return f"{STATE_PATH}?roster={roster}&presence={presence}&boot=b"
