"""Between which instants a boot lies that never met the server: only what is proved of the boots around it counts."""

from typing import Any

import pytest
from sqlalchemy import Row

from attendance.clock import ClockState
from server.ledger import accept
from server.neighbours import find_neighbours
from server.store.engine import Store
from server.store.tables import anchor, movement
from server.timeline import Neighbours
from tests.server import factories as make
from tests.server.factories import NOON_MS
from tests.server.kiosk_side import S, Session, reading

DAY_MS = 86_400_000


@pytest.fixture
def door(store: Store) -> Row[Any]:
    """A kiosk enrolled 60 days ago that met the server in boots 50 and 10 days ago."""
    made = make.kiosk(store, enrolled_at_ms=NOON_MS - 60 * DAY_MS)
    for days in (50, 10):
        known(store, made, f"ab{days}", days)
    return made


def known(store: Store, door: Row[Any], boot: str, days: int) -> None:
    at_ms = NOON_MS - days * DAY_MS
    make.link(store, anchor, kiosk_id=door.id, boot=boot, boot_ns=0, server_ms=at_ms, err_ms=1000)


def take(store: Store, door: Row[Any], session: Session) -> Session:
    assert accept(store, door, session.request(), NOON_MS).quarantined == ()
    return session


def around(store: Store, door: Row[Any], boot: str) -> Neighbours:
    with store.read() as conn:
        found = find_neighbours(conn, door.id, boot, NOON_MS)
    assert found is not None
    return found


@pytest.mark.parametrize("state", [ClockState.RTC, ClockState.NTP])
def test_a_boot_whose_journal_was_set_aside_is_not_taken_to_be_before_those_that_it_does_not_name(
    store: Store, door: Row[Any], state: ClockState
) -> None:
    child = make.child(store, at=door.site_id)
    true_ms = NOON_MS - 2 * DAY_MS
    session = Session(door.id, boot="b2", opened_at=reading(boot_ns=S, wall_ms=true_ms, state=ClockState.RTC))
    err_ms = 20 if state is ClockState.NTP else None
    session.moved(child.id, boot_ns=S, wall_ms=true_ms, state=state, wall_err_ms=err_ms)
    take(store, door, session)
    [row] = make.rows(store, movement)
    assert (row.at_ms, row.at_source) == (true_ms, "wall" if err_ms else "unsettled")
    assert row.at_err_ms == (520 if err_ms else 58 * DAY_MS)


def test_a_boot_that_names_it_bounds_it_from_above_and_no_other(store: Store, door: Row[Any]) -> None:
    lost = take(store, door, Session(door.id, boot="b2", opened_at=reading(boot_ns=0)))
    assert lost.head is not None
    known(store, door, "b4", 5)
    take(store, door, Session(door.id, boot="b4", heads=(lost.head,)))
    found = around(store, door, "b2")
    assert (found.after_ms, found.before_ms) == (NOON_MS - 60 * DAY_MS, NOON_MS - 5 * DAY_MS + 1000)


def test_any_session_of_a_boot_tells_what_was_before_and_after(store: Store, door: Row[Any]) -> None:
    """The journal is set aside within the boot: the one before knows what was earlier, the one after what is later."""
    before = take(store, door, Session(door.id, boot="ab10"))
    assert before.head is not None
    take(store, door, Session(door.id, boot="b2", heads=(before.head,), opened_at=reading(boot_ns=0)))
    anew = take(store, door, Session(door.id, boot="b2", opened_at=reading(boot_ns=60 * S)))
    assert anew.head is not None
    known(store, door, "b4", 5)
    take(store, door, Session(door.id, boot="b4", heads=(anew.head,)))
    found = around(store, door, "b2")
    assert (found.after_ms, found.before_ms) == (NOON_MS - 10 * DAY_MS - 1000, NOON_MS - 5 * DAY_MS + 1000)


def test_a_boot_that_began_before_the_kiosk_had_its_name_is_older_than_the_enrolment_by_that_much(
    store: Store, door: Row[Any]
) -> None:
    take(store, door, Session("a-name-from-after-the-backup", boot="b2", opened_at=reading(boot_ns=0)))
    take(store, door, Session(door.id, boot="b2", opened_at=reading(boot_ns=3600 * S)))
    assert around(store, door, "b2").after_ms == NOON_MS - 60 * DAY_MS - 3_600_000 - 180
