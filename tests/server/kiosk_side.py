"""A kiosk as the server meets it: a journal written with the real chain, and requests signed with a real key."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient
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
from attendance.wire import EntriesRequest, Health, KioskNow, OfferRequest
from tests.server.factories import NOON, NOON_MS

BOOT = "b" * 32
S = 1_000_000_000


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


def offer(*sessions: Session, boot: str = BOOT, at: ClockReading | None = None, **health: Any) -> OfferRequest:
    return OfferRequest(
        now=KioskNow(session=None, boot=boot, at=at or reading(60)),
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
