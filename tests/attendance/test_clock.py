"""Clock: instants in UTC, days in Japan."""

import time
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.clock import JST, ClockState, ManualClock, SystemClock, day_bounds, from_ms, local_day, now, to_ms

instants = st.integers(0, 4_000_000_000_000)


@given(instants)
def test_milliseconds_survive_the_way_through_a_datetime(ms: int) -> None:
    assert to_ms(from_ms(ms)) == ms
    assert to_ms(from_ms(ms).astimezone(JST)) == ms


@given(instants)
def test_every_instant_lies_within_the_bounds_of_its_day(ms: int) -> None:
    start, end = day_bounds(local_day(from_ms(ms)))
    assert start <= from_ms(ms) < end
    assert end - start == timedelta(days=1)


@given(st.dates(date(1970, 1, 2), date(2100, 1, 1)))
def test_days_meet_without_gap_or_overlap(day: date) -> None:
    assert day_bounds(day)[1] == day_bounds(day + timedelta(days=1))[0]


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 3, 31, 14, 59, 59, 999_999, tzinfo=UTC), date(2026, 3, 31)),
        (datetime(2026, 3, 31, 15, 0, tzinfo=UTC), date(2026, 4, 1)),
        (datetime(2026, 4, 1, 0, 0, tzinfo=JST), date(2026, 4, 1)),
        (datetime(2026, 12, 31, 15, 0, tzinfo=UTC), date(2027, 1, 1)),
        (datetime(2028, 2, 28, 15, 0, tzinfo=UTC), date(2028, 2, 29)),
    ],
)
def test_the_day_changes_at_midnight_in_japan(at: datetime, day: date) -> None:
    assert local_day(at) == day


def test_a_day_begins_at_three_in_the_afternoon_of_the_day_before_in_utc() -> None:
    start, end = day_bounds(date(2026, 4, 1))
    assert start == datetime(2026, 3, 31, 15, 0, tzinfo=UTC)
    assert (start.tzinfo, end.tzinfo) == (UTC, UTC)


def test_a_naive_datetime_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        to_ms(datetime(2026, 4, 1))  # noqa: DTZ001 - the mistake itself


def test_fractions_of_a_millisecond_are_rounded_down_before_and_after_1970() -> None:
    assert to_ms(datetime(1970, 1, 1, 0, 0, 0, 1_999, tzinfo=UTC)) == 1
    assert to_ms(datetime(1969, 12, 31, 23, 59, 59, 999_500, tzinfo=UTC)) == -1


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(datetime(2026, 4, 1, tzinfo=UTC), boot_ns=5, state=ClockState.RTC)
    before = clock.read()
    assert clock.read() == before
    clock.advance(1.5)
    after = clock.read()
    assert (after.wall_ms - before.wall_ms, after.boot_ns - before.boot_ns) == (1_500, 1_500_000_000)
    clock.step(-3600)
    assert (clock.read().wall_ms, clock.read().boot_ns) == (after.wall_ms - 3_600_000, after.boot_ns)
    assert now(clock) == datetime(2026, 3, 31, 23, 0, 1, 500_000, tzinfo=UTC)


def test_the_system_clock_reads_the_machine() -> None:
    earliest = time.time_ns() // 1_000_000
    reading = SystemClock().read()
    assert earliest <= reading.wall_ms <= time.time_ns() // 1_000_000
    assert 0 < reading.boot_ns <= SystemClock().read().boot_ns
