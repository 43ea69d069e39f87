"""Best time: the kiosk's clocks against the server's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.clock import ClockReading, ClockState
from server.timeline import (
    WAY_MS,
    Anchor,
    BestTime,
    Change,
    Neighbours,
    TimeSource,
    best_time,
    between,
    compare,
    is_possible,
)

HOUR_NS = 3_600 * 1_000_000_000
HELD = Anchor(boot_ns=HOUR_NS, server_ms=1_000_000_000)


def at(boot_ns: int = HOUR_NS, wall_ms: int = 5, err_ms: int | None = None, state: str = "rtc") -> ClockReading:
    return ClockReading(wall_ms=wall_ms, wall_err_ms=err_ms, boot_ns=boot_ns, state=ClockState(state))


def test_without_an_anchor_the_wall_clock_counts_when_ntp_keeps_it() -> None:
    assert best_time(at(state="ntp", err_ms=30), None) == BestTime(5, TimeSource.WALL, 30)


@pytest.mark.parametrize("state", ["rtc", "saved", "none"])
def test_without_an_anchor_any_other_wall_clock_is_shown_as_unsettled(state: str) -> None:
    assert best_time(at(state=state, err_ms=30), None) == BestTime(5, TimeSource.UNSETTLED, None)


@given(
    st.integers(0, 10**14 - 1), st.integers(0, 2**60), st.integers(10**12, 2 * 10**12), st.integers(0, 40 * 86_400_000)
)
def test_a_boot_nothing_vouches_for_lies_between_its_neighbours(
    wall_ms: int, boot_ns: int, after_ms: int, gap_ms: int
) -> None:
    best = between(at(boot_ns, wall_ms, state="none"), Neighbours(after_ms, after_ms + gap_ms))
    earliest_ms = after_ms + boot_ns // 1_000_000
    assert best.source is TimeSource.UNSETTLED
    assert earliest_ms <= best.at_ms <= max(earliest_ms, after_ms + gap_ms)
    if earliest_ms <= wall_ms <= after_ms + gap_ms:
        assert best.at_ms == wall_ms, "what can be true stands"


def test_a_boot_of_1970_keeps_its_order_and_its_distances() -> None:
    hour = Neighbours(1_000_000_000, 1_003_600_000)
    times = [between(at(s * 1_000_000_000, s * 1000, state="none"), hour).at_ms for s in (40, 45, 99)]
    assert times == [1_000_040_000, 1_000_045_000, 1_000_099_000]


@pytest.mark.parametrize("away_ms", [-7_200_000, -1, 0, 1, 7_200_000])
def test_an_anchor_moves_with_the_boots_own_clock(away_ms: int) -> None:
    best = best_time(at(boot_ns=HELD.boot_ns + away_ms * 1_000_000), HELD)
    assert (best.at_ms, best.source) == (HELD.server_ms + away_ms, TimeSource.ANCHOR)


def test_the_bound_of_an_anchored_time_grows_with_the_distance() -> None:
    near, far = best_time(at(), HELD), best_time(at(boot_ns=HELD.boot_ns + 100 * HOUR_NS), HELD)
    assert (near.err_ms, far.err_ms) == (WAY_MS, WAY_MS + 18_000)


def test_ntp_that_agrees_with_the_anchor_and_is_tighter_is_preferred() -> None:
    best = best_time(at(wall_ms=HELD.server_ms - 900, err_ms=40, state="ntp"), HELD)
    assert best == BestTime(HELD.server_ms - 900, TimeSource.WALL, 40)


@pytest.mark.parametrize(
    ("off_ms", "err_ms"), [(2_000, 40), (100, None), (100, WAY_MS)], ids=["disagrees", "no bound", "no tighter"]
)
def test_otherwise_the_anchor_counts(off_ms: int, err_ms: int | None) -> None:
    best = best_time(at(wall_ms=HELD.server_ms + off_ms, err_ms=err_ms, state="ntp"), HELD)
    assert best.source is TimeSource.ANCHOR


def later(age_s: int, shift_ms: int) -> Anchor:
    """An anchor some time after HELD that puts the boot later by a shift."""
    return Anchor(boot_ns=HELD.boot_ns + age_s * 1_000_000_000, server_ms=HELD.server_ms + age_s * 1000 + shift_ms)


@pytest.mark.parametrize(
    ("new", "change"),
    [
        (later(5, 0), Change.NONE),
        (later(5, -WAY_MS), Change.NONE),
        (later(5, -WAY_MS - 1), Change.CORRECTS),
        (later(3_600, 0), Change.REFRESHES),
        (later(3_600, 180), Change.REFRESHES),
        (later(3_600, 181), Change.NONE),
        (later(3_600, 60_000), Change.NONE),
        (later(-3_600, 0), Change.NONE),
    ],
)
def test_a_new_anchor_is_taken_when_it_is_better(new: Anchor, change: Change) -> None:
    assert compare(HELD, new) is change


@given(st.integers(-(2**63), 2**64 - 1), st.integers(-(2**63), 2**64 - 1))
def test_every_possible_reading_has_a_time_that_can_be_stored(wall_ms: int, boot_ns: int) -> None:
    reading = at(boot_ns=boot_ns, wall_ms=wall_ms)
    if is_possible(reading):
        for best in (best_time(reading, None), best_time(reading, HELD)):
            assert abs(best.at_ms) < 2**53
