"""What kiosks tell of children nobody knows waits, is derived once when the roster brings them, and told as is due."""

import random
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from sqlalchemy import Row, select

from attendance.catalogue import Language
from attendance.records import Direction
from server.catalogues import catalogues
from server.ledger import accept
from server.notify.outbox import TOLD_EARLIER
from server.roster.apply import Changes, apply
from server.roster.check import RosterGuardian, RosterRow
from server.roster_state import presence_version
from server.store.engine import Store
from server.store.ids import child_id_of
from server.store.tables import delivery, entry, movement
from tests.server import factories as make
from tests.server.factories import DAY, NOON_MS
from tests.server.kiosk_side import Session

WORDS = catalogues()[Language.EN]
MASTER = bytes(32)
ROW = RosterRow(
    row=2,
    number="R8-1",
    name="Aoki Sakura",
    kana="あおき さくら",
    school_class="",
    unit="",
    from_day=DAY,
    until_day=None,
    weekdays="1111100",
    guardians=(RosterGuardian(name="Aoki", email="g@example.jp", language=Language.JA, consented_on=DAY),),
)
CHILD = child_id_of(MASTER, ROW.number)
IMPORTED_MS = NOON_MS + 600_000


@pytest.fixture
def door(store: Store) -> Row[Any]:
    return make.kiosk(store)


def bring(store: Store, door: Row[Any], session: Session, first: int = 0, *, told: int = -1) -> tuple[int, ...]:
    request = msgspec.structs.replace(session.request(first), told=told)
    return accept(store, door, request, NOON_MS + 60_000).quarantined


def enrol(store: Store, site_id: str, *rows: RosterRow) -> Changes:
    with store.write() as conn:
        return apply(conn, site_id, rows or [ROW], WORDS, IMPORTED_MS, master=MASTER)


def notices(store: Store) -> list[tuple[str, str, str | None]]:
    return sorted((row.topic, row.state, row.reason) for row in make.rows(store, delivery))


def derived(store: Store) -> list[tuple[str, bool]]:
    return [(row.id, row.undone_at_ms is not None) for row in make.rows(store, movement)]


def test_what_waited_is_derived_when_its_child_appears_and_only_then(store: Store, door: Row[Any]) -> None:
    session = Session(door.id)
    came, left = session.moved(CHILD), session.moved(CHILD, Direction.EXIT)
    stranger = session.moved("somebody-else")
    assert bring(store, door, session) == (came, left, stranger)
    with store.read() as conn:
        before = presence_version(conn, door.site_id, DAY)
    assert enrol(store, door.site_id).recovered == 2
    [first, second] = make.rows(store, movement)
    assert [first.id, second.id] == [f"{session.name}:{came}", f"{session.name}:{left}"]
    assert (first.site_id, first.kiosk_id, first.boot) == (door.site_id, door.id, session.boot)
    assert [(row.kind, bool(row.quarantined)) for row in make.rows(store, entry)] == [
        ("session", False),
        ("movement", False),
        ("movement", False),
        ("", True),
    ]
    with store.read() as conn:
        assert presence_version(conn, door.site_id, DAY) != before, "kiosks are not told"


def test_it_is_derived_once(store: Store, door: Row[Any]) -> None:
    session = Session(door.id)
    session.moved(CHILD)
    bring(store, door, session)
    enrol(store, door.site_id)
    before = derived(store), notices(store)
    assert enrol(store, door.site_id).recovered == 0
    assert bring(store, door, session) == ()
    assert (derived(store), notices(store)) == before


def test_what_was_never_told_is_told_late(store: Store, door: Row[Any]) -> None:
    session = Session(door.id)
    session.moved(CHILD)
    bring(store, door, session)
    enrol(store, door.site_id)
    assert notices(store) == [("moved", "queued", None)]


