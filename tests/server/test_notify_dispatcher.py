"""The dispatcher, a step at a time, on a real store and real SMTP servers."""

import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, delete, update

from attendance.clock import ManualClock
from server.catalogues import catalogues
from server.config import SmtpSettings
from server.errors import TransportError
from server.notify.cli import dispatch_until
from server.notify.dispatcher import LAST_RETRY_S, DispatchRules, retry_after_s, send_next
from server.notify.mail import MailTransport
from server.notify.outbox import queue_moved, queue_undone
from server.notify.transport import Message, Transport
from server.store.engine import Store, open_store
from server.store.tables import delivery, guardian, guardianship, movement
from tests.server import factories as make
from tests.server.smtp_servers import Postbox, port_of_nobody, smtp_server

ROOT = Path(__file__).parents[2]
RULES = DispatchRules(late_after_s=300, give_up_after_s=86_400, lease_s=120)
NAME = "Aoki Sakura"
EMAIL = "hogosha@example.jp"
UNDO_S = 8


class House:
    """A child who came in, a guardian to be told, and a dispatcher with a clock."""

    def __init__(self, store: Store, url: str, port: int) -> None:
        self.store, self.url = store, url
        self.clock = ManualClock(make.NOON)
        settings = SmtpSettings(port=port, sender="tadaima@example.jp", timeout_s=5)
        self.mail = MailTransport(settings, password=None, clock=self.clock)
        self.site = make.site(store, name="Hikari", undo_s=UNDO_S)
        self.child = make.child(store, at=self.site.id, name=NAME)
        self.guardian = make.guardian(store, of=self.child.id, email=EMAIL, language="en")

    def moves(self, **values: Any) -> Row[Any]:
        """Let the child move, and queue the notice."""
        moved = make.movement(self.store, site_id=self.site.id, child_id=self.child.id, **values)
        with self.store.write() as conn:
            queue_moved(conn, [moved.id], self.clock.read().wall_ms)
        return moved

    def takes_back(self, moved: Row[Any]) -> None:
        now_ms = self.clock.read().wall_ms
        with self.store.write() as conn:
            conn.execute(update(movement).where(movement.c.id == moved.id).values(undone_at_ms=now_ms))
            queue_undone(conn, moved.id, now_ms)

    def step(self, transport: Transport | None = None) -> bool:
        """One step of the dispatcher."""
        return send_next(self.store, {"mail": transport or self.mail}, catalogues(), self.clock, RULES)

    def steps_after(self, seconds: float) -> int:
        """Let time pass and step until nothing is due; how many steps there were."""
        self.clock.advance(seconds)
        steps = 0
        while self.step():
            steps += 1
        return steps

    def change_guardian(self, **values: Any) -> None:
        with self.store.write() as conn:
            conn.execute(update(guardian).values(**values))

    @property
    def deliveries(self) -> list[Row[Any]]:
        return make.rows(self.store, delivery)

    @property
    def states(self) -> list[tuple[str, str, str | None]]:
        return [(row.topic, row.state, row.reason) for row in self.deliveries]


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    with smtp_server() as opened:
        yield opened


@pytest.fixture
def house(store: Store, store_url: str, postbox: Postbox) -> Iterator[House]:
    made = House(store, store_url, postbox.port)
    yield made
    made.mail.close()


def ids(postbox: Postbox) -> list[str]:
    return [str(message["Message-ID"]) for _, message in postbox.taken]


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


def test_a_notice_queued_before_the_clock_was_set_back_does_not_wait(house: House, postbox: Postbox) -> None:
    house.clock.advance(9 * 3600)  # as when it was taken for local time until NTP came
    house.moves()
    house.clock.advance(-9 * 3600)
    postbox.to_recipient = "451 busy"
    assert house.steps_after(0) == 1, "it waits, or hurries when it is to come later"
    postbox.to_recipient = "250 OK"
    assert house.steps_after(60) == 1
    assert len(postbox.taken) == 1


@pytest.mark.parametrize("failure", [TransportError("busy", permanent=False), KeyboardInterrupt()])
def test_nor_does_one_that_was_tried_in_vain(house: House, postbox: Postbox, failure: BaseException) -> None:
    class Failing(MailTransport):
        def send(self, message: Message) -> str:
            raise failure

    house.moves()
    house.clock.advance(9 * 3600)
    with suppress(KeyboardInterrupt):  # the dispatcher ends in the midst
        house.step(Failing(SmtpSettings(), password=None, clock=house.clock))
    house.clock.advance(-9 * 3600)
    assert house.steps_after(UNDO_S) == 1
    assert len(postbox.taken) == 1


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


