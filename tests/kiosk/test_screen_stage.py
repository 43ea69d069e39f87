"""The stage: what answers and time do to it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.answer import Answer, AnswerKind
from kiosk.screen.stage import RECENT_MAX, SILENT_NS, Stage, enter, hear, settle
from tests.kiosk.screen_parts import CAT, FROG, OWL, WHALE, answer, door_status

SECOND = 1_000_000_000
GOOD = [AnswerKind.IN, AnswerKind.OUT, AnswerKind.UNDONE, AnswerKind.UNKNOWN]
UNPROVEN = [kind for kind in AnswerKind if kind not in GOOD]
answers = st.builds(
    answer,
    st.integers(0, 40),
    st.sampled_from(AnswerKind),
    mark=st.sampled_from([CAT, FROG, OWL, WHALE]),
    undo_s=st.integers(0, 10),
)


def on_stage(stage: Stage) -> Answer | None:
    return stage.shown.answer if stage.shown else None


def test_an_answer_takes_the_place_of_the_one_before_at_once() -> None:
    stage = enter(enter(Stage(), answer(1), 0), answer(2, mark=OWL), 1)
    assert on_stage(stage) == answer(2, mark=OWL)


def test_an_answer_shown_twice_is_one_answer() -> None:
    stage = enter(Stage(), answer(1), 0)
    assert enter(stage, answer(1), SECOND) is stage


def test_an_older_answer_does_not_come_back_over_a_newer_one() -> None:
    stage = enter(Stage(), answer(2), 0)
    assert enter(stage, answer(1), SECOND) is stage


def test_an_answer_leaves_after_four_seconds() -> None:
    stage = enter(Stage(), answer(1), 0)
    assert on_stage(settle(stage, 4 * SECOND - 1)) == answer(1)
    assert on_stage(settle(stage, 4 * SECOND)) is None


def test_an_answer_stays_as_long_as_it_can_be_taken_back() -> None:
    stage = enter(Stage(), answer(1, undo_s=8), 0)
    assert on_stage(settle(stage, 8 * SECOND - 1)) is not None
    assert on_stage(settle(stage, 8 * SECOND)) is None


def test_a_short_undo_window_ends_before_its_answer() -> None:
    stage = enter(Stage(), answer(1, undo_s=2), 0)
    assert stage.next_change_ns(0) == 2 * SECOND


def test_a_fast_queue_finds_the_last_three_marks_newest_first() -> None:
    stage = Stage()
    for number, mark in enumerate([CAT, OWL, FROG, WHALE, CAT]):
        stage = enter(stage, answer(number, mark=mark), number)
    assert [passed.answer.mark for passed in stage.recent] == [WHALE, FROG, OWL]


def test_a_small_mark_leaves_six_seconds_after_its_answer_made_room() -> None:
    stage = enter(enter(Stage(), answer(1), 0), answer(2, mark=OWL, undo_s=10), 3 * SECOND)
    assert len(settle(stage, 9 * SECOND - 1).recent) == 1
    assert settle(stage, 9 * SECOND).recent == ()


def test_a_movement_taken_back_leaves_no_small_mark() -> None:
    stage = enter(enter(Stage(), answer(1), 0), answer(2, AnswerKind.UNDONE), 1)
    assert stage.recent == ()


def test_only_movements_leave_a_small_mark() -> None:
    stage = enter(enter(Stage(), answer(1, AnswerKind.AGAIN_IN), 0), answer(2, mark=OWL), 1)
    assert stage.recent == ()


def test_an_unwritten_record_stays_red_for_ever() -> None:
    stage = enter(Stage(), answer(1, AnswerKind.BROKEN), 0)
    assert settle(stage, 10**15).broken
    assert stage.next_change_ns(0) is None


@pytest.mark.parametrize("kind", GOOD)
def test_red_ends_with_the_next_record_that_is_written(kind: AnswerKind) -> None:
    stage = enter(enter(Stage(), answer(1, AnswerKind.BROKEN), 0), answer(2, kind), 1)
    assert not stage.broken


@pytest.mark.parametrize("kind", UNPROVEN)
def test_red_returns_after_an_answer_that_proves_nothing(kind: AnswerKind) -> None:
    stage = enter(enter(Stage(), answer(1, AnswerKind.BROKEN), 0), answer(2, kind), 1)
    assert settle(stage, 10**15).broken


def test_a_journal_that_cannot_be_written_is_red_before_any_child_comes() -> None:
    stage = replace(Stage(), status=door_status(broken=True))
    assert stage.broken
    assert not replace(stage, status=door_status()).broken


@given(st.lists(st.tuples(answers, st.integers(0, 3 * SECOND))))
def test_whatever_comes_the_row_is_short_and_time_empties_the_stage(coming: list[tuple[Answer, int]]) -> None:
    stage, now = Stage(), 0
    for each, pause in coming:
        now += pause
        stage = settle(enter(stage, each, now), now)
        marks = [passed.answer.mark for passed in stage.recent]
        assert len(marks) <= RECENT_MAX
        assert on_stage(stage) is None or on_stage(stage).mark not in marks  # type: ignore[union-attr]
    end = settle(stage, now + 60 * SECOND)
    assert (end.shown, end.recent, end.next_change_ns(now)) == (None, (), None)


@given(st.lists(answers), st.integers(0, 20 * SECOND))
def test_nothing_changes_before_the_stage_says_it_will(coming: list[Answer], later: int) -> None:
    stage = Stage()
    for each in coming:
        stage = enter(stage, each, 0)
    change_ns = stage.next_change_ns(0)
    if change_ns is None or later < change_ns:
        assert settle(stage, later) is stage


def test_the_end_of_undo_is_waited_for_once_and_then_the_end_of_the_answer() -> None:
    stage = enter(Stage(), answer(1, AnswerKind.IN, undo_s=1), 0)

    assert stage.next_change_ns(0) == SECOND
    assert stage.next_change_ns(SECOND) == 4 * SECOND


def test_a_door_without_a_status_for_three_seconds_is_silent_until_it_speaks_again() -> None:
    stage = hear(Stage(), door_status(), SECOND)

    assert stage.next_change_ns(SECOND) == SECOND + SILENT_NS == 4 * SECOND
    assert not stage.silent(4 * SECOND - 1)
    assert stage.silent(4 * SECOND)
    assert not hear(stage, door_status(), 5 * SECOND).silent(5 * SECOND)


def test_an_answer_is_no_sign_that_the_door_takes_the_next_card() -> None:
    stage = enter(hear(Stage(), door_status(), 0), answer(1), 2 * SECOND)
    assert stage.silent(3 * SECOND)


def test_a_door_that_has_not_spoken_yet_is_not_silent() -> None:
    assert not Stage().silent(10**15)
