"""The dispatcher, a step at a time, on a real store and real SMTP servers."""

import logging
from typing import Any

import pytest
from sqlalchemy import delete

from server.config import SmtpSettings
from server.errors import TransportError
from server.notify.dispatcher import LAST_RETRY_S, retry_after_s
from server.notify.mail import MailTransport
from server.notify.transport import Message
from server.store.engine import Store
from server.store.tables import guardian, guardianship
from tests.server import factories as make
from tests.server.notified_house import EMAIL, NAME, RULES, UNDO_S, House, ids
from tests.server.smtp_servers import Postbox, port_of_nobody


def test_a_due_notice_is_sent_under_its_delivery_id(house: House, postbox: Postbox) -> None:
    house.moves()
    assert house.steps_after(UNDO_S) == 1
    (sent,) = house.deliveries
    assert ids(postbox) == [f"<{sent.id}@example.jp>"] == [sent.provider_id]
    assert (sent.state, sent.attempts, sent.lease, sent.leased_until_ms) == ("sent", 1, None, None)
    assert postbox.taken[0][1]["Subject"] == f"{NAME} arrived at 12:00 (Hikari)"


def test_nothing_is_sent_before_it_is_due(house: House, postbox: Postbox) -> None:
    house.moves()
    assert house.steps_after(UNDO_S - 0.001) == 0
    assert postbox.taken == []


def test_nothing_is_sent_twice(house: House, postbox: Postbox) -> None:
    house.moves()
    house.steps_after(UNDO_S)
    assert house.steps_after(100_000) == 0
    assert len(postbox.taken) == 1


def test_a_notice_taken_back_in_time_reaches_nobody(house: House, postbox: Postbox) -> None:
    house.takes_back(house.moves())
    assert house.steps_after(UNDO_S) == 0
    assert postbox.taken == []


def test_a_notice_taken_back_after_it_was_sent_is_corrected_once(house: House, postbox: Postbox) -> None:
    moved = house.moves()
    house.steps_after(UNDO_S)
    house.takes_back(moved)
    house.takes_back(moved)
    house.steps_after(100)
    assert [str(message["Subject"]).partition(":")[0] for _, message in postbox.taken][1:] == ["Correction"]


def test_a_correction_waits_for_the_notice_it_corrects(house: House, postbox: Postbox) -> None:
    moved = house.moves()
    house.clock.advance(UNDO_S)

    class Undoing(MailTransport):
        def send(self, message: Message) -> str:
            house.takes_back(moved)
            house.step()  # another dispatcher takes up the correction meanwhile
            return house.mail.send(message)

    house.step(Undoing(SmtpSettings(), password=None, clock=house.clock))
    assert len(postbox.taken) == 1
    house.steps_after(10)
    assert len(postbox.taken) == 2
    assert str(postbox.taken[1][1]["Subject"]).startswith("Correction")


def test_a_notice_whose_taking_was_not_heard_of_is_corrected_too(house: House, postbox: Postbox) -> None:
    moved = house.moves()
    postbox.hangs_up = True
    house.steps_after(UNDO_S)
    assert len(postbox.taken) == 1
    postbox.hangs_up = False
    house.takes_back(moved)
    for _ in range(5):
        house.steps_after(60)
    assert [str(message["Subject"]).partition(":")[0] for _, message in postbox.taken][1:] == ["Correction"]
    assert {(topic, state) for topic, state, _ in house.states} == {("moved", "cancelled"), ("undone", "sent")}


def test_a_notice_whose_taking_was_not_heard_of_comes_again_under_its_id(house: House, postbox: Postbox) -> None:
    house.moves()
    postbox.hangs_up = True
    house.steps_after(UNDO_S)
    postbox.to_recipient, postbox.hangs_up = "451 busy", False  # an answer that says nothing of the first time
    house.steps_after(60)
    postbox.to_recipient = "250 OK"
    house.steps_after(3600)
    assert len(postbox.taken) == 2
    assert len(set(ids(postbox))) == 1
    assert [row.state for row in house.deliveries] == ["sent"]


def test_a_notice_whose_taking_was_not_heard_of_and_that_is_refused_later_is_corrected(
    house: House, postbox: Postbox
) -> None:
    moved = house.moves()
    postbox.hangs_up = True
    house.steps_after(UNDO_S)
    postbox.to_data, postbox.hangs_up = "554 5.7.1 looks like spam", False
    house.steps_after(60)
    assert [(topic, state) for topic, state, _ in house.states] == [("moved", "failed")]
    postbox.to_data = "250 OK"
    house.takes_back(moved)
    house.steps_after(60)
    assert [str(message["Subject"]).partition(":")[0] for _, message in postbox.taken][1:] == ["Correction"]


def test_nothing_is_corrected_of_which_nothing_was_sent(house: House, postbox: Postbox) -> None:
    moved = house.moves()
    house.clock.advance(UNDO_S)

    class Failing(MailTransport):
        def send(self, message: Message) -> str:
            house.takes_back(moved)
            raise TransportError("gone", permanent=True)

    house.step(Failing(SmtpSettings(), password=None, clock=house.clock))
    house.steps_after(10)
    assert house.states == [("moved", "failed", "gone"), ("undone", "cancelled", "nothing to correct")]
    assert postbox.taken == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"consented_at_ms": None}, "consent withdrawn"),
        ({"suspended_at_ms": make.NOON_MS}, "address suspended"),
    ],
)
def test_a_guardian_who_may_no_longer_be_told_is_not(
    house: House, postbox: Postbox, change: dict[str, Any], reason: str
) -> None:
    house.moves()
    house.change_guardian(**change)
    house.steps_after(UNDO_S)
    assert house.states == [("moved", "cancelled", reason)]
    assert postbox.taken == []