@pytest.mark.parametrize(("moment", "copies"), [("before", 1), ("after", 2)])
def test_a_dispatcher_that_is_killed_loses_nothing_and_a_repeat_is_known_by_its_id(
    house: House, postbox: Postbox, moment: str, copies: int
) -> None:
    house.clock.advance(-60)  # due by the clock of the process, which stands at noon
    house.moves(at_ms=make.NOON_MS - 60_000)
    house.clock.advance(60)
    command = [sys.executable, "-m", "tests.server.killed_dispatcher", house.url, str(postbox.port), moment]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert house.states == [("moved", "queued", None)]
    assert house.steps_after(RULES.lease_s) == 0
    assert house.steps_after(1) == 1
    assert ids(postbox) == [f"<{house.deliveries[0].id}@example.jp>"] * copies
    assert house.states == [("moved", "sent", None)]


def test_what_a_killed_dispatcher_may_have_sent_is_corrected_when_it_is_taken_back(
    house: House, postbox: Postbox
) -> None:
    moved = house.moves()
    with house.store.write() as conn:
        until_ms = make.NOON_MS + round(RULES.lease_s * 1000)
        conn.execute(update(delivery).values(lease="of a dead one", leased_until_ms=until_ms))
    house.takes_back(moved)
    house.steps_after(UNDO_S)
    assert postbox.taken == []
    house.steps_after(RULES.lease_s)
    house.steps_after(10)
    assert [str(message["Subject"]).partition(":")[0] for _, message in postbox.taken] == ["Correction"]
    assert house.states == [("moved", "cancelled", "undone"), ("undone", "sent", None)]


def test_a_lease_that_passed_to_another_is_not_settled_by_the_first(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.moves()
    house.clock.advance(UNDO_S)

    class Slow(MailTransport):
        def send(self, message: Message) -> str:
            house.clock.advance(RULES.lease_s + 1)
            house.step()  # another dispatcher sends it
            raise TransportError("too late", permanent=True, address_refused=True)

    house.step(Slow(SmtpSettings(), password=None, clock=house.clock))
    assert house.states == [("moved", "sent", None)]
    assert make.rows(house.store, guardian)[0].suspended_at_ms is None
    assert f"lease lost id={house.deliveries[0].id}" in caplog.messages


def test_a_delivery_that_another_is_sending_is_left_to_it(house: House) -> None:
    house.moves()
    house.clock.advance(UNDO_S)

    class Overtaken(MailTransport):
        def send(self, message: Message) -> str:
            with house.store.write() as conn:
                conn.execute(update(delivery).values(lease="of another"))
            return "too late"

    house.step(Overtaken(SmtpSettings(), password=None, clock=house.clock))
    (held,) = house.deliveries
    assert (held.state, held.lease, held.provider_id) == ("queued", "of another", None)


def test_two_dispatchers_at_once_double_nothing(house: House, postbox: Postbox) -> None:
    for number in range(20):
        house.moves(direction=("entry", "exit")[number % 2], at_ms=make.NOON_MS + number * 1000)
    house.clock.advance(60)
    errors: list[BaseException] = []

    def work() -> None:
        store = open_store(house.url)
        settings = SmtpSettings(port=postbox.port, sender="tadaima@example.jp", timeout_s=5)
        mail = MailTransport(settings, password=None, clock=house.clock)
        try:
            dispatch_until(threading.Event(), store, mail, house.clock, RULES, once=True)
        except BaseException as error:
            errors.append(error)
        finally:
            mail.close()
            store.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []
    assert len(set(ids(postbox))) == len(ids(postbox)) == 20


def test_the_longest_due_goes_first(house: House, postbox: Postbox) -> None:
    house.moves()
    house.moves(direction="exit", at_ms=make.NOON_MS - 5000)
    house.steps_after(60)
    assert [str(message["Subject"]).split()[2] for _, message in postbox.taken] == ["left", "arrived"]


def test_a_dispatcher_that_is_told_to_stop_stops(house: House, postbox: Postbox) -> None:
    house.moves()
    stop = threading.Event()
    stop.set()
    house.clock.advance(60)
    dispatch_until(stop, house.store, house.mail, house.clock, RULES, once=False)
    assert postbox.taken == []


def test_a_dispatcher_outlives_a_database_that_is_not_there_and_says_so_once(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("server.notify.cli.FAULT_S", 0.01)
    stop = threading.Event()
    missing = open_store(f"sqlite:///{tmp_path}/no-such-folder/tadaima.db")
    worker = threading.Thread(
        target=dispatch_until, args=(stop, missing, house.mail, house.clock, RULES), kwargs={"once": False}
    )
    worker.start()
    wait_until(lambda: any("store unusable" in line for line in caplog.messages))
    stop.set()
    worker.join()
    missing.close()
    assert sum("store unusable" in line for line in caplog.messages) == 1


def wait_until(holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if holds():
            return
        pause.wait(0.01)
    pytest.fail("it did not happen within half a minute")
