"""Sync: what the server lacks goes there, its news comes here, and nothing is lost, believed or repeated wrongly."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from attendance.names import unseal
from attendance.policy import Policy
from attendance.records import Direction, JournalLine
from attendance.roster import Animal, Colour, Holder, Mark
from attendance.wire import ErrorCode, ErrorResponse, OfferResponse, Problem, Receipt, Want, encode
from kiosk.delivery import BATCHES_A_STEP
from kiosk.offers import ALL_HEADS_S
from kiosk.sync import FIRST_BACKOFF_S, LONGEST_BACKOFF_S
from tests.kiosk.sync_parts import BOOT, Kiosk, kiosk_at, model, moved
from tests.model_server import BROKEN, NAMES_KEY, PORTAL, Canned, ModelServer


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model() as running:
        yield running


@pytest.fixture
def kiosk(tmp_path: Path, server: ModelServer) -> Iterator[Kiosk]:
    with kiosk_at(tmp_path, server.url) as one:
        yield one


def refusal(code: ErrorCode, status: int) -> Canned:
    return Canned(status, encode(ErrorResponse(error=Problem(code=code, message="no"))))


def test_a_tap_is_on_the_server_after_one_step(kiosk: Kiosk, server: ModelServer) -> None:
    kiosk.append()
    step = kiosk.sync.step()
    assert server.ledger.sessions == kiosk.held()
    assert (step.again, step.wakeable) == (False, True)
    assert kiosk.cache.acks() == kiosk.reader.heads()


def test_with_nothing_to_send_nothing_is_sent(kiosk: Kiosk, server: ModelServer) -> None:
    kiosk.settle()
    server.requests.clear()
    kiosk.sync.step()
    assert server.requests == [("POST", "/kiosk/v1/offer")]


def test_the_offer_tells_clock_boot_session_and_what_is_unsent(kiosk: Kiosk, server: ModelServer) -> None:
    kiosk.append(moved(), moved())
    kiosk.sync.step()
    kiosk.sync.step()
    first, second = server.offers
    assert (first.now.boot, first.now.session, first.now.at) == (BOOT, kiosk.journal.session, kiosk.clock.read())
    assert (first.health.unsent, second.health.unsent) == (3, 0)
    assert first.heads == tuple(kiosk.reader.heads())
    assert first.health.app == "test"


def test_sessions_that_the_server_holds_whole_are_offered_now_and_then(kiosk: Kiosk, server: ModelServer) -> None:
    for _ in range(3):
        kiosk.reopen()
    kiosk.settle()
    everything, running = tuple(kiosk.reader.heads()), kiosk.reader.heads()[-1]
    kiosk.sync.step()
    kiosk.clock.advance(ALL_HEADS_S - 1)
    kiosk.sync.step()
    kiosk.clock.advance(1)
    kiosk.sync.step()
    assert [offer.heads for offer in server.offers[-3:]] == [(running,), (running,), everything]


def test_a_session_of_which_something_is_unsent_is_always_offered(kiosk: Kiosk, server: ModelServer) -> None:
    kiosk.settle()
    kiosk.append()
    server.poison = "movement"
    kiosk.reopen()
    for _ in range(2):
        kiosk.sync.step()
        assert set(server.offers[-1].heads) == set(kiosk.reader.heads())
        assert server.offers[-1].health.unsent > 0


def test_a_backlog_goes_in_batches_and_the_running_session_first(kiosk: Kiosk, server: ModelServer) -> None:
    for _ in range(6):
        kiosk.append(moved(), moved(), moved())
        kiosk.reopen()
    server.max_batch = 2
    assert kiosk.sync.step()
    assert kiosk.journal.session in server.ledger.sessions
    kiosk.settle()
    assert server.ledger.sessions == kiosk.held()
    assert max(server.batches) == 2
    assert not server.ledger.conflicts


def test_a_batch_never_outgrows_what_a_request_may_hold(kiosk: Kiosk, server: ModelServer) -> None:
    kiosk.append(*(moved(child="x" * 40_000) for _ in range(40)))
    server.largest_body = 2 * 1024 * 1024
    kiosk.settle()
    assert server.ledger.sessions == kiosk.held()
    assert len(server.batches) > 1


def test_roster_presence_rules_and_names_come_to_the_door(kiosk: Kiosk, server: ModelServer) -> None:
    kiosk.sync.step()
    assert kiosk.cache.holder("child-1") == server.holders[0]
    assert kiosk.names_key.read_bytes() == NAMES_KEY
    assert kiosk.names_key.stat().st_mode & 0o777 == 0o600
    assert kiosk.names_key.parent.stat().st_mode & 0o777 == 0o700
    pack = kiosk.cache.sealed_names()
    assert pack is not None
    assert set(unseal(pack, kiosk.names_key.read_bytes())) == {"child-1"}
    assert kiosk.cache.contact() == (kiosk.clock.read().boot_ns, 1_775_012_400_000)


def test_a_new_roster_and_rule_arrive_when_the_version_changes(kiosk: Kiosk, server: ModelServer) -> None:
    kiosk.settle()
    server.holders = (Holder("child-2", Mark(Animal.DOG, Colour.BLUE), ("bb" * 32,)),)
    kiosk.sync.step()
    assert kiosk.cache.holder("child-2") is None
    server.roster_version += 1
    kiosk.sync.step()
    assert kiosk.cache.holder("child-2") == server.holders[0]
    assert kiosk.cache.holder("child-1") is None


def test_movements_of_the_other_door_arrive(kiosk: Kiosk, server: ModelServer, tmp_path: Path) -> None:
    with kiosk_at(tmp_path / "other", server.url) as other:
        other.append(moved(direction=Direction.EXIT))
        other.settle()
    kiosk.sync.step()
    presence = kiosk.cache.presence()
    assert presence is not None
    assert [movement.direction for movement in presence.movements] == [Direction.EXIT]


def test_kiosks_that_share_a_site_ask_often_enough_to_know_of_each_other_within_two_seconds(
    kiosk: Kiosk, server: ModelServer
) -> None:
    server.policy = Policy(kiosks_at_site=2)
    server.roster_version = 2
    kiosk.sync.step()
    assert kiosk.sync.step().wait_s * 1.1 < 1.8
    server.policy = Policy(kiosks_at_site=1)
    server.roster_version = 3
    kiosk.sync.step()
    assert kiosk.sync.step().wait_s == 5.0


def test_after_a_boot_the_names_key_is_fetched_again(kiosk: Kiosk, server: ModelServer) -> None:
    kiosk.settle()
    kiosk.sync.step()
    kiosk.names_key.unlink()
    kiosk.sync.step()
    assert kiosk.names_key.read_bytes() == NAMES_KEY


def test_a_names_key_that_changed_replaces_the_old_one(kiosk: Kiosk, server: ModelServer) -> None:
    kiosk.settle()
    server.names_key, server.roster_version = bytes(32), 2
    kiosk.sync.step()
    assert kiosk.names_key.read_bytes() == bytes(32)


def test_a_server_that_comes_back_from_a_backup_simply_asks_again(kiosk: Kiosk, server: ModelServer) -> None:
    kiosk.append(moved(), moved())
    kiosk.settle()
    backup = server.backup()
    kiosk.append(moved(), moved())
    kiosk.reopen()
    kiosk.append()
    kiosk.settle()
    server.restore(backup)
    kiosk.settle()
    assert server.ledger.sessions == kiosk.held()
    assert not server.ledger.conflicts


def test_a_server_that_comes_back_from_a_backup_has_everything_again_within_two_steps(
    kiosk: Kiosk, server: ModelServer
) -> None:
    kiosk.settle()
    backup = server.backup()
    kiosk.append()
    kiosk.settle()
    kiosk.reopen()
    kiosk.append()
    kiosk.settle()
    server.restore(backup)
    kiosk.clock.advance(5)
    kiosk.sync.step()
    kiosk.sync.step()
    assert server.ledger.sessions == kiosk.held()


def test_acknowledgements_of_sessions_that_were_let_go_are_forgotten(kiosk: Kiosk, server: ModelServer) -> None:
    kiosk.append()
    kiosk.settle()
    kiosk.reopen()
    kiosk.settle()
    old, running = kiosk.reader.heads()
    assert set(kiosk.cache.acks()) == {old, running}
    kiosk.clock.advance(50 * 86_400)
    kiosk.reopen()
    kiosk.settle()
    kiosk.journal.prune(kiosk.cache.acks(), kiosk.clock.read().wall_ms + 50 * 86_400_000)
    assert old not in kiosk.reader.heads()
    kiosk.settle()
    assert set(kiosk.cache.acks()) == set(kiosk.reader.heads())


def test_what_is_acknowledged_shrinks_when_the_server_lost_it(kiosk: Kiosk, server: ModelServer) -> None:
    kiosk.append(moved(), moved())
    kiosk.settle()
    server.ledger.sessions[kiosk.reader.heads()[0].session] = []
    server.poison = "seq"
    kiosk.clock.advance(ALL_HEADS_S)
    kiosk.sync.step()
    assert kiosk.cache.acks() == []


def test_an_answer_lost_after_the_server_took_the_entries_changes_nothing(kiosk: Kiosk, server: ModelServer) -> None:
    kiosk.append()
    session = kiosk.reader.heads()[0].session
    server.once.append(Canned(body=encode(server_offer(session))))
    server.drop_answers = 1
    assert kiosk.sync.step().wakeable is False
    assert server.ledger.sessions == kiosk.held()
    kiosk.settle()
    assert server.ledger.sessions == kiosk.held()
    assert server.batches == [2]


def server_offer(session: str) -> OfferResponse:
    """An offer's answer that wants a session from its beginning."""
    return OfferResponse((Want(session, 0),), 1_775_012_400_000, 500, 0, "1", "v")


