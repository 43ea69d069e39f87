"""Sync over ways that do not take what the protocol allows, and with more sessions than one offer holds."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from attendance.chain import place
from attendance.records import JournalLine, RecordDraft, SessionOpened
from attendance.wire import EntriesRequest, Receipt
from kiosk.errors import Trouble, UplinkError
from kiosk.offers import ALL_HEADS_S, HEADS_AN_OFFER
from kiosk.uplink import Uplink
from tests.kiosk.sync_parts import BOOT, Kiosk, kiosk_at, model, moved
from tests.model_server import Canned, ModelServer

FOREIGN_413 = Canned(413, b"<h1>413 Request Entity Too Large</h1>", "text/html")


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model() as running:
        yield running


@pytest.fixture
def kiosk(tmp_path: Path, server: ModelServer) -> Iterator[Kiosk]:
    with kiosk_at(tmp_path, server.url) as one:
        yield one


def backlog(kiosk: Kiosk, number: int) -> None:
    kiosk.append(*(moved() for _ in range(number)))


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many entries each request held, whatever became of it."""
    sizes: list[int] = []
    send = Uplink.send

    def counted(self: Uplink, request: EntriesRequest) -> Receipt:
        sizes.append(len(request.entries))
        return send(self, request)

    monkeypatch.setattr(Uplink, "send", counted)
    return sizes


class Proxy:
    """Answers by itself to whatever is larger than it takes."""

    def __init__(self, server: ModelServer, largest: int) -> None:
        self._answer = server.answer
        self.largest = largest

    def __call__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Canned | None:
        return FOREIGN_413 if len(body) > self.largest else self._answer(method, target, headers, body)


@pytest.fixture
def proxy(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> Proxy:
    one = Proxy(server, 16_384)
    monkeypatch.setattr(server, "answer", one)
    return one


@pytest.mark.usefixtures("proxy")
def test_a_proxy_that_takes_less_than_the_server_gets_less(kiosk: Kiosk, server: ModelServer, tried: list[int]) -> None:
    backlog(kiosk, 200)
    for _ in range(10):
        kiosk.sync.step()
    assert server.ledger.sessions == kiosk.held()
    refused = len(tried) - len(server.batches)
    assert refused == 3, "what did not fit once is not tried again and again"


def test_a_proxy_that_takes_not_even_one_entry_holds_up_no_other_session(
    kiosk: Kiosk, server: ModelServer, proxy: Proxy
) -> None:
    kiosk.append(moved(child="x" * 2_000), moved())
    kiosk.reopen()
    kiosk.append()
    proxy.largest = 2_500
    for _ in range(5):
        kiosk.sync.step()
    assert server.ledger.sessions[kiosk.journal.session or ""] == kiosk.held()[kiosk.journal.session or ""]
    assert server.offers[-1].health.problems == ("entry_refused",)
    proxy.largest = 1 << 20
    kiosk.settle()
    assert server.ledger.sessions == kiosk.held()


def test_a_line_too_slow_for_a_batch_gets_smaller_ones(
    kiosk: Kiosk, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Uplink.send
    sizes: list[int] = []

    def slow(self: Uplink, request: EntriesRequest) -> Receipt:
        sizes.append(len(request.entries))
        if len(request.entries) > 40:
            raise UplinkError(Trouble.TIMEOUT, "ReadTimeout")
        return send(self, request)

    monkeypatch.setattr(Uplink, "send", slow)
    backlog(kiosk, 200)
    for _ in range(15):
        kiosk.sync.step()
    assert server.ledger.sessions == kiosk.held()
    assert sizes[:4] == [201, 201, 100, 50]


def test_one_lost_request_makes_none_smaller(
    kiosk: Kiosk, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Uplink.send
    lost = iter([True])

    def unlucky(self: Uplink, request: EntriesRequest) -> Receipt:
        if next(lost, False):
            raise UplinkError(Trouble.UNREACHABLE, "ConnectionResetError")
        return send(self, request)

    monkeypatch.setattr(Uplink, "send", unlucky)
    backlog(kiosk, 200)
    kiosk.sync.step()
    kiosk.sync.step()
    assert server.batches == [201]


def lost(_: Uplink, __: EntriesRequest) -> Receipt:
    raise UplinkError(Trouble.TIMEOUT, "ReadTimeout")


def test_news_come_to_the_door_although_entries_do_not_go(
    kiosk: Kiosk, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Uplink, "send", lost)
    kiosk.append()
    step = kiosk.sync.step()
    assert (step.again, step.wakeable) == (False, False)
    assert kiosk.cache.contact() is not None
    assert kiosk.cache.versions()[0] == str(server.roster_version)
    assert kiosk.names_key.exists()


def open_many(kiosk: Kiosk, number: int) -> dict[str, list[JournalLine]]:
    """Write sessions with their beginning alone, as a door leaves them that is started again and again."""
    made = {}
    with closing(sqlite3.connect(kiosk.folder / "journal.db")) as db, db:
        for each in range(number):
            session = f"{each:032x}"
            draft = RecordDraft(SessionOpened(boot=BOOT, app="t", key="k" * 32, heads=()), kiosk.clock.read())
            _, line = place(draft, kiosk=kiosk.name, session=session, after=None)
            db.execute("INSERT INTO session (id, boot) VALUES (?, ?)", (session, BOOT))
            row = (session, 0, draft.at.boot_ns, draft.at.wall_ms, line.line, line.hash)
            db.execute("INSERT INTO entry (session, seq, boot_ns, wall_ms, line, hash) VALUES (?, ?, ?, ?, ?, ?)", row)
            made[session] = [line]
    return made


def test_more_sessions_than_an_offer_may_hold_are_offered_in_parts(kiosk: Kiosk, server: ModelServer) -> None:
    many = open_many(kiosk, 3 * HEADS_AN_OFFER)
    server.ledger.sessions.update(many)
    lacking = list(many)[::300]
    for session in lacking:
        del server.ledger.sessions[session]
    server.largest_body = 150 * HEADS_AN_OFFER
    kiosk.reopen()
    kiosk.append()
    kiosk.sync.step()
    running = kiosk.journal.session or ""
    assert server.ledger.sessions[running] == kiosk.held()[running], "what was done now goes first"
    for _ in range(12):
        kiosk.sync.step()
    assert server.ledger.sessions == kiosk.held()
    kiosk.sync.step()
    assert len(server.offers[-1].heads) == 1
    for session in lacking:
        del server.ledger.sessions[session]
    kiosk.clock.advance(ALL_HEADS_S)
    for _ in range(12):
        kiosk.sync.step()
    assert server.ledger.sessions == kiosk.held(), "a server from a backup has everything again"


def test_a_proxy_that_takes_no_whole_offer_gets_smaller_ones(kiosk: Kiosk, server: ModelServer, proxy: Proxy) -> None:
    many = open_many(kiosk, HEADS_AN_OFFER)
    server.ledger.sessions.update(many)
    kiosk.reopen()
    kiosk.append()
    proxy.largest = 40_000
    for _ in range(20):
        kiosk.sync.step()
    assert server.ledger.sessions == kiosk.held()
    assert {head.session for offer in server.offers for head in offer.heads} >= many.keys()
