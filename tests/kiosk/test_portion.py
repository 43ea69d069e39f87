"""How much goes into a request follows what the way takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.portion import Portion


def test_what_was_too_many_is_halved_down_to_the_least() -> None:
    portion = Portion(500, least=8)
    sizes = []
    for _ in range(8):
        portion.too_many(portion.size)
        sizes.append(portion.size)
    assert sizes == [250, 125, 62, 31, 15, 8, 8, 8]


def test_one_request_that_was_lost_says_nothing_and_two_in_a_row_do() -> None:
    portion = Portion(500, least=8)
    portion.failed(500)
    assert portion.size == 500
    portion.went(500)
    portion.failed(500)
    assert portion.size == 500
    portion.failed(500)
    assert portion.size == 250


@pytest.mark.parametrize("few", [1, 8])
def test_that_few_are_lost_or_refused_is_not_the_fault_of_their_number(few: int) -> None:
    portion = Portion(500, least=8)
    for _ in range(5):
        portion.failed(few)
        portion.too_many(few)
    assert portion.size == 500


def test_it_grows_again_only_by_many_that_were_as_large() -> None:
    portion = Portion(500, least=8)
    portion.too_many(500)
    for _ in range(100):
        portion.went(249)
    assert portion.size == 250
    asked = 0
    while portion.size < 500:
        portion.went(portion.size)
        asked += 1
    assert asked > 30


@given(st.integers(1, 500), st.integers(10, 60))
def test_whatever_a_way_takes_nearly_all_requests_come_to_fit(limit: int, rounds: int) -> None:
    portion, refused = Portion(500, least=1), 0
    for _ in range(10 * rounds):
        if portion.size > limit:
            refused += 1
            portion.too_many(portion.size)
        else:
            portion.went(portion.size)
    assert refused <= 9 + 10 * rounds // 16