def test_requests_that_arrive_twice_change_nothing(kiosk: Kiosk, server: ModelServer) -> None:
    server.double = True
    kiosk.append(moved(), moved())
    kiosk.settle()
    assert server.ledger.sessions == kiosk.held()
    assert not server.ledger.conflicts


@pytest.mark.parametrize("answer", [PORTAL, BROKEN, Canned(body=b"{}")], ids=["portal", "500", "empty"])
def test_nothing_is_taken_for_an_acknowledgement_that_is_none(
    kiosk: Kiosk, server: ModelServer, answer: Canned
) -> None:
    kiosk.append()
    server.always = answer
    for _ in range(3):
        assert not kiosk.sync.step()
    assert kiosk.cache.acks() == []
    assert kiosk.cache.contact() is None
    server.always = None
    kiosk.settle()
    assert server.ledger.sessions == kiosk.held()


def test_waits_grow_while_the_server_is_away_and_are_not_cut_short_by_taps(kiosk: Kiosk, server: ModelServer) -> None:
    server.always = BROKEN
    steps = [kiosk.sync.step() for _ in range(10)]
    waits = [step.wait_s for step in steps]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (FIRST_BACKOFF_S * 0.75, LONGEST_BACKOFF_S * 0.75)
    assert not any(step.wakeable for step in steps)
    server.always = None
    assert kiosk.sync.step().wakeable
    server.always = BROKEN
    assert kiosk.sync.step().wait_s == waits[0]


