"""The outbox on a real store: who is told of a movement, once, and what becomes of it when it is taken back."""

from collections.abc import Iterable
from typing import Any

import pytest
from sqlalchemy import Row, update

from server.notify.outbox import queue_moved, queue_undone
from server.store.engine import Store
from server.store.ids import new_id
from server.store.tables import delivery, guardian, movement
from tests.server import factories as make

UNDO_S = 8


@pytest.fixture
def site(store: Store) -> Row[Any]:
    return make.site(store, undo_s=UNDO_S)


@pytest.fixture
def child(store: Store, site: Row[Any]) -> Row[Any]:
    return make.child(store, at=site.id)


def queue(store: Store, moved: Iterable[Row[Any]], now_ms: int = make.NOON_MS) -> int:
    with store.write() as conn:
        return queue_moved(conn, [each.id for each in moved], now_ms)


def take_back(store: Store, moved: Row[Any], now_ms: int = make.NOON_MS) -> int:
    with store.write() as conn:
        conn.execute(update(movement).where(movement.c.id == moved.id).values(undone_at_ms=now_ms))
        return queue_undone(conn, moved.id, now_ms)


def queued(store: Store) -> list[tuple[str, str]]:
    return [(row.topic, row.state) for row in make.rows(store, delivery)]


def set_state(store: Store, **values: Any) -> None:
    with store.write() as conn:
        conn.execute(update(delivery).values(**values))


def test_each_guardian_who_consented_is_told_once(store: Store, site: Row[Any], child: Row[Any]) -> None:
    told = {make.guardian(store, of=child.id).id for _ in range(2)}
    moved = make.movement(store, site_id=site.id, child_id=child.id)
    assert queue(store, [moved]) == 2
    assert queue(store, [moved]) == 0
    assert {row.guardian_id for row in make.rows(store, delivery)} == told


@pytest.mark.parametrize(
    "values",
    [{"consented_at_ms": None}, {"suspended_at_ms": make.NOON_MS}],
    ids=["no consent", "address refused mail"],
)
def test_nobody_else_is_told(store: Store, site: Row[Any], child: Row[Any], values: dict[str, Any]) -> None:
    make.guardian(store, of=child.id, **values)
    make.guardian(store, of=make.child(store, at=site.id).id)
    assert queue(store, [make.movement(store, site_id=site.id, child_id=child.id)]) == 0


def test_a_notice_waits_until_the_child_can_no_longer_take_it_back(
    store: Store, site: Row[Any], child: Row[Any]
) -> None:
    make.guardian(store, of=child.id)
    queue(store, [make.movement(store, site_id=site.id, child_id=child.id)], now_ms=make.NOON_MS + 300)
    assert make.rows(store, delivery)[0].due_at_ms == make.NOON_MS + UNDO_S * 1000


def test_a_notice_of_a_movement_that_comes_late_is_due_at_once(store: Store, site: Row[Any], child: Row[Any]) -> None:
    make.guardian(store, of=child.id)
    late_ms = make.NOON_MS + 3_600_000
    queue(store, [make.movement(store, site_id=site.id, child_id=child.id)], now_ms=late_ms)
    assert make.rows(store, delivery)[0].due_at_ms == late_ms


def test_a_clock_that_runs_ahead_delays_no_notice(store: Store, site: Row[Any], child: Row[Any]) -> None:
    make.guardian(store, of=child.id)
    ahead = make.movement(store, site_id=site.id, child_id=child.id, at_ms=make.NOON_MS + 3_600_000)
    queue(store, [ahead])
    assert make.rows(store, delivery)[0].due_at_ms == make.NOON_MS + UNDO_S * 1000


@pytest.mark.parametrize("first", [0, 1], ids=["in order", "the other way round"])
def test_two_kiosks_at_one_door_make_one_notice(store: Store, site: Row[Any], child: Row[Any], first: int) -> None:
    make.guardian(store, of=child.id)
    reads = [make.movement(store, site_id=site.id, child_id=child.id, at_ms=make.NOON_MS + ms) for ms in (0, 60_000)]
    assert queue(store, [reads[first]]) + queue(store, [reads[1 - first]]) == 1


def test_an_exit_right_after_an_entry_is_told_too(store: Store, site: Row[Any], child: Row[Any]) -> None:
    make.guardian(store, of=child.id)
    entry = make.movement(store, site_id=site.id, child_id=child.id)
    leaving = make.movement(store, site_id=site.id, child_id=child.id, direction="exit", at_ms=make.NOON_MS + 20_000)
    assert queue(store, [entry, leaving]) == 2


