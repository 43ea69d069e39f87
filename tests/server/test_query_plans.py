"""What is asked at every tap, contact, look and notice stays as fast after years: no table that grows is read whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Row, event

from attendance.clock import ManualClock
from server.catalogues import catalogues
from server.closing import closing_list
from server.headcount import headcount
from server.ledger import accept
from server.neighbours import find_neighbours
from server.notify.dispatcher import DispatchRules, send_next
from server.notify.transport import Message
from server.offer import answer
from server.quarantine import take_out
from server.reports.daily import daily_report
from server.roster_state import presence_part
from server.store.engine import Store
from server.web.watch import figures_by_site
from tests.server import factories as make
from tests.server.factories import DAY, NOON_MS
from tests.server.kiosk_side import Session, offer

GROWING = ("absence", "anchor", "audit", "delivery", "entry", "journal_session", "movement", "nonce", "unknown_card")
PLAN = "EXPLAIN QUERY PLAN "


@contextmanager
def plans(store: Store) -> Iterator[dict[str, list[str]]]:
    """Give the plans of the statements of the block, by statement."""
    seen: dict[str, list[str]] = {}
    with store.read() as conn:
        engine = conn.engine

    def explain(_conn: Any, cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            values = parameters[0] if many else parameters
            seen[statement] = [row[3] for row in cursor.connection.execute(PLAN + statement, values).fetchall()]

    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", explain)


def read_whole(seen: dict[str, list[str]]) -> list[str]:
    """Return the steps of plans that go through a growing table from end to end, or through all of one kiosk or child.

    Those of a kiosk of years are a thousand boots.
    """
    whole = [f"SCAN {table}" for table in GROWING]
    of_one = [f"SEARCH {table}" for table in GROWING]
    steps = {step: " ".join(step.split()[:2]) for plan in seen.values() for step in plan}
    return [
        step
        for step, begins in steps.items()
        if begins in whole or (begins in of_one and step.endswith(("(kiosk_id=?)", "(child_id=?)")))
    ]


@pytest.fixture
def door(store: Store) -> Row[Any]:
    return make.kiosk(store)


def test_contacts_and_taps(store: Store, door: Row[Any]) -> None:
    child = make.child(store, at=door.site_id)
    make.guardian(store, of=child.id)
    session, older = Session(door.id), Session(door.id)
    session.undone(session.moved(child.id))
    session.moved(child.id)
    with plans(store) as seen:
        accept(store, door, older.request(), NOON_MS)
        accept(store, door, session.request(), NOON_MS)
        accept(store, door, session.request(), NOON_MS)
        session.moved(child.id)
        with store.write() as conn:
            answer(conn, door, offer(session, older), NOON_MS)
            presence_part(conn, door, DAY)
    assert len(seen) > 15
    assert read_whole(seen) == []


def test_a_roster_brought_in(store: Store, door: Row[Any]) -> None:
    session = Session(door.id)
    session.undone(session.moved("nobody"))
    with plans(store) as seen:
        assert accept(store, door, session.request(), NOON_MS).quarantined == (1, 2)
        with store.write() as conn:
            take_out(conn, NOON_MS)
    assert read_whole(seen) == []


def test_a_boot_that_never_met_the_server_and_then_does(store: Store, door: Row[Any]) -> None:
    child = make.child(store, at=door.site_id)
    before = Session(door.id, boot="b1")
    accept(store, door, before.request(), NOON_MS)
    assert before.head is not None
    session = Session(door.id, boot="b2", heads=(before.head,))
    session.moved(child.id)
    session.unknown()
    with plans(store) as seen:
        accept(store, door, session.request(), NOON_MS)
        with store.read() as conn:
            assert find_neighbours(conn, door.id, "b2", NOON_MS)
        with store.write() as conn:
            answer(conn, door, offer(session, boot="b2"), NOON_MS)
    assert len(seen) > 15
    assert read_whole(seen) == []


def test_looks_and_reports(store: Store, door: Row[Any]) -> None:
    session = Session(door.id)
    session.unknown()
    session.moved("nobody on the roster")
    assert accept(store, door, session.request(), NOON_MS).quarantined
    with plans(store) as seen, store.read() as conn:
        headcount(conn, door.site_id, NOON_MS)
        figures_by_site(conn, DAY)
        daily_report(conn, [door.site_id], DAY, NOON_MS)
    assert len(seen) > 8
    assert read_whole(seen) == []


def test_what_is_in_quarantine_on_a_day_long_ago(store: Store, door: Row[Any]) -> None:
    session = Session(door.id)
    session.moved("nobody on the roster")
    assert accept(store, door, session.request(), NOON_MS).quarantined
    with plans(store) as seen, store.read() as conn:
        assert closing_list(conn, door.site_id, DAY, NOON_MS)
    assert read_whole(seen) == []
    steps = [step for statement in seen.values() for step in statement]
    assert [step for step in steps if "ix_entry_quarantined" in step]
    of_all = [step for step in steps if step.startswith("SEARCH entry ") and "session=?)" in step]
    assert of_all == [], "every entry of a session is read"


def test_notices(store: Store, door: Row[Any], clock: ManualClock) -> None:
    class Channel:
        name = "mail"

        def send(self, message: Message) -> str:
            return message.delivery_id

        def close(self) -> None:
            pass

    child = make.child(store, at=door.site_id)
    make.guardian(store, of=child.id)
    session = Session(door.id)
    session.moved(child.id)
    accept(store, door, session.request(), NOON_MS)
    clock.advance(60)
    rules = DispatchRules(late_after_s=300, give_up_after_s=86_400, lease_s=120)
    with plans(store) as seen:
        assert send_next(store, {"mail": Channel()}, catalogues(), clock, rules)
    assert len(seen) > 4
    assert read_whole(seen) == []
