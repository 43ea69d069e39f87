"""A restored server is brought again what it told guardians: no second notice, and a correction where one is due."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import Row

import tests.server.factories as make
from attendance.clock import ManualClock, from_ms
from attendance.records import Direction
from server.backup.restore import take_as_sent
from server.catalogues import catalogues
from server.ledger import accept
from server.notify.dispatcher import DispatchRules, send_next
from server.notify.outbox import MAIL
from server.notify.transport import Message
from server.store.engine import Store
from server.store.tables import delivery
from tests.server.factories import NOON_MS
from tests.server.kiosk_side import Session


@pytest.fixture
def door(store: Store) -> Row[Any]:
    return make.kiosk(store)


@pytest.fixture
def child_id(store: Store, door: Row[Any]) -> str:
    held: str = make.child(store, at=door.site_id).id
    make.guardian(store, of=held)
    return held


def bring(store: Store, door: Row[Any], session: Session, *, told: int) -> list[tuple[str, str]]:
    """Bring all of a session to a server that lacks it; the topics and states of the notices, in order."""
    accept(store, door, msgspec.structs.replace(session.request(), told=told), NOON_MS + 120_000)
    return sorted((row.topic, row.state) for row in make.rows(store, delivery))


class Mailbox:
    """A transport that takes everything."""

    name = MAIL

    def __init__(self) -> None:
        self.taken: list[Message] = []

    def send(self, message: Message) -> str:
        self.taken.append(message)
        return message.delivery_id

    def close(self) -> None:
        """Nothing is open."""


def test_what_was_told_is_noted_and_not_told_again(store: Store, door: Row[Any], child_id: str) -> None:
    session = Session(door.id)
    told = session.moved(child_id)
    assert bring(store, door, session, told=told) == [("moved", "sent")]


def test_an_undo_that_is_news_corrects_what_was_told(store: Store, door: Row[Any], child_id: str) -> None:
    session = Session(door.id)
    told = session.moved(child_id)
    session.undone(told)
    assert bring(store, door, session, told=told) == [("moved", "sent"), ("undone", "queued")]


def test_an_undo_that_was_told_is_not_told_again(store: Store, door: Row[Any], child_id: str) -> None:
    session = Session(door.id)
    told = session.undone(session.moved(child_id))
    assert bring(store, door, session, told=told) == [("moved", "sent")]


def test_the_other_read_of_a_walk_that_is_taken_back_was_told(store: Store, door: Row[Any], child_id: str) -> None:
    session = Session(door.id)
    session.moved(child_id, at_s=1)
    again = session.moved(child_id, at_s=3)
    session.undone(again)
    assert bring(store, door, session, told=again) == [("moved", "cancelled"), ("moved", "sent")]


def test_what_is_new_is_told(store: Store, door: Row[Any], child_id: str) -> None:
    session = Session(door.id)
    told = session.moved(child_id, at_s=1)
    session.moved(child_id, Direction.EXIT, at_s=3)
    assert bring(store, door, session, told=told) == [("moved", "queued"), ("moved", "sent")]


def test_a_notice_that_waited_in_the_backup_is_corrected_since_it_may_have_come(
    store: Store, door: Row[Any], child_id: str
) -> None:
    """The dispatcher sent it after the backup, the server was lost, and then the child took the movement back."""
    session = Session(door.id)
    told = session.moved(child_id)
    accept(store, door, session.request(), NOON_MS + 1_000)
    take_as_sent(store, NOON_MS + 60_000)
    session.undone(told)
    assert bring(store, door, session, told=told) == [("moved", "sent"), ("undone", "queued")]
    mailbox = Mailbox()
    clock = ManualClock(from_ms(NOON_MS + 180_000))
    rules = DispatchRules(late_after_s=600, give_up_after_s=86_400, lease_s=60)
    while send_next(store, {MAIL: mailbox}, catalogues(), clock, rules):
        pass
    assert len(mailbox.taken) == 1


def test_a_correction_that_waited_in_the_backup_is_not_sent_again(store: Store, door: Row[Any], child_id: str) -> None:
    session = Session(door.id)
    told = session.moved(child_id)
    accept(store, door, session.request(), NOON_MS + 1_000)
    take_as_sent(store, NOON_MS + 60_000)
    undone = session.undone(told)
    bring(store, door, session, told=told)
    take_as_sent(store, NOON_MS + 120_000)
    assert bring(store, door, session, told=undone) == [("moved", "sent"), ("undone", "sent")]
