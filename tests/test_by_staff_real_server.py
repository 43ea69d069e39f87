"""A child without a card, along the whole straight line: the office's PIN, the door, headcount, notice and page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from attendance.records import Direction
from kiosk.answer import Answer, AnswerKind, Whereabouts
from kiosk.by_staff import NoPin, Opened, StaffDesk, WrongPin
from kiosk.door import Door
from kiosk.name_book import NameBook
from server.store.engine import sqlite_url, using_store
from server.store.tables import delivery, movement
from tests.kiosk.door_parts import UID_KEY, Shown
from tests.kiosk.sync_parts import Kiosk
from tests.server.smtp_servers import smtp_server
from tests.test_sync_real_server import RealServer, enrolled, kiosk_in, present

pytestmark = pytest.mark.xdist_group("real server")
PIN = "4711"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    running = RealServer(tmp_path_factory.mktemp("server"))
    yield running
    running.stop()


def door_of(kiosk: Kiosk) -> Door:
    return Door(
        journal=kiosk.journal,
        cache=kiosk.cache,
        clock=kiosk.clock,
        uid_key=UID_KEY,
        names=NameBook(kiosk.cache, kiosk.names_key),
        display=Shown(),
    )


def opened(desk: StaffDesk, pin: str = PIN) -> str:
    unlocking = desk.unlock(pin)
    assert isinstance(unlocking, Opened)
    return unlocking.token


def test_staff_enter_a_child_whom_headcount_and_guardian_then_know(server: RealServer, tmp_path: Path) -> None:
    server.command("sites", "set", "sakura", "undo_s=0")
    server.command("sites", "pin", "sakura", "--pin", PIN)
    with kiosk_in(enrolled(server, tmp_path / "door"), server.url) as kiosk:
        desk = StaffDesk(door_of(kiosk), kiosk.clock)
        token = opened(desk)
        there = desk.children(token)
        assert not isinstance(there, str)
        assert all(each.name is not None and each.whereabouts is Whereabouts.NOT_YET for each in there)
        entered = []
        for each in there[:3]:
            answer = desk.enter(token, each.child, Direction.ENTRY)
            assert isinstance(answer, Answer)
            assert (answer.kind, answer.name) == (AnswerKind.IN, each.name)
            entered.append(each.child)
        assert present(kiosk) == set(entered)
    with using_store(sqlite_url(server.data / "tadaima.db")) as store, store.read() as conn:
        rows = conn.execute(select(movement.c.child_id, movement.c.made_by)).all()
        assert {(row.child_id, row.made_by) for row in rows} == {(child, "staff") for child in entered}
        waiting = conn.execute(select(delivery.c.id)).all()
        assert waiting
    with smtp_server() as postbox:
        with (server.data.parent / "server.toml").open("a") as file:
            file.write(f'[smtp]\nport = {postbox.port}\nsender = "Tadaima <tadaima@example.com>"\n')
        server.command("dispatch", "--once")
        assert len(postbox.taken) == len(waiting)


def test_a_new_pin_reaches_the_kiosk_and_a_removed_one_leaves_it(server: RealServer, tmp_path: Path) -> None:
    server.command("sites", "pin", "sakura", "--pin", PIN)
    with kiosk_in(enrolled(server, tmp_path / "pins"), server.url) as kiosk:
        door = door_of(kiosk)
        desk = StaffDesk(door, kiosk.clock)
        token = opened(desk)
        server.command("sites", "pin", "sakura", "--pin", "9753")
        kiosk.settle()
        assert not desk.stay(token, touched=True)
        assert desk.unlock(PIN) == WrongPin()
        opened(desk, "9753")
        assert door.status(()).by_staff
        server.command("sites", "pin", "sakura", "--remove")
        kiosk.settle()
        assert desk.unlock("9753") == NoPin()
        assert not door.status(()).by_staff
