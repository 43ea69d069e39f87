"""The figures of a day: folded, and checked against the fold asked another way."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.presence import Movement, fold, logical
from attendance.records import Direction, MadeBy
from server.headcount import Recorded
from server.reports.figures import Figures, extended_children, figures
from server.timeline import BestTime, TimeSource

NINE_MS = 1_776_211_200_000
MINUTE_MS = 60_000
SIX_PM_MS = NINE_MS + 9 * 60 * MINUTE_MS
IN, OUT = Direction.ENTRY, Direction.EXIT

_moves = st.lists(
    st.builds(
        Movement,
        id=st.uuids().map(str),
        child=st.sampled_from("abcde"),
        direction=st.sampled_from(Direction),
        at_ms=st.integers(0, 20).map(lambda step: NINE_MS + step * 30_000),
    ),
    max_size=30,
)


def moves(*walks: tuple[str, Direction, float]) -> list[Movement]:
    """Movements of children, so many minutes after nine."""
    return [
        Movement(id=f"m{n}", child=child, direction=direction, at_ms=NINE_MS + round(minutes * MINUTE_MS))
        for n, (child, direction, minutes) in enumerate(walks)
    ]


def counted(movements: list[Movement], unsettled: tuple[str, ...] = ()) -> Figures:
    records = [
        Recorded(
            movement=each,
            time=BestTime(each.at_ms, TimeSource.UNSETTLED if each.id in unsettled else TimeSource.ANCHOR, 1000),
            by=MadeBy.CARD,
            kiosk="",
        )
        for each in movements
    ]
    return figures(records, extended_from_ms=SIX_PM_MS)


def peak_at_ms(day: Figures) -> int | None:
    return None if day.peak_at is None else day.peak_at.at_ms


def test_a_day_without_anybody_is_all_zeros() -> None:
    assert counted([]) == Figures(
        present_ever=0,
        entries=0,
        exits=0,
        double_reads=0,
        peak=0,
        peak_at=None,
        extended=0,
        still_in=0,
        unsettled=0,
        contradictions=0,
    )


def test_a_day_is_counted() -> None:
    day = counted(moves(("a", IN, 0), ("b", IN, 5), ("a", OUT, 10), ("c", IN, 12), ("a", IN, 20), ("b", OUT, 600)))
    assert (day.present_ever, day.entries, day.exits, day.double_reads, day.still_in) == (3, 4, 2, 0, 2)
    assert (day.peak, peak_at_ms(day)) == (3, NINE_MS + 20 * MINUTE_MS)
    assert day.extended == 1


def test_a_second_read_at_the_door_is_counted_as_such_and_is_no_second_child() -> None:
    day = counted(moves(("a", IN, 0), ("a", IN, 0.5), ("a", OUT, 60)))
    assert (day.entries, day.double_reads, day.present_ever, day.peak) == (2, 1, 1, 1)


def test_a_child_of_whom_only_an_exit_is_known_was_here() -> None:
    day = counted(moves(("a", OUT, 60)))
    assert (day.present_ever, day.peak, day.still_in) == (1, 0, 0)


def test_of_two_at_the_same_instant_both_are_in_at_the_peak() -> None:
    day = counted(moves(("a", IN, 0), ("b", IN, 0), ("a", OUT, 10)))
    assert (day.peak, peak_at_ms(day)) == (2, NINE_MS)


def test_one_who_comes_as_another_leaves_is_no_peak_of_two() -> None:
    assert counted(moves(("a", IN, 0), ("b", IN, 10), ("a", OUT, 10))).peak == 1


@pytest.mark.parametrize(("minutes", "stays"), [(540, False), (540.9, False), (541, True)])
def test_a_stay_is_extended_by_the_minute_that_is_shown(minutes: float, stays: bool) -> None:
    assert (extended_children(moves(("a", IN, 0), ("a", OUT, minutes)), SIX_PM_MS) == {"a"}) is stays


def test_a_child_without_an_exit_is_still_in_and_not_extended() -> None:
    day = counted(moves(("a", IN, 0)))
    assert (day.still_in, day.extended) == (1, 0)


def test_times_that_nothing_vouches_for_are_counted() -> None:
    assert counted(moves(("a", IN, 0), ("a", OUT, 60)), unsettled=("m1",)).unsettled == 1


def test_a_second_entry_and_an_exit_without_one_do_not_fit() -> None:
    assert counted(moves(("a", IN, 0), ("a", IN, 10), ("a", OUT, 20), ("b", OUT, 30))).contradictions == 2


@given(_moves)
def test_figures_are_those_of_the_fold(movements: list[Movement]) -> None:
    day = counted(movements)
    folded = fold(movements)
    assert day.present_ever == len(folded) == len({movement.child for movement in movements})
    assert day.entries + day.exits == len(movements)
    assert day.entries + day.exits - day.double_reads == len(logical(movements))
    assert day.entries + day.exits - day.double_reads == sum(each.entries + each.exits for each in folded.values())
    assert day.contradictions == sum(len(each.flags) for each in folded.values())
    assert day.still_in == sum(each.present for each in folded.values()) <= day.present_ever


def _present_at(movements: list[Movement], at_ms: int) -> int:
    return sum(each.present for each in fold(each for each in movements if each.at_ms <= at_ms).values())


@given(_moves)
def test_the_peak_is_the_most_that_the_fold_finds_in_at_any_instant(movements: list[Movement]) -> None:
    day = counted(movements)
    at_once = {each.at_ms: _present_at(movements, each.at_ms) for each in movements}
    assert day.peak == max(at_once.values(), default=0) <= day.present_ever
    if day.peak:
        assert peak_at_ms(day) == min(at for at, present in at_once.items() if present == day.peak)


@given(_moves, st.randoms())
def test_the_order_in_which_records_came_changes_no_figure(movements: list[Movement], random: Random) -> None:
    shuffled = list(movements)
    random.shuffle(shuffled)
    assert counted(shuffled) == counted(movements)