def test_what_was_told_before_the_restore_is_not_told_again(store: Store, door: Row[Any]) -> None:
    session = Session(door.id)
    told = session.moved(CHILD)
    session.moved(CHILD, Direction.EXIT, at_s=400)
    bring(store, door, session, told=told)
    enrol(store, door.site_id)
    assert notices(store) == [("moved", "queued", None), ("moved", "sent", TOLD_EARLIER)]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (-1, [("moved", "cancelled", "undone")]),
        (1, [("moved", "sent", TOLD_EARLIER), ("undone", "queued", None)]),
        (2, [("moved", "sent", TOLD_EARLIER)]),
    ],
)
def test_what_was_taken_back_waits_with_its_movement_and_is_corrected_when_that_was_told_alone(
    store: Store, door: Row[Any], together: bool, told: int, expected: list[tuple[str, str, str | None]]
) -> None:
    session = Session(door.id)
    moved = session.moved(CHILD)
    if not together:
        assert bring(store, door, session, told=told) == (moved,)
    undone = session.undone(moved)
    assert bring(store, door, session, 0 if together else undone, told=told)[-1:] == (undone,)
    assert enrol(store, door.site_id).recovered == 2
    assert derived(store) == [(f"{session.name}:{moved}", True)]
    assert notices(store) == expected


def test_what_is_taken_back_after_its_child_appeared_does_not_wait(store: Store, door: Row[Any]) -> None:
    session = Session(door.id)
    moved = session.moved(CHILD)
    bring(store, door, session)
    enrol(store, door.site_id)
    undone = session.undone(moved)
    assert bring(store, door, session, undone) == ()
    assert derived(store) == [(f"{session.name}:{moved}", True)]


def test_each_child_is_waited_for_by_itself(store: Store, door: Row[Any]) -> None:
    other = replace(ROW, row=3, number="R8-2")
    session = Session(door.id)
    mine, theirs = session.moved(CHILD), session.moved(child_id_of(MASTER, other.number))
    undone = session.undone(theirs)
    bring(store, door, session)
    assert enrol(store, door.site_id).recovered == 1
    assert derived(store) == [(f"{session.name}:{mine}", False)]
    assert enrol(store, door.site_id, ROW, other).recovered == 2
    assert derived(store)[1:] == [(f"{session.name}:{theirs}", True)]
    assert undone > theirs


def test_a_try_changes_nothing(store: Store, door: Row[Any]) -> None:
    session = Session(door.id)
    session.moved(CHILD)
    bring(store, door, session)
    with store.write() as conn:
        assert apply(conn, door.site_id, [ROW], WORDS, IMPORTED_MS, master=MASTER).recovered == 1
        conn.rollback()
    assert derived(store) == []
    assert enrol(store, door.site_id).recovered == 1


@pytest.mark.parametrize("seed", range(4))
def test_it_ends_the_same_whenever_the_roster_comes(store: Store, door: Row[Any], seed: int) -> None:
    """Walks read twice, taken back and told in part: however the import falls among the messages, the same stands."""
    draw = random.Random(seed)
    sessions = [Session(door.id) for _ in range(3)]
    for second in range(0, 300, 20):
        session = draw.choice(sessions)
        seq = session.moved(CHILD, draw.choice(list(Direction)), at_s=second)
        if draw.random() < 0.3:
            session.undone(seq)
    at = draw.randrange(len(sessions))
    for number, session in enumerate(sessions):
        if number == at:
            enrol(store, door.site_id)
        bring(store, door, session)
    enrol(store, door.site_id)
    undone = {row.id for row in make.rows(store, movement) if row.undone_at_ms is not None}
    written = [line for session in sessions for line in session.lines]
    assert len(make.rows(store, movement)) == sum('"kind":"movement"' in each.line for each in written)
    assert len(undone) == sum('"kind":"undo"' in each.line for each in written)
    with store.read() as conn:
        assert conn.execute(select(entry.c.id).where(entry.c.quarantined.is_not(None))).all() == []


def test_the_id_of_a_child_follows_from_its_number_and_the_key_alone() -> None:
    """It never changes, or a roster brought in again would give other children."""
    assert CHILD == child_id_of(MASTER, "R8-1") == "76b54ec0-aa8f-82d1-a329-7bec52b51653"
    assert len({CHILD, child_id_of(MASTER, "R8-2"), child_id_of(bytes(31) + b"x", "R8-1")}) == 3