def test_a_server_that_names_a_time_is_not_asked_before(kiosk: Kiosk, server: ModelServer) -> None:
    busy = encode(ErrorResponse(error=Problem(code=ErrorCode.BUSY, message="later")))
    server.always = Canned(503, busy, headers={"Retry-After": "120"})
    assert kiosk.sync.step().wait_s == 120


def test_a_stranger_between_kiosk_and_server_does_not_silence_it_for_an_hour(kiosk: Kiosk, server: ModelServer) -> None:
    server.always = Canned(503, PORTAL.body, PORTAL.content_type, {"Retry-After": "3600"})
    assert kiosk.sync.step().wait_s <= LONGEST_BACKOFF_S


def test_a_server_that_asks_for_patience_gets_it(kiosk: Kiosk, server: ModelServer) -> None:
    server.backoff_ms = 30_000
    kiosk.append()
    step = kiosk.sync.step()
    assert (step.again, step.wait_s, step.wakeable) == (False, 30.0, False)
    assert server.ledger.sessions == kiosk.held()


def test_a_server_away_is_logged_when_it_goes_and_when_it_comes(
    kiosk: Kiosk, server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="kiosk.sync")
    kiosk.sync.step()
    for answer in (BROKEN, BROKEN, BROKEN, None, None):
        server.always = answer
        kiosk.sync.step()
    said = [record.getMessage().split(" trouble")[0] for record in caplog.records]
    assert said == ["server away", "server back failures=3"]


