"""Presence: one fold, whatever way the movements came."""

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from attendance.presence import SAME_MOVEMENT_MS, Flag, Movement, fold, in_order, logical, repeats
from attendance.records import Direction
from tests.attendance.factories import NOON_MS, movement

MINUTE = 60_000
IN, OUT = Direction.ENTRY, Direction.EXIT

days = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(Direction),
        st.integers(0, 6 * 60 * MINUTE) | st.integers(0, 3 * MINUTE),
    ),
    max_size=30,
).map(
    lambda rows: [
        movement(number, child=child, direction=direction, at_ms=NOON_MS + at)
        for number, (child, direction, at) in enumerate(rows)
    ]
)


@given(days, st.randoms(use_true_random=False))
def test_the_order_in_which_movements_arrive_does_not_matter(day: list[Movement], rng: random.Random) -> None:
    shuffled = list(day)
    rng.shuffle(shuffled)
    assert fold(shuffled) == fold(day)


@given(days, st.data())
def test_a_movement_that_arrives_twice_counts_once(day: list[Movement], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(day), max_size=5)) if day else []
    assert fold(day + again) == fold(day)


@given(days)
def test_no_state_is_invented(day: list[Movement]) -> None:
    folded = fold(day)
    assert set(folded) == {each.child for each in day}
    for child, presence in folded.items():
        own = [each for each in in_order(day) if each.child == child]
        assert presence.present == (own[-1].direction is IN)
        assert presence.last_direction is own[-1].direction
        assert presence.since_ms in {each.at_ms for each in own if each.direction is own[-1].direction}
        assert (presence.first_entry_ms is None) == all(each.direction is OUT for each in own)
        assert (presence.last_exit_ms is None) == all(each.direction is IN for each in own)
        assert presence.entries + presence.exits <= len(own)
        assert {what for _, what in presence.flags} <= {each.id for each in own}


@given(days)
def test_one_child_does_not_touch_another(day: list[Movement]) -> None:
    for child in ("a", "b", "c"):
        alone = fold(each for each in day if each.child == child)
        assert alone.get(child) == fold(day).get(child)


@given(days)
def test_counted_walks_and_flags_add_up(day: list[Movement]) -> None:
    """Without flags a day alternates, so entries and exits differ by the one that is open."""
    for presence in fold(day).values():
        if not presence.flags:
            assert presence.entries - presence.exits == int(presence.present)


@given(days)
def test_the_logical_movements_are_a_part_of_the_day_in_order_without_repeats(day: list[Movement]) -> None:
    kept = logical(day)
    assert [each for each in in_order(day) if each in kept] == kept
    for child in ("a", "b", "c"):
        own = [each for each in kept if each.child == child]
        assert not any(repeats(before, after) for before, after in itertools.pairwise(own))


def test_two_kiosks_at_one_door_make_one_movement() -> None:
    presence = fold([movement(1), movement(2, at_ms=NOON_MS + SAME_MOVEMENT_MS)])[
        "0195b0a0-0000-7000-8000-0000000000c1"
    ]
    assert (presence.entries, presence.flags, presence.since_ms) == (1, (), NOON_MS)


def test_a_second_entry_later_than_that_is_flagged_and_keeps_the_time_the_child_came() -> None:
    late = movement(2, child="a", at_ms=NOON_MS + SAME_MOVEMENT_MS + 1)
    presence = fold([movement(1, child="a"), late])["a"]
    assert presence.present
    assert (presence.entries, presence.since_ms) == (2, NOON_MS)
    assert presence.flags == ((Flag.ENTRY_WHILE_PRESENT, late.id),)


def test_two_kiosks_that_read_a_flagged_entry_flag_it_once() -> None:
    day = [movement(n, child="a", at_ms=NOON_MS + at) for n, at in enumerate([0, 60 * MINUTE, 60 * MINUTE + 5_000])]
    assert len(fold(day)["a"].flags) == 1


def test_a_child_comes_leaves_and_comes_again() -> None:
    day = [
        movement(n, child="a", direction=way, at_ms=NOON_MS + n * 10 * MINUTE) for n, way in enumerate([IN, OUT, IN])
    ]
    presence = fold(day)["a"]
    assert (presence.present, presence.entries, presence.exits, presence.flags) == (True, 2, 1, ())
    assert (presence.first_entry_ms, presence.last_exit_ms) == (NOON_MS, NOON_MS + 10 * MINUTE)
    assert presence.since_ms == NOON_MS + 20 * MINUTE


def test_in_and_out_within_a_minute_are_two_movements() -> None:
    day = [movement(1, child="a"), movement(2, child="a", direction=OUT, at_ms=NOON_MS + 5_000)]
    assert (fold(day)["a"].present, fold(day)["a"].exits) == (False, 1)


def test_an_exit_without_an_entry_is_flagged_and_no_entry_is_made_up() -> None:
    presence = fold([movement(1, child="a", direction=OUT)])["a"]
    assert (presence.present, presence.first_entry_ms, presence.entries) == (False, None, 0)
    assert presence.flags == ((Flag.EXIT_WHILE_ABSENT, movement(1).id),)


def test_a_second_exit_moves_the_time_the_child_was_last_seen() -> None:
    ways = [(IN, 0), (OUT, 10), (OUT, 20)]
    day = [movement(n, child="a", direction=way, at_ms=NOON_MS + at * MINUTE) for n, (way, at) in enumerate(ways)]
    presence = fold(day)["a"]
    assert (presence.since_ms, presence.last_exit_ms) == (NOON_MS + 20 * MINUTE, NOON_MS + 20 * MINUTE)
    assert [flag for flag, _ in presence.flags] == [Flag.EXIT_WHILE_ABSENT]


def test_at_one_millisecond_the_id_decides_so_that_both_sides_agree() -> None:
    day = [movement(2, child="a", direction=OUT), movement(1, child="a")]
    assert not fold(day)["a"].present
    assert fold(day) == fold(day[::-1])
