"""Dispatchers that are killed, overtaken, stopped, or live through a clock that is set back."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import update

from server.config import SmtpSettings
from server.errors import TransportError
from server.notify.cli import dispatch_until
from server.notify.mail import MailTransport
from server.notify.transport import Message
from server.store.engine import open_store
from server.store.tables import delivery, guardian
from tests.server import factories as make
from tests.server.notified_house import RULES, UNDO_S, House, ids
from tests.server.smtp_servers import Postbox

ROOT = Path(__file__).parents[2]


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


def test_a_notice_queued_before_the_clock_was_set_back_does_not_wait(house: House, postbox: Postbox) -> None:
    house.clock.advance(9 * 3600)  # as when it was taken for local time until NTP came
    house.moves()
    house.clock.advance(-9 * 3600)
    assert house.steps_after(0) == 1
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
    house.steps_after(0)
    assert house.steps_after(RULES.lease_s + 1) == 1
    assert len(postbox.taken) == 1


def test_a_mail_under_way_while_the_clock_is_set_back_is_not_sent_by_another(house: House, postbox: Postbox) -> None:
    class SetBack(MailTransport):
        def send(self, message: Message) -> str:
            house.clock.advance(-9 * 3600)
            assert not house.step(), "another dispatcher leaves it alone"
            return house.mail.send(message)

    house.moves()
    house.clock.advance(UNDO_S)
    house.step(SetBack(SmtpSettings(), password=None, clock=house.clock))
    assert [row.state for row in house.deliveries] == ["sent"]
    assert len(postbox.taken) == 1


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
