"""Kiosks and servers that break one rule of the protocol each; the machine must find every one of them out."""

import math
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, update

from attendance.records import Head, JournalLine
from attendance.wire import EntriesRequest, OfferRequest, OfferResponse, Receipt, Want
from bench.sync_model import restored
from kiosk.delivery import Delivery
from kiosk.errors import Trouble, UplinkError
from kiosk.journal import Journal
from kiosk.sync import Sync
from kiosk.uplink import Uplink
from server import ledger
from server.offer import wanted
from server.store.tables import entry

_offer, _send = Uplink.offer, Uplink.send
_open_session = Journal._open_session
_held = Sync._held
_recognise = ledger._recognise
_accept_within = ledger.accept_within


@contextmanager
def kiosk_cursor() -> Iterator[None]:
    """The kiosk sends what lies beyond its own mark, whatever the server says that it lacks."""
    sent: dict[str, int] = {}

    def offer(self: Uplink, request: OfferRequest) -> OfferResponse:
        answer = _offer(self, request)
        beyond = [Want(head.session, sent.get(head.session, -1) + 1) for head in request.heads]
        wants = tuple(want for want, head in zip(beyond, request.heads, strict=True) if want.from_seq <= head.seq)
        return type(answer)(**{name: getattr(answer, name) for name in answer.__struct_fields__} | {"want": wants})

    def send(self: Uplink, request: EntriesRequest) -> Receipt:
        receipt = _send(self, request)
        sent[receipt.session] = max(sent.get(receipt.session, -1), receipt.through)
        return receipt

    with patch.object(Uplink, "offer", offer), patch.object(Uplink, "send", send):
        yield


@contextmanager
def holes_acknowledged() -> Iterator[None]:
    """The server acknowledges the last entry it was sent, though those before it are missing."""

    def accept(conn: Connection, sender: Any, request: EntriesRequest, now_ms: int) -> Receipt:
        receipt = _accept_within(conn, sender, request, now_ms)
        last = request.from_seq + len(request.entries) - 1
        if receipt.through >= last:
            return receipt
        return Receipt(session=request.session, through=last, hash=request.entries[-1].hash)

    with patch("server.api.kiosk.accept_within", accept):
        yield


@contextmanager
def no_session_id() -> Iterator[None]:
    """Sessions are numbered, so that a kiosk whose disk was put back writes another history under the same name."""

    def open_session(self: Journal, db: Any) -> None:
        number = db.execute("SELECT count(*) FROM session").fetchone()[0]
        with patch("kiosk.journal.secrets.token_hex", lambda _: f"{self._kiosk[-12:]}{number:020}"):
            _open_session(self, db)

    with patch.object(Journal, "_open_session", open_session):
        yield


@contextmanager
def poison_blocks() -> Iterator[None]:
    """The kiosk takes a refused entry for a server that is away: nothing after it is sent."""

    def deliver(self: Delivery, session: str, from_seq: int, limit: int) -> Head | None:
        lines = self._journal.read(session, from_seq, limit)
        receipt = self._server.send(EntriesRequest(session=session, from_seq=from_seq, entries=tuple(lines)))
        return self._proved(receipt, from_seq)

    with patch.object(Delivery, "_deliver", deliver):
        yield


@contextmanager
def last_stands() -> Iterator[None]:
    """The server writes another entry over the one that it held first."""

    def recognise(conn: Connection, session: Any, from_seq: int, lines: list[JournalLine]) -> list[int]:
        wrong = _recognise(conn, session, from_seq, lines)
        for seq in wrong:
            this = (entry.c.session == session.name) & (entry.c.seq == seq)
            line = lines[seq - from_seq]
            conn.execute(update(entry).where(this).values(line=line.line, hash=line.hash))
        return wrong

    with patch("server.ledger._recognise", recognise):
        yield