def test_whoever_is_no_longer_the_childs_guardian_is_not_told(house: House, postbox: Postbox) -> None:
    house.moves()
    with house.store.write() as conn:
        conn.execute(delete(guardianship))
    house.steps_after(UNDO_S)
    assert house.states == [("moved", "cancelled", "guardian no more")]
    assert postbox.taken == []


def test_a_notice_of_yesterday_is_no_longer_sent(house: House, postbox: Postbox) -> None:
    house.moves()
    house.steps_after(RULES.give_up_after_s + 1)
    assert house.states == [("moved", "cancelled", "too old")]
    assert postbox.taken == []


@pytest.mark.parametrize(("after_s", "late"), [(RULES.late_after_s, False), (RULES.late_after_s + 1, True)])
def test_a_late_notice_says_so(house: House, postbox: Postbox, after_s: float, late: bool) -> None:
    house.moves()
    house.steps_after(after_s)
    assert ("reaches you late" in postbox.taken[0][1].get_content()) is late


def test_an_unsettled_time_is_told_as_approximate(house: House, postbox: Postbox) -> None:
    house.moves(at_source="unsettled")
    house.steps_after(UNDO_S)
    assert "approximate" in postbox.taken[0][1].get_content()


def test_a_busy_server_is_asked_again_ever_more_rarely(house: House, postbox: Postbox) -> None:
    postbox.to_recipient = "450 4.2.0 greylisted"
    house.moves()
    house.steps_after(UNDO_S)
    waits_s = []
    for _ in range(4):
        due_ms = house.deliveries[0].due_at_ms
        waits_s.append((due_ms - house.clock.read().wall_ms) / 1000)
        house.clock.advance(waits_s[-1])
        assert house.step()
    assert waits_s == [30, 60, 120, 240]
    postbox.to_recipient = "250 OK"
    house.steps_after(1000)
    assert [row.state for row in house.deliveries] == ["sent"]
    assert house.deliveries[0].attempts == 6


def test_a_server_that_is_down_is_asked_every_minute(store: Store, store_url: str) -> None:
    house = House(store, store_url, port_of_nobody())
    house.moves()
    house.steps_after(UNDO_S)
    for _ in range(8):
        assert house.deliveries[0].due_at_ms - house.clock.read().wall_ms == 60_000
        assert house.steps_after(60) == 1


def test_retries_wait_an_hour_at_most() -> None:
    waits_s = [retry_after_s(attempts) for attempts in range(1, 40)]
    assert waits_s == sorted(waits_s)
    assert (waits_s[0], waits_s[-1]) == (30, LAST_RETRY_S)


def test_an_address_that_is_gone_is_suspended_and_the_log_says_whose_without_it(
    house: House, postbox: Postbox, caplog: pytest.LogCaptureFixture
) -> None:
    postbox.to_recipient = "550 5.1.1 no such user"
    house.moves()
    caplog.set_level(logging.DEBUG)
    house.steps_after(UNDO_S)
    assert house.states == [("moved", "failed", "recipient refused with 550")]
    assert make.rows(house.store, guardian)[0].suspended_at_ms == house.clock.read().wall_ms
    assert f"address suspended guardian={house.guardian.id}" in caplog.messages
    house.moves(direction="exit", at_ms=make.NOON_MS + 3_600_000)
    assert len(house.deliveries) == 1


@pytest.mark.parametrize(
    ("to_recipient", "to_data", "state"),
    [
        ("550 5.7.1 relaying denied", "250 OK", "queued"),
        ("250 OK", "554 5.6.0 not wanted", "failed"),
        ("250 OK", "451 4.3.0 later", "queued"),
    ],
)
def test_a_refusal_that_is_not_the_addresss_fault_suspends_nobody(
    house: House, postbox: Postbox, to_recipient: str, to_data: str, state: str
) -> None:
    postbox.to_recipient, postbox.to_data = to_recipient, to_data
    house.moves()
    house.steps_after(UNDO_S)
    assert [row.state for row in house.deliveries] == [state]
    assert make.rows(house.store, guardian)[0].suspended_at_ms is None


@pytest.mark.parametrize("to_recipient", ["250 OK", "450 4.2.0 later", "550 5.1.1 no such user"])
def test_no_log_holds_a_name_or_an_address(
    house: House, postbox: Postbox, caplog: pytest.LogCaptureFixture, to_recipient: str
) -> None:
    postbox.to_recipient = to_recipient
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, logger="mail.log")  # aiosmtpd's own, which is the other side
    moved = house.moves()
    house.steps_after(UNDO_S)
    house.takes_back(moved)
    house.steps_after(10)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("server")]
    assert ours
    assert not [line for line in ours if NAME in line or EMAIL in line or "Hikari" in line]


def test_the_longest_due_goes_first(house: House, postbox: Postbox) -> None:
    house.moves()
    house.moves(direction="exit", at_ms=make.NOON_MS - 5000)
    house.steps_after(60)
    assert [str(message["Subject"]).split()[2] for _, message in postbox.taken] == ["left", "arrived"]
