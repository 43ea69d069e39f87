"""What sync keeps of the server's answers: for the door when there was one, for a restored server what time it was."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from attendance.wire import EntriesRequest, Heard, OfferRequest, OfferResponse, Receipt
from kiosk.roster_cache import RosterCache
from kiosk.sync import LONGEST_WAY_S
from kiosk.uplink import Uplink
from tests.kiosk.sync_parts import Kiosk, kiosk_at, model
from tests.model_server import ModelServer


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model() as running:
        yield running


@pytest.fixture
def kiosk(tmp_path: Path, server: ModelServer) -> Iterator[Kiosk]:
    with kiosk_at(tmp_path, server.url) as one:
        yield one


def test_contact_is_noted_at_once_and_then_every_ten_seconds(kiosk: Kiosk) -> None:
    kiosk.sync.step()
    first = kiosk.cache.contact()
    kiosk.clock.advance(9.9)
    kiosk.sync.step()
    assert kiosk.cache.contact() == first is not None
    kiosk.clock.advance(0.1)
    kiosk.sync.step()
    later = kiosk.cache.contact()
    assert later is not None
    assert later.at_boot_ns == kiosk.clock.read().boot_ns


def test_entries_bring_the_best_answer_of_the_boot_they_are_of(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[EntriesRequest] = []
    send = Uplink.send

    def noted(self: Uplink, request: EntriesRequest) -> Receipt:
        sent.append(request)
        return send(self, request)

    monkeypatch.setattr(Uplink, "send", noted)
    asked_ns = kiosk.clock.read().boot_ns
    kiosk.append()
    kiosk.sync.step()
    other = Heard(5, 9, 7)
    with closing(RosterCache.open(kiosk.folder / "cache.db", boot="another boot")) as cache:
        cache.note_contact(7, 7, other)
    kiosk.append()
    kiosk.sync.step()
    assert [each.heard for each in sent] == [Heard(asked_ns, asked_ns, 1_775_012_400_000)] * 2
    assert kiosk.cache.heard("another boot") == other


def test_an_answer_that_was_slept_through_tells_no_time(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    offer = Uplink.offer

    def slept(self: Uplink, request: OfferRequest) -> OfferResponse:
        answer = offer(self, request)
        kiosk.clock.advance(LONGEST_WAY_S + 1)
        return answer

    with monkeypatch.context() as asleep:
        asleep.setattr(Uplink, "offer", slept)
        kiosk.sync.step()
    assert kiosk.cache.contact() is None
    assert kiosk.cache.acks() == kiosk.reader.heads(), "what was slept through is news all the same"
    kiosk.sync.step()
    assert kiosk.cache.contact() is not None
