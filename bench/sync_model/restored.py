"""Servers that break one rule of coming back from a backup each, and for each the events that it shows in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, Row, update

from attendance.records import AttendanceRecord, Direction, Moved
from bench.sync_model.server import CHILDREN
from bench.sync_model.world import World
from server import ledger, quarantine
from server.ledger import _Strangers
from server.store.engine import Store
from server.store.ids import new_id
from server.store.tables import delivery, kiosk

LATE_CHILD = CHILDREN
_CORRECTIONS = "SELECT count(*) FROM delivery WHERE topic = 'undone' AND state = 'queued'"
_held, _owner = ledger._held, ledger._owner
_unknown_child = quarantine.unknown_child


@contextmanager
def unknown_names_refused() -> Iterator[None]:
    """The server takes nothing that was written under a name it does not know."""

    def owner(conn: Connection, sender: Row[Any], named: str) -> str | None:
        known = conn.execute(kiosk.select().where(kiosk.c.id == named)).first()
        return _owner(conn, sender, named) if known else None

    with patch("server.ledger._owner", owner):
        yield


@contextmanager
def unknown_names_forgotten() -> Iterator[None]:
    """The server forgets between two messages under which name a session is written."""

    def held(conn: Connection, sender: Row[Any], name: str) -> Any:
        session = _held(conn, sender, name)
        session.named = session.owner
        return session

    with patch("server.ledger._held", held):
        yield


@contextmanager
def ids_at_random() -> Iterator[None]:
    """A child that is brought in again gets another id than it had."""
    with patch("server.roster.apply.child_id_of", lambda _master, _number: new_id()):
        yield


@contextmanager
def strangers_for_good() -> Iterator[None]:
    """What was kept of a child that nobody knew stays there when somebody does."""
    with patch("server.quarantine.take_out", lambda _conn, _now_ms: 0):
        yield


@contextmanager
def strangers_told_again() -> Iterator[None]:
    """The server forgets that it told of the child before."""
    with patch("server.quarantine.unknown_child", lambda **_: _unknown_child(told=False)):
        yield


@contextmanager
def undo_without_its_movement() -> Iterator[None]:
    """What takes back a movement that waits for its child does not wait with it."""

    def concerned(self: _Strangers, record: AttendanceRecord) -> bool:
        return isinstance(record.body, Moved) and record.body.child not in self.known

    with patch.object(_Strangers, "concerned", concerned):
        yield


@contextmanager
def waiting_forgotten() -> Iterator[None]:
    """Notices that waited in the backup count as never sent."""

    def forget(store: Store, now_ms: int) -> int:
        with store.write() as conn:
            waiting = update(delivery).where(delivery.c.state == "queued")
            return conn.execute(waiting.values(state="cancelled", settled_at_ms=now_ms, reason="restored")).rowcount

    with patch("bench.sync_model.server.take_as_sent", forget):
        yield


@contextmanager
def waiting_sent_again() -> Iterator[None]:
    """Notices that waited in the backup are sent as if nothing had been."""
    with patch("bench.sync_model.server.take_as_sent", lambda _store, _now_ms: 0):
        yield


def before_an_enrolment(world: World) -> None:
    """A kiosk was enrolled, and wrote and told of a movement, after the backup."""
    world.enrol_anew(0)
    world.tap(0, 0, Direction.ENTRY, 1)
    world.settle()
    world.restore(0)


def in_two_messages(world: World) -> None:
    """A session that was written under such a name comes in parts, since something on the way refuses one entry."""
    world.enrol_anew(0)
    world.tap(0, 0, Direction.ENTRY, 3)
    world.restore(0)
    world.enrol_anew(0)
    world.poison(0, -3)
    world.sync(0)


def before_a_child(world: World) -> None:
    """A child was enrolled, and told of, after the backup; what kiosks say of it comes before the roster."""
    world.tap(0, LATE_CHILD, Direction.ENTRY, 1)
    world.settle()
    world.restore(0)
    world.sync(0)


def before_a_child_that_took_it_back(world: World) -> None:
    """The same, and the child takes it back before the roster comes."""
    before_a_child(world)
    world.undo(0)


def before_a_notice_went(world: World) -> None:
    """A notice waited when the backup was made, and was sent; then the child takes its movement back."""
    world.tap(0, 0, Direction.ENTRY, 1)
    world.settle()
    world.back_up()
    world.restore(-1)
    world.undo(0)
    world.settle()
    assert world.server.ask(_CORRECTIONS) == [(1,)], "a guardian was told, and not told better"


def waiting_in_the_backup(world: World) -> None:
    """A notice waited when the backup was made, and was sent."""
    world.tap(0, 0, Direction.ENTRY, 1)
    world.settle()
    world.back_up()
    world.restore(-1)
    assert world.server.ask("SELECT count(*) FROM delivery WHERE state = 'queued'") == [(0,)], "a notice comes twice"


MUTANTS: dict[str, Callable[[], Any]] = {
    "names that a restored server does not know are refused": unknown_names_refused,
    "names that a restored server does not know are forgotten": unknown_names_forgotten,
    "ids of children are drawn at random": ids_at_random,
    "what waits for its child waits for ever": strangers_for_good,
    "what waits for its child is told again": strangers_told_again,
    "an undo does not wait for its child": undo_without_its_movement,
    "what waited in a backup was never sent": waiting_forgotten,
    "what waited in a backup is sent again": waiting_sent_again,
}
EVENTS: dict[str, Callable[[World], None]] = {
    "names that a restored server does not know are refused": before_an_enrolment,
    "names that a restored server does not know are forgotten": in_two_messages,
    "ids of children are drawn at random": before_a_child,
    "what waits for its child waits for ever": before_a_child,
    "what waits for its child is told again": before_a_child,
    "an undo does not wait for its child": before_a_child_that_took_it_back,
    "what waited in a backup was never sent": before_a_notice_went,
    "what waited in a backup is sent again": waiting_in_the_backup,
}