def test_another_entry_in_our_place_is_a_loud_fault_and_acknowledges_nothing(
    kiosk: Kiosk, server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    kiosk.append()
    (head,) = kiosk.reader.heads()
    server.ledger.sessions[head.session] = [JournalLine("{}", "ee" * 32)] * 2
    kiosk.sync.step()
    kiosk.sync.step()
    assert kiosk.cache.acks() == []
    assert server.offers[-1].health.problems == ("chain_differs",)
    assert sum("chain_differs" in record.getMessage() for record in caplog.records) == 1


def test_a_server_that_does_not_take_our_stretch_for_the_rest_of_what_it_holds_has_acknowledged_nothing(
    kiosk: Kiosk, server: ModelServer
) -> None:
    kiosk.append(moved(), moved())
    session = kiosk.journal.session or ""
    for _ in range(2):
        server.once.append(Canned(body=encode(OfferResponse((Want(session, 1),), 1_775_012_400_000, 500, 0, "1", "v"))))
        server.once.append(Canned(body=encode(Receipt(session, -1, ""))))
        server.once.append(BROKEN)
        kiosk.sync.step()
    assert kiosk.cache.acks() == []
    kiosk.settle()
    assert server.ledger.sessions == kiosk.held()
    assert kiosk.cache.acks() == kiosk.reader.heads()


def test_a_receipt_for_entries_we_never_wrote_acknowledges_nothing(kiosk: Kiosk, server: ModelServer) -> None:
    kiosk.append()
    (head,) = kiosk.reader.heads()
    server.once.append(Canned(body=encode(server_offer(head.session))))
    server.once.append(Canned(body=encode(Receipt(head.session, head.seq + 5, "ee" * 32))))
    kiosk.sync.step()
    assert kiosk.cache.acks() == []


def test_a_batch_that_the_server_cannot_take_is_halved(kiosk: Kiosk, server: ModelServer) -> None:
    kiosk.append(*(moved() for _ in range(30)))
    server.largest_body = 4_000
    kiosk.settle()
    assert server.ledger.sessions == kiosk.held()


def test_an_entry_that_is_refused_is_reported_kept_and_offered_again(
    kiosk: Kiosk, server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    kiosk.append(moved(), moved(child="poison"), moved())
    bad = kiosk.journal.session
    assert bad is not None
    kiosk.reopen()
    kiosk.append()
    server.poison = "poison"
    for _ in range(4):
        kiosk.sync.step()
    held = kiosk.held()
    assert server.ledger.sessions[bad] == held[bad][:2]
    assert server.ledger.sessions[kiosk.journal.session or ""] == held[kiosk.journal.session or ""]
    assert set(server.offers[-1].health.problems) == {"entry_refused"}
    assert any(f"session={bad} seq=2" in record.getMessage() for record in caplog.records)
    server.poison = None
    kiosk.settle()
    assert server.ledger.sessions == kiosk.held()
    kiosk.sync.step()
    assert not server.offers[-1].health.problems


def test_sessions_that_do_not_go_forward_let_the_others_pass(kiosk: Kiosk, server: ModelServer) -> None:
    for _ in range(2 * BATCHES_A_STEP):
        kiosk.append(moved(child="poison"))
        kiosk.reopen()
    for _ in range(BATCHES_A_STEP):
        kiosk.append()
        kiosk.reopen()
    kiosk.append()
    server.poison = "poison"
    for _ in range(12):
        kiosk.sync.step()
    held = kiosk.held()
    whole = [session for session in held if server.ledger.sessions.get(session) == held[session]]
    assert len(whole) == BATCHES_A_STEP + 1


def test_a_server_that_takes_nothing_does_not_make_the_kiosk_run_hot(kiosk: Kiosk, server: ModelServer) -> None:
    kiosk.append()
    (head,) = kiosk.reader.heads()
    for _ in range(3):
        server.once.append(Canned(body=encode(server_offer(head.session))))
        server.once.append(Canned(body=encode(Receipt(head.session, -1, ""))))
        server.once.append(BROKEN)
        assert not kiosk.sync.step()


def test_a_server_that_asks_again_and_again_for_what_it_holds_does_not_make_the_kiosk_run_hot(
    kiosk: Kiosk, server: ModelServer
) -> None:
    kiosk.append(moved(), moved())
    (first, *_) = kiosk.held()[kiosk.journal.session or ""]
    offer = OfferResponse((Want(kiosk.journal.session or "", 1),), 1_775_012_400_000, 500, 0, "1", "v")
    server.once.append(Canned(body=encode(offer)))
    server.once.append(Canned(body=encode(Receipt(kiosk.journal.session or "", 0, first.hash))))
    step = kiosk.sync.step()
    assert step.wakeable
    assert not step


def test_a_want_for_what_we_do_not_hold_is_passed_over(kiosk: Kiosk, server: ModelServer) -> None:
    server.once.append(Canned(body=encode(server_offer("never-ours"))))
    assert not kiosk.sync.step()
    assert server.batches == []


def test_no_name_and_no_key_is_logged(kiosk: Kiosk, server: ModelServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    kiosk.append()
    kiosk.settle()
    server.always = BROKEN
    kiosk.sync.step()
    said = caplog.text
    assert "山田" not in said
    assert "child-1" not in said
    assert NAMES_KEY.hex() not in said


@pytest.mark.parametrize(
    "changed",
    [
        {"time_ms": -1},
        {"time_ms": 10**18},
        {"time_ms": 10**30},
        {"backoff_ms": 10**30},
        {"max_batch": 10**30},
        {"max_batch": -1},
    ],
)
def test_an_answer_with_a_number_that_cannot_be_is_no_answer_and_ends_nothing(
    kiosk: Kiosk, server: ModelServer, changed: dict[str, int]
) -> None:
    kiosk.append()
    good = {"want": [], "time_ms": 0, "max_batch": 500, "backoff_ms": 0, "roster_version": "1", "presence_version": "v"}
    server.once.append(Canned(body=json.dumps(good | changed).encode()))
    step = kiosk.sync.step()
    assert not step.wakeable
    assert kiosk.cache.contact() is None
    assert kiosk.cache.acks() == []


@pytest.mark.parametrize("through", [-2, 2**31, 10**30])
def test_a_receipt_that_cannot_be_is_no_answer_and_ends_nothing(
    kiosk: Kiosk, server: ModelServer, through: int
) -> None:
    kiosk.append()
    session = kiosk.journal.session or ""
    receipt = {"session": session, "through": through, "hash": ""}
    server.once.append(Canned(body=encode(server_offer(session))))
    server.once.append(Canned(body=json.dumps(receipt).encode()))
    assert not kiosk.sync.step().wakeable
    assert kiosk.cache.acks() == []
