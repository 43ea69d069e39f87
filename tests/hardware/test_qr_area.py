"""Which part of a frame is worth a second look."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hardware.qr_area import Area, area_of, beside, cut
from hardware.qr_decode import Code

FRAME = np.arange(200 * 100, dtype=np.int64).astype(np.uint8).reshape(100, 200)


def code(left: float, top: float, side: float) -> Code:
    return Code(b"T1", ((left, top), (left + side, top), (left + side, top + side), (left, top + side)))


codes = st.lists(st.builds(code, st.floats(-50, 250), st.floats(-50, 150), st.floats(1, 120)), max_size=4)


def test_a_region_becomes_whole_pixels_and_none_the_whole_frame() -> None:
    assert area_of(FRAME, (0.251, 0.5, 0.749, 1.0)) == (50, 50, 150, 100)
    assert area_of(FRAME, None) == (0, 0, 200, 100)


def test_a_cut_is_in_one_piece_of_memory() -> None:
    part = cut(FRAME, (10, 20, 30, 25))
    assert part.flags.c_contiguous
    assert np.array_equal(part, FRAME[20:25, 10:30])


def test_with_no_card_read_the_whole_area_is_left() -> None:
    assert beside((0, 0, 200, 100), []) == (0, 0, 200, 100)


def test_the_larger_side_is_looked_at() -> None:
    assert beside((0, 0, 200, 100), [code(20, 30, 40)]) == (70, 0, 200, 100)


def test_between_two_cards_that_are_read_the_rest_is_looked_at() -> None:
    assert beside((0, 0, 200, 100), [code(0, 30, 40), code(160, 30, 40)]) == (50, 0, 150, 100)


def test_there_is_nothing_to_look_at_where_another_card_has_no_room() -> None:
    left, top, right, bottom = beside((0, 0, 60, 60), [code(10, 10, 40)])
    assert (right - left) * (bottom - top) == 0


@given(codes)
def test_what_is_left_lies_in_the_area_and_touches_no_code(found: list[Code]) -> None:
    area: Area = (10, 5, 190, 95)
    left, top, right, bottom = beside(area, found)
    if right - left:
        assert (left, top) >= (10, 5)
        assert right <= 190
        assert bottom <= 95
        for other in found:
            other_left, other_top, other_right, other_bottom = other.box()
            assert right <= other_left or left >= other_right or bottom <= other_top or top >= other_bottom
