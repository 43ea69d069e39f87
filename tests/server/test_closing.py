"""The closing list: each thing that does not add up, once, and nothing else."""

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Row

from attendance.presence import Flag, Movement, fold
from attendance.records import Direction, JournalLine, MadeBy, line_hash
from attendance.wire import EntriesRequest
from server.closing import (
    Matter,
    MatterKind,
    closing_list,
    contradictions,
    is_over,
    matters_of,
)
from server.headcount import Recorded
from server.ledger import accept
from server.store.engine import Store
from server.store.tables import anchor
from server.timeline import BestTime, TimeSource
from tests.server import factories as make
from tests.server.factories import DAY, NOON_MS
from tests.server.kiosk_side import S, Session

MINUTE_MS = 60_000
IN, OUT = Direction.ENTRY, Direction.EXIT
EVENING_MS = NOON_MS + 7 * 60 * MINUTE_MS
"""19:00."""

_days = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(Direction),
        st.integers(0, 8).map(lambda step: step * 40_000),
        st.sampled_from([TimeSource.ANCHOR, TimeSource.UNSETTLED]),
        st.sampled_from(["front", "back"]),
    ),
    max_size=14,
).map(
    lambda rows: [
        recorded(f"s{number % 3}:{number}", child, direction, at, source=source, kiosk=kiosk)
        for number, (child, direction, at, source, kiosk) in enumerate(rows)
    ]
)


def recorded(
    name: str,
    child: str,
    direction: Direction,
    after_noon_ms: float,
    *,
    source: TimeSource = TimeSource.ANCHOR,
    kiosk: str = "front",
) -> Recorded:
    at_ms = NOON_MS + round(after_noon_ms)
    return Recorded(
        movement=Movement(id=name, child=child, direction=direction, at_ms=at_ms),
        time=BestTime(at_ms, source, None),
        by=MadeBy.CARD,
        kiosk=kiosk,
    )


def kinds(matters: tuple[Matter, ...]) -> list[MatterKind]:
    return [each.kind for each in matters]


def listed(store: Store, site_id: str, now_ms: int = NOON_MS, *, days_ago: int = 0) -> tuple[Matter, ...]:
    with store.read() as conn:
        return closing_list(conn, site_id, DAY - timedelta(days=days_ago), now_ms)


@given(_days, st.data(), st.randoms(use_true_random=False))
def test_the_order_and_number_of_deliveries_change_nothing(
    day: list[Recorded], data: st.DataObject, rng: random.Random
) -> None:
    again = data.draw(st.lists(st.sampled_from(day), max_size=6)) if day else []
    told = [*day, *again]
    rng.shuffle(told)
    for over in (True, False):
        found = matters_of(told, is_over=over)
        assert found == matters_of(day, is_over=over)
        assert len({each.key for each in found}) == len(found)


@given(_days)
def test_contradictions_are_the_flags_of_the_fold_each_with_the_state_before_it(day: list[Recorded]) -> None:
    found = contradictions(day)
    folded = fold(each.movement for each in day)
    flagged = {about: flag for presence in folded.values() for flag, about in presence.flags}
    assert {each.record for each in found} == set(flagged)
    assert len(found) == len(flagged)
    ways = {each.movement.id: each.movement.direction for each in day}
    for each in found:
        again = flagged[each.record] is Flag.ENTRY_WHILE_PRESENT
        assert again == (each.kind is MatterKind.ENTRY_AGAIN) == (ways[each.record] is IN)
        assert (each.before is None) == (each.kind is MatterKind.EXIT_WITHOUT_ENTRY)
        assert each.before is None or each.before.at_ms <= each.time.at_ms


@given(_days, st.integers(-10, 10))
def test_a_day_that_is_dated_anew_has_each_thing_once(day: list[Recorded], minutes: int) -> None:
    moved = [
        recorded(
            each.movement.id,
            each.movement.child,
            each.movement.direction,
            each.time.at_ms - NOON_MS + minutes * MINUTE_MS * (each.kiosk == "back"),
            kiosk=each.kiosk,
        )
        for each in day
    ]
    found = matters_of(moved, is_over=True)
    assert len({each.key for each in found}) == len(found)
    assert len(contradictions(moved)) <= len(day)


