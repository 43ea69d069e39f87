"""The chain: a session is one stretch, and nothing in it can be moved, left out or changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.chain import place, verify
from attendance.errors import WireError
from attendance.records import Body, Direction, Head, JournalLine, Undone, read_line
from tests.attendance.factories import KIOSK, SESSION, chained, draft, moved, opened

bodies = st.lists(
    st.builds(moved, direction=st.sampled_from(Direction)) | st.builds(Undone, seq=st.integers(0, 50)),
    min_size=1,
    max_size=12,
)


def head_of(lines: list[JournalLine]) -> Head:
    last = read_line(lines[-1])
    return Head(last.session, last.seq, lines[-1].hash)


@given(bodies)
def test_what_was_placed_one_after_the_other_verifies(placed: list[Body]) -> None:
    lines = chained(*placed)
    assert verify(lines) == head_of(lines)
    assert [read_line(line).seq for line in lines] == list(range(len(placed) + 1))


@given(bodies, st.data())
def test_a_stretch_verifies_after_the_head_before_it(placed: list[Body], data: st.DataObject) -> None:
    lines = chained(*placed)
    cut = data.draw(st.integers(1, len(lines)))
    assert verify(lines[cut:], after=verify(lines[:cut])) == head_of(lines)


@given(bodies, st.data())
def test_no_entry_can_be_left_out_doubled_or_swapped(placed: list[Body], data: st.DataObject) -> None:
    lines = chained(*placed)
    at = data.draw(st.integers(0, len(lines) - 2))
    for wrong in (
        lines[:at] + lines[at + 1 :],
        lines[: at + 1] + lines[at:],
        [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]],
    ):
        with pytest.raises(WireError):
            verify(wrong)


def test_nothing_verifies_to_the_head_it_began_with() -> None:
    head = head_of(chained(moved()))
    assert verify([]) is None
    assert verify([], after=head) == head


def test_a_session_begins_with_its_header_and_has_one() -> None:
    with pytest.raises(WireError):
        place(draft(moved()), kiosk=KIOSK, session=SESSION, after=None)
    with pytest.raises(WireError):
        place(draft(opened()), kiosk=KIOSK, session=SESSION, after=head_of(chained()))


def test_an_entry_does_not_follow_the_head_of_another_session() -> None:
    with pytest.raises(WireError, match="two sessions"):
        place(draft(), kiosk=KIOSK, session="another", after=head_of(chained()))


def test_entries_of_two_sessions_do_not_verify_as_one() -> None:
    lines = chained()
    _, foreign = place(draft(), kiosk=KIOSK, session="another", after=head_of(lines)._replace(session="another"))
    with pytest.raises(WireError, match="two sessions"):
        verify([*lines, foreign])


def test_a_second_life_of_the_same_kiosk_begins_its_own_chain() -> None:
    first, second = chained(moved()), chained(moved(), session="second")
    assert verify(second) != verify(first)
    with pytest.raises(WireError):
        verify([*first, *second])
