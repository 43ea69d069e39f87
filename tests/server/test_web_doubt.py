"""How sure a time is, as it is shown beside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.timeline import BestTime, TimeSource
from server.web.doubt import Doubt, doubt
from tests.server.factories import NOON_MS

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
EVENING_MS = NOON_MS + 6 * 60 * MINUTE_MS


def settled(err_ms: int | None, source: TimeSource = TimeSource.ANCHOR) -> Doubt | None:
    return doubt(BestTime(NOON_MS, source, err_ms), EVENING_MS)


def unsettled(err_ms: int | None, now_ms: int = EVENING_MS) -> Doubt | None:
    return doubt(BestTime(NOON_MS, TimeSource.UNSETTLED, err_ms), now_ms)


@pytest.mark.parametrize("source", [TimeSource.ANCHOR, TimeSource.WALL, TimeSource.STAFF])
@pytest.mark.parametrize(
    ("err_ms", "minutes"), [(None, None), (0, None), (59_999, None), (60_000, 1), (60_001, 2), (170_000, 3)]
)
def test_of_a_settled_time_only_an_error_of_a_minute_or_more_is_told(
    source: TimeSource, err_ms: int | None, minutes: int | None
) -> None:
    assert settled(err_ms, source) == (None if minutes is None else Doubt(settled=True, minutes=minutes))


def test_an_unsettled_time_without_bounds_is_told_as_that_alone() -> None:
    assert unsettled(None) == Doubt(settled=False)


def test_an_unsettled_time_is_told_with_its_bounds() -> None:
    assert unsettled(25 * MINUTE_MS) == Doubt(settled=False, earliest="11:35", latest="12:25")


def test_nothing_recorded_lies_in_the_future() -> None:
    assert unsettled(25 * MINUTE_MS, NOON_MS + 5 * MINUTE_MS) == Doubt(settled=False, earliest="11:35", latest="12:05")


def test_a_bound_on_another_day_says_which() -> None:
    assert unsettled(2 * DAY_MS) == Doubt(settled=False, earliest="4/13 12:00", latest="18:00")
    assert unsettled(DAY_MS, NOON_MS + 2 * DAY_MS) == Doubt(settled=False, earliest="4/14 12:00", latest="4/16 12:00")


@given(st.integers(0, 400 * DAY_MS), st.sampled_from(TimeSource), st.none() | st.integers(0, 50 * DAY_MS))
def test_every_time_can_be_shown(after_ms: int, source: TimeSource, err_ms: int | None) -> None:
    shown = doubt(BestTime(NOON_MS + after_ms, source, err_ms), NOON_MS)
    assert (shown is not None and not shown.settled) is (source is TimeSource.UNSETTLED)