def test_each_contradiction_says_what_happened_where_and_what_was_before() -> None:
    found = contradictions(
        [
            recorded("a:1", "a", IN, 0),
            recorded("b:1", "a", IN, 5 * MINUTE_MS, kiosk="back"),
            recorded("a:2", "a", OUT, 9 * MINUTE_MS),
            recorded("b:2", "a", OUT, 12 * MINUTE_MS, kiosk="back"),
            recorded("a:3", "b", OUT, 20 * MINUTE_MS),
        ]
    )
    assert [(each.kind, each.record, each.kiosk, each.before and each.before.at_ms) for each in found] == [
        (MatterKind.ENTRY_AGAIN, "b:1", "back", NOON_MS),
        (MatterKind.EXIT_AGAIN, "b:2", "back", NOON_MS + 9 * MINUTE_MS),
        (MatterKind.EXIT_WITHOUT_ENTRY, "a:3", "front", None),
    ]


def test_two_reads_of_one_walk_are_no_contradiction() -> None:
    walk = [recorded("a:1", "a", IN, 0), recorded("b:1", "a", IN, MINUTE_MS, kiosk="back")]
    assert matters_of(walk, is_over=False) == ()


def test_a_child_is_still_in_once_however_often_it_came() -> None:
    day = [recorded("a:1", "a", IN, 0), recorded("b:1", "a", IN, 5 * MINUTE_MS), recorded("c:1", "b", IN, 0)]
    assert matters_of(day, is_over=False) == contradictions(day)
    still_in = [each for each in matters_of(day, is_over=True) if each.kind is MatterKind.STILL_IN]
    assert {each.key: each.record for each in still_in} == {"still_in:a": "a:1", "still_in:b": "c:1"}


@given(_days)
def test_who_is_still_in_is_who_the_fold_finds_in_since_then(day: list[Recorded]) -> None:
    folded = fold(each.movement for each in day)
    found = [each for each in matters_of(day, is_over=True) if each.kind is MatterKind.STILL_IN]
    assert {each.child: each.time.at_ms for each in found} == {
        child: presence.since_ms for child, presence in folded.items() if presence.present
    }
    ways = {each.movement.id: each.movement.direction for each in day}
    assert all(ways[each.record] is IN for each in found)


def test_a_movement_at_a_time_nobody_vouches_for_is_listed_beside_what_it_contradicts() -> None:
    day = [recorded("a:1", "a", OUT, 0, source=TimeSource.UNSETTLED)]
    assert kinds(matters_of(day, is_over=True)) == [MatterKind.EXIT_WITHOUT_ENTRY, MatterKind.UNSETTLED]


@pytest.mark.parametrize(
    ("days_ago", "now_ms", "over"), [(0, EVENING_MS - 1, False), (0, EVENING_MS, True), (1, 0, True)]
)
def test_a_day_is_over_when_its_site_has_closed(days_ago: int, now_ms: int, *, over: bool) -> None:
    assert is_over(DAY - timedelta(days=days_ago), "19:00", now_ms or NOON_MS - 12 * 60 * MINUTE_MS) is over


def test_a_missing_exit_is_listed_on_its_day_and_not_before_the_site_closed(store: Store) -> None:
    site = make.site(store, closes_at="19:00")
    child = make.child(store, at=site.id)
    row = make.movement(store, site_id=site.id, child_id=child.id)
    assert listed(store, site.id, EVENING_MS - 1) == ()
    for now_ms in (EVENING_MS, EVENING_MS + 5 * 86_400_000):
        assert [(each.kind, each.child, each.record) for each in listed(store, site.id, now_ms)] == [
            (MatterKind.STILL_IN, child.id, row.id)
        ]
    assert listed(store, site.id, EVENING_MS, days_ago=1) == ()