@pytest.mark.parametrize("first", [0, 1], ids=["in order", "the other way round"])
def test_an_entry_that_seemed_the_same_walk_is_told_when_the_exit_between_comes_late(
    store: Store, site: Row[Any], child: Row[Any], first: int
) -> None:
    make.guardian(store, of=child.id)
    walks = [
        make.movement(store, site_id=site.id, child_id=child.id, direction=direction, at_ms=make.NOON_MS + at_ms)
        for direction, at_ms in (("entry", 0), ("entry", 40_000))
    ]
    assert [queue(store, [walks[each]]) for each in (first, 1 - first)] == [1, 0]
    between = make.movement(store, site_id=site.id, child_id=child.id, direction="exit", at_ms=make.NOON_MS + 20_000)
    assert queue(store, [between]) == 2
    assert {row.movement_id for row in make.rows(store, delivery)} == {each.id for each in (*walks, between)}
    assert queue(store, [between]) == 0


def test_an_entry_a_minute_later_is_told_again(store: Store, site: Row[Any], child: Row[Any]) -> None:
    make.guardian(store, of=child.id)
    reads = [make.movement(store, site_id=site.id, child_id=child.id, at_ms=make.NOON_MS + ms) for ms in (0, 60_001)]
    assert queue(store, reads) == 2


def test_taken_back_before_it_was_due_nothing_is_sent(store: Store, site: Row[Any], child: Row[Any]) -> None:
    make.guardian(store, of=child.id)
    moved = make.movement(store, site_id=site.id, child_id=child.id)
    queue(store, [moved])
    assert take_back(store, moved) == 0
    assert queued(store) == [("moved", "cancelled")]


def test_taken_back_before_it_was_queued_nothing_is_queued(store: Store, site: Row[Any], child: Row[Any]) -> None:
    make.guardian(store, of=child.id)
    moved = make.movement(store, site_id=site.id, child_id=child.id, undone_at_ms=make.NOON_MS)
    assert queue(store, [moved]) == 0


def test_taken_back_after_it_was_sent_one_correction_is_queued(store: Store, site: Row[Any], child: Row[Any]) -> None:
    make.guardian(store, of=child.id)
    moved = make.movement(store, site_id=site.id, child_id=child.id)
    queue(store, [moved])
    set_state(store, state="sent", settled_at_ms=make.NOON_MS)
    assert take_back(store, moved) == 1
    assert take_back(store, moved) == 0
    assert queued(store) == [("moved", "sent"), ("undone", "queued")]


@pytest.mark.parametrize("until_ms", [make.NOON_MS + 1, make.NOON_MS - 1], ids=["in flight", "held by a dead one"])
def test_what_may_have_been_sent_is_corrected(store: Store, site: Row[Any], child: Row[Any], until_ms: int) -> None:
    make.guardian(store, of=child.id)
    moved = make.movement(store, site_id=site.id, child_id=child.id)
    queue(store, [moved])
    set_state(store, lease=new_id(), leased_until_ms=until_ms)
    assert take_back(store, moved) == 1
    assert queued(store) == [("moved", "queued"), ("undone", "queued")]


def test_what_failed_for_good_is_not_corrected(store: Store, site: Row[Any], child: Row[Any]) -> None:
    make.guardian(store, of=child.id)
    moved = make.movement(store, site_id=site.id, child_id=child.id)
    queue(store, [moved])
    set_state(store, state="failed")
    assert take_back(store, moved) == 0


def test_the_other_read_of_a_walk_is_told_when_the_first_is_taken_back(
    store: Store, site: Row[Any], child: Row[Any]
) -> None:
    make.guardian(store, of=child.id)
    first, second = (
        make.movement(store, site_id=site.id, child_id=child.id, at_ms=make.NOON_MS + ms) for ms in (0, 2_000)
    )
    queue(store, [first, second])
    take_back(store, first)
    assert {row.movement_id: row.state for row in make.rows(store, delivery)} == {
        first.id: "cancelled",
        second.id: "queued",
    }


def test_a_movement_nobody_knows_is_taken_back_quietly(store: Store) -> None:
    with store.write() as conn:
        assert queue_undone(conn, "no such movement", make.NOON_MS) == 0


def test_a_transaction_that_fails_queues_nothing(store: Store, site: Row[Any], child: Row[Any]) -> None:
    make.guardian(store, of=child.id)
    moved = make.movement(store, site_id=site.id, child_id=child.id)

    def fail() -> None:
        with store.write() as conn:
            queue_moved(conn, [moved.id], make.NOON_MS)
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - the error is ours
        fail()
    assert queued(store) == []
    assert len(make.rows(store, guardian)) == 1