@contextmanager
def delete_on_refusal() -> Iterator[None]:
    """The kiosk deletes what the server refused, as it will be refused again."""
    paths: dict[int, str] = {}

    def send(self: Uplink, request: EntriesRequest) -> Receipt:
        try:
            return _send(self, request)
        except UplinkError as error:
            if error.trouble is Trouble.REFUSED:
                with closing(sqlite3.connect(paths[id(self)])) as journal, journal:
                    stretch = (request.session, request.from_seq)
                    journal.execute("DELETE FROM entry WHERE session = ? AND seq >= ?", stretch)
            raise

    made = Delivery.__init__

    def make(self: Delivery, journal: Any, server: Any, *rest: Any) -> None:
        paths[id(server)] = str(journal._path)
        made(self, journal, server, *rest)

    with patch.object(Uplink, "send", send), patch.object(Delivery, "__init__", make):
        yield


@contextmanager
def any_200() -> Iterator[None]:
    """The kiosk takes every 200 for an acknowledgement."""

    def send(self: Uplink, request: EntriesRequest) -> Receipt:
        try:
            return _send(self, request)
        except UplinkError as error:
            if error.trouble is Trouble.FOREIGN and "status 200" in error.detail:
                last = request.from_seq + len(request.entries) - 1
                return Receipt(session=request.session, through=last, hash=request.entries[-1].hash)
            raise

    with patch.object(Uplink, "send", send):
        yield


@contextmanager
def wants_nothing_again() -> Iterator[None]:
    """The server remembers outside its database what it has had, and does not want it after a restore."""
    had: dict[str, int] = {}

    def want(conn: Connection, heads: tuple[Head, ...]) -> tuple[Want, ...]:
        wants = {each.session: each for each in wanted(conn, heads)}
        for head in heads:
            if head.session not in wants:
                had[head.session] = max(had.get(head.session, -1), head.seq)
        return tuple(
            each for head in heads if (each := wants.get(head.session)) and head.seq > had.get(head.session, -1)
        )

    with patch("server.offer.wanted", want):
        yield


@contextmanager
def forgets_what_it_told() -> Iterator[None]:
    """The kiosk does not tell a restored server how far the one before it had acknowledged."""
    with patch("kiosk.sync.Sync._told", lambda _self, _session: -1):
        yield


@contextmanager
def prunes_too_much() -> Iterator[None]:
    """The door lets old sessions go that nobody acknowledged."""
    with patch(
        "kiosk.journal.prunable", lambda sessions, _acked, _now_ms: [each.head.session for each in sessions[:-1]]
    ):
        yield


@contextmanager
def sleep_ignored() -> Iterator[None]:
    """The kiosk takes an answer for new however long it lay there while the machine slept."""
    with patch("kiosk.sync.LONGEST_WAY_S", math.inf):
        yield


@contextmanager
def newest_offered() -> Iterator[None]:
    """The kiosk offers its newest sessions alone."""

    def held(self: Sync) -> tuple[list[Head], str | None]:
        heads, session = _held(self)
        return heads[-5:], session

    with patch.object(Sync, "_held", held):
        yield


@contextmanager
def late_is_a_twin() -> Iterator[None]:
    """The server takes a request of a boot for a second machine's when a later boot was heard from before it."""
    with patch("server.offer.are_two_machines", lambda asks, asked_before: asks.boot_ms < asked_before.boot_ms):
        yield


MUTANTS: dict[str, Callable[[], Any]] = {
    "kiosk keeps a cursor": kiosk_cursor,
    "holes are acknowledged": holes_acknowledged,
    "sessions without an id of their own": no_session_id,
    "a poisoned entry blocks the queue": poison_blocks,
    "the last entry stands, not the first": last_stands,
    "deleted when refused": delete_on_refusal,
    "any 200 acknowledges": any_200,
    "a restored server wants nothing": wants_nothing_again,
    "notices told of are queued again": forgets_what_it_told,
    "pruned before it was acknowledged": prunes_too_much,
    "an answer slept through tells the time": sleep_ignored,
    "only the newest sessions are offered": newest_offered,
    "a late request is taken for a second machine's": late_is_a_twin,
    **restored.MUTANTS,
}