def test_what_was_taken_back_or_was_at_another_site_contradicts_nothing(store: Store) -> None:
    site, other = make.site(store), make.site(store)
    child = make.child(store)
    make.movement(store, site_id=site.id, child_id=child.id)
    make.movement(store, site_id=other.id, child_id=child.id, at_ms=NOON_MS + 5 * MINUTE_MS)
    make.movement(store, site_id=site.id, child_id=child.id, at_ms=NOON_MS + 9 * MINUTE_MS, undone_at_ms=NOON_MS)
    assert listed(store, site.id) == listed(store, other.id) == ()


def test_a_list_holds_no_names(store: Store) -> None:
    site = make.site(store)
    child = make.child(store, name="髙橋 花", kana="たかはし はな")
    make.movement(store, site_id=site.id, child_id=child.id, direction="exit")
    assert "たかはし" not in repr(listed(store, site.id))
    assert "髙橋" not in repr(listed(store, site.id))


@pytest.fixture
def door(store: Store) -> Row[Any]:
    """A kiosk whose boot is dated: 1,000 s after it began it was noon."""
    row = make.kiosk(store, name="玄関")
    dated = {"boot": Session(row.id).boot, "boot_ns": 1000 * S, "server_ms": NOON_MS}
    make.link(store, anchor, kiosk_id=row.id, **dated)
    return row


def test_an_entry_in_quarantine_is_listed_at_its_own_time_on_its_own_day(store: Store, door: Row[Any]) -> None:
    session = Session(door.id)
    seq = session.moved("nobody on the roster", at_s=90)
    accept(store, door, session.request(), NOON_MS + 3 * 86_400_000)
    (found,) = listed(store, door.site_id)
    assert (found.kind, found.record, found.kiosk) == (MatterKind.UNREADABLE, f"{session.name}:{seq}", "玄関")
    assert (found.time.at_ms, found.time.source) == (NOON_MS + 90_000, TimeSource.ANCHOR)
    assert listed(store, make.site(store).id) == ()
    assert listed(store, door.site_id, NOON_MS + 3 * 86_400_000, days_ago=-3) == ()


def test_what_a_kiosk_that_was_moved_brings_of_its_former_self_is_listed_at_its_former_site(
    store: Store, door: Row[Any]
) -> None:
    moved = make.kiosk(store, name="裏口")
    session = Session(door.id)
    accept(store, moved, session.request(), NOON_MS + 5)
    (found,) = listed(store, door.site_id)
    assert (found.kind, found.record, found.kiosk) == (MatterKind.UNREADABLE, f"{session.name}:0", "玄関")
    assert listed(store, moved.site_id) == ()


@pytest.mark.parametrize("line", ["", "[" * 5000, '{"at":{"wall_ms":-1}}', "\x00"])
def test_a_line_that_tells_no_time_is_listed_when_it_was_received(store: Store, door: Row[Any], line: str) -> None:
    session = Session(door.id)
    entries = (session.lines[0], JournalLine(line, line_hash(line)))
    accept(store, door, EntriesRequest(session.name, 0, entries), NOON_MS + 5)
    (found,) = listed(store, door.site_id)
    assert (found.kind, found.time) == (MatterKind.UNREADABLE, BestTime(NOON_MS + 5, TimeSource.UNSETTLED, None))


def test_a_card_that_nobody_holds_is_listed_with_its_kiosk_and_what_its_time_is_worth(
    store: Store, door: Row[Any]
) -> None:
    session = Session(door.id)
    session.unknown()
    accept(store, door, session.request(), NOON_MS + MINUTE_MS)
    with store.write() as conn:
        conn.execute(anchor.update().values(server_ms=NOON_MS + 40))  # refreshed: times already computed stay
    make.unknown_card(store, site_id=door.site_id, at_ms=NOON_MS + MINUTE_MS)
    dated, guessed = listed(store, door.site_id)
    assert (dated.kind, dated.kiosk, len(dated.card)) == (MatterKind.UNKNOWN_CARD, "玄関", 8)
    assert (dated.time.at_ms, dated.time.source) == (NOON_MS + 1_000, TimeSource.ANCHOR)
    assert dated.time.err_ms is not None
    assert (guessed.kiosk, guessed.time) == ("", BestTime(NOON_MS + MINUTE_MS, TimeSource.UNSETTLED, None))
