"""Of the answers in one boot the one is kept that ties its clock best to the server's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.wire import Heard
from kiosk.heard import better

S_NS = 1_000_000_000
NOON_MS = 1_775_012_400_000


def answer(at_s: float, *, way_s: float = 0.1, ahead_s: float = 0.0) -> Heard:
    """Of a server whose clock is right, or ahead."""
    half_ns, middle_ns = round(way_s * S_NS / 2), round(at_s * S_NS)
    return Heard(middle_ns - half_ns, middle_ns + half_ns, NOON_MS + round((at_s + ahead_s) * 1000))


def test_the_first_is_better_than_none() -> None:
    assert better(None, answer(100, way_s=80)) == answer(100, way_s=80)


@pytest.mark.parametrize("way_s", [0.01, 0.1, 1.0])
def test_of_quick_answers_the_last_is_kept(way_s: float) -> None:
    assert better(answer(100), answer(110, way_s=way_s)) == answer(110, way_s=way_s)


def test_a_quick_answer_is_kept_over_a_later_slow_one() -> None:
    assert better(answer(100), answer(110, way_s=30)) == answer(100)


def test_a_slow_one_is_better_once_the_clock_may_have_drifted_as_far() -> None:
    a_day_s = 24 * 3600
    assert better(answer(100), answer(100 + a_day_s, way_s=9)) == answer(100 + a_day_s, way_s=9)


@pytest.mark.parametrize("ahead_s", [3600, -3600, 20])
def test_a_server_whose_clock_was_set_is_believed_in_its_last_word(ahead_s: float) -> None:
    assert better(answer(100), answer(110, way_s=30, ahead_s=ahead_s)) == answer(110, way_s=30, ahead_s=ahead_s)


@given(st.lists(st.floats(min_value=0.001, max_value=100), min_size=1, max_size=20))
def test_what_is_kept_is_never_much_wider_than_the_best(ways_s: list[float]) -> None:
    kept: Heard | None = None
    for number, way_s in enumerate(ways_s):
        kept = better(kept, answer(1000 + 10 * number, way_s=way_s))
    assert kept is not None
    assert kept.answered_ns - kept.asked_ns <= max(1.0, min(ways_s)) * S_NS + len(ways_s) * 2_000_000
