from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from provisioning.demo.day import APART_S, REPEAT_WINDOW_S, RHYTHMS, Door, Expected, Tap, play, present_at_end

CHILDREN = [f"R8-{number:03}" for number in range(1, 33)]
days = st.floats(min_value=10, max_value=120)
seeds = st.integers(min_value=0, max_value=2**32)


def of(taps: list[Tap], child: str) -> list[Tap]:
    return [tap for tap in taps if tap.child == child]


@given(days, seeds)
def test_no_door_is_shown_two_cards_at_once(day_s: float, seed: int) -> None:
    taps = play(CHILDREN, day_s=day_s, seed=seed)

    for door in Door:
        at_s = [tap.at_s for tap in taps if tap.door is door]
        assert all(later - earlier >= RHYTHMS[door].beat_s - 0.002 for earlier, later in pairwise(at_s))
    assert taps[-1].at_s + RHYTHMS[taps[-1].door].beat_s <= day_s + 0.002


@given(days, seeds)
def test_a_child_comes_once_and_leaves_once_and_long_enough_after(day_s: float, seed: int) -> None:
    taps = play(CHILDREN, day_s=day_s, seed=seed)

    for child in CHILDREN:
        moves = [tap for tap in of(taps, child) if tap.expected is not Expected.AGAIN]
        assert [tap.expected for tap in moves] in ([], [Expected.ENTRY], [Expected.ENTRY, Expected.EXIT])
        if len(moves) == 2:
            assert moves[1].at_s - moves[0].at_s >= APART_S > REPEAT_WINDOW_S


@given(days, seeds)
def test_a_card_shown_again_follows_its_entry_within_the_window_with_another_between(day_s: float, seed: int) -> None:
    taps = play(CHILDREN, day_s=day_s, seed=seed)

    for again in (tap for tap in taps if tap.expected is Expected.AGAIN):
        at_door = [tap for tap in taps if tap.door is again.door]
        entry = at_door[at_door.index(again) - 2]
        assert (entry.child, entry.expected) == (again.child, Expected.ENTRY)
        assert again.at_s - entry.at_s < REPEAT_WINDOW_S


@given(days, seeds)
def test_the_headcount_is_those_who_came_less_those_who_left_and_never_nobody(day_s: float, seed: int) -> None:
    taps = play(CHILDREN, day_s=day_s, seed=seed)

    came = sum(tap.expected is Expected.ENTRY for tap in taps)
    left = sum(tap.expected is Expected.EXIT for tap in taps)
    assert len(present_at_end(taps)) == came - left > 0


def test_the_day_of_the_demo_has_every_kind_of_tap_at_both_doors() -> None:
    taps = play(CHILDREN, day_s=40, seed=1)

    assert {(tap.door, tap.expected) for tap in taps} == {(door, kind) for door in Door for kind in Expected}


def test_the_same_seed_gives_the_same_day() -> None:
    assert play(CHILDREN, day_s=40, seed=7) == play(CHILDREN, day_s=40, seed=7)
    assert play(CHILDREN, day_s=40, seed=7) != play(CHILDREN, day_s=40, seed=8)
