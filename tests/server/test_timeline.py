"""Best time: what an anchor, NTP or the boots around say of a reading, and which of two anchors is the better one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.clock import ClockReading, ClockState
from attendance.wire import Heard
from server.timeline import (
    DRIFT_PPM,
    SLEW_MS,
    UNHEARD_MS,
    UNSETTLED_ABOVE_MS,
    WAY_MS,
    Anchor,
    BestTime,
    Change,
    Neighbours,
    TimeSource,
    allows,
    anchor_of_ntp,
    anchor_of_offer,
    best_time,
    between,
    compare,
    drift_ms,
    is_possible,
)

S_NS = 1_000_000_000
HOUR_NS = 3_600 * S_NS
HOUR_MS = 3_600_000
HELD = Anchor(boot_ns=HOUR_NS, server_ms=1_000_000_000)
LATE = Anchor(boot_ns=HOUR_NS, server_ms=1_000_000_000, err_ms=UNHEARD_MS)


def at(boot_ns: int = HOUR_NS, wall_ms: int = 5, err_ms: int | None = None, state: str = "rtc") -> ClockReading:
    return ClockReading(wall_ms=wall_ms, wall_err_ms=err_ms, boot_ns=boot_ns, state=ClockState(state))


@pytest.mark.parametrize("state", ["ntp", "rtc", "saved", "none"])
def test_without_an_anchor_a_wall_clock_is_shown_as_unsettled(state: str) -> None:
    assert best_time(at(state=state), None) == BestTime(5, TimeSource.UNSETTLED, None)


# Between neighbours


@given(
    st.integers(0, 10**14 - 1), st.integers(0, 2**60), st.integers(10**12, 2 * 10**12), st.integers(0, 40 * 86_400_000)
)
def test_a_boot_nothing_vouches_for_lies_between_its_neighbours(
    wall_ms: int, since_ns: int, after_ms: int, gap_ms: int
) -> None:
    first = at(7, wall_ms, state="none")
    around = Neighbours(first, after_ms, after_ms + gap_ms)
    best = between(at(7 + since_ns, 0, state="none"), around)
    earliest_ms, latest_ms = around.earliest_ms(7 + since_ns), after_ms + gap_ms
    assert 0 <= after_ms + since_ns // 1_000_000 - earliest_ms <= drift_ms(since_ns)
    assert best.source is TimeSource.UNSETTLED
    assert best.err_ms is not None
    assert earliest_ms <= best.at_ms <= max(earliest_ms, latest_ms)
    assert best.at_ms - best.err_ms <= earliest_ms
    assert best.at_ms + best.err_ms >= latest_ms
    if earliest_ms <= wall_ms + since_ns // 1_000_000 <= latest_ms:
        assert best.at_ms == wall_ms + since_ns // 1_000_000, "what can be true stands"


@given(st.integers(0, 3 * 10**12), st.lists(st.integers(0, 10**16), min_size=2, max_size=9), st.integers(0, 10**10))
def test_a_boot_between_neighbours_keeps_its_order(wall_ms: int, boot_ns: list[int], gap_ms: int) -> None:
    around = Neighbours(at(0, wall_ms, state="none"), 1_500_000_000_000, 1_500_000_000_000 + gap_ms)
    times = [between(at(each, 0), around).at_ms for each in sorted(boot_ns)]
    assert times == sorted(times)


def test_a_boot_of_1970_keeps_its_distances() -> None:
    hour = Neighbours(at(0, 0, state="none"), 1_000_000_000, 1_003_600_000)
    times = [between(at(s * S_NS, s * 1000, state="none"), hour).at_ms for s in (40, 45, 99)]
    assert [round(each / 100) for each in times] == [10_000_400, 10_000_450, 10_000_990]


# An anchor


@pytest.mark.parametrize("away_ms", [-7_200_000, -1, 0, 1, 7_200_000])
def test_an_anchor_moves_with_the_boots_own_clock(away_ms: int) -> None:
    best = best_time(at(boot_ns=HELD.boot_ns + away_ms * 1_000_000), HELD)
    assert (best.at_ms, best.source) == (HELD.server_ms + away_ms, TimeSource.ANCHOR)


@pytest.mark.parametrize("way", [1, -1])
def test_the_bound_of_an_anchored_time_grows_with_the_distance(way: int) -> None:
    far = best_time(at(boot_ns=HELD.boot_ns + way * HOUR_NS), HELD)
    assert best_time(at(), HELD).err_ms == WAY_MS
    assert far.err_ms == WAY_MS + 3_600 * DRIFT_PPM / 1_000
    assert drift_ms(1) == drift_ms(-1) == 1, "rounded up"


@pytest.mark.parametrize("err_ms", [None, 0, 500, 10_000])
def test_ntp_that_agrees_with_the_anchor_changes_nothing(err_ms: int | None) -> None:
    best = best_time(at(wall_ms=HELD.server_ms - 900, err_ms=err_ms, state="ntp"), HELD)
    assert best == BestTime(HELD.server_ms, TimeSource.ANCHOR, WAY_MS)


@pytest.mark.parametrize("off_ms", [-HOUR_MS, -1_041, 1_041, HOUR_MS])
def test_ntp_that_contradicts_the_anchor_widens_the_bound_to_hold_both(off_ms: int) -> None:
    best = best_time(at(wall_ms=HELD.server_ms + off_ms, err_ms=40, state="ntp"), HELD)
    unsettled = abs(off_ms) > UNSETTLED_ABOVE_MS
    source = TimeSource.UNSETTLED if unsettled else TimeSource.ANCHOR
    assert best == BestTime(HELD.server_ms, source, abs(off_ms) + 40)


def test_a_clock_that_ntp_does_not_keep_contradicts_nobody() -> None:
    assert best_time(at(wall_ms=0, err_ms=40), HELD) == BestTime(HELD.server_ms, TimeSource.ANCHOR, WAY_MS)
    assert best_time(at(wall_ms=0, state="ntp"), HELD) == BestTime(HELD.server_ms, TimeSource.ANCHOR, WAY_MS)


# Where anchors come from


def test_a_first_request_may_be_late_by_as_much_as_a_kiosk_waits() -> None:
    assert anchor_of_offer(at(), None, 77) == Anchor(HOUR_NS, 77, UNHEARD_MS)


@pytest.mark.parametrize(("way_s", "err_ms"), [(0, WAY_MS), (1, WAY_MS), (8, 4_000 + SLEW_MS)])
def test_what_was_heard_ties_the_clocks_in_the_middle_of_the_way(way_s: int, err_ms: int) -> None:
    heard = Heard(HOUR_NS, HOUR_NS + way_s * S_NS, 1_000_000)
    new = anchor_of_offer(at(HOUR_NS + 20 * S_NS), heard, 1_020_000)
    assert new == Anchor(HOUR_NS + way_s * S_NS // 2, 1_000_000, err_ms)


@pytest.mark.parametrize(
    ("asked_s", "answered_s", "now_ms"),
    [(10, 5, 1_020_000), (0, 30, 1_020_000), (0, 1, 1_000_000 - HOUR_MS)],
    ids=["ends before it begins", "not yet over", "the server's clock was set back since"],
)
def test_what_cannot_have_been_heard_is_not_believed(asked_s: int, answered_s: int, now_ms: int) -> None:
    heard = Heard(HOUR_NS + asked_s * S_NS, HOUR_NS + answered_s * S_NS, 1_000_000)
    reading = at(HOUR_NS + 20 * S_NS)
    assert anchor_of_offer(reading, heard, now_ms) == Anchor(reading.boot_ns, now_ms, UNHEARD_MS)


def test_an_answer_that_took_minutes_ties_nothing() -> None:
    heard = Heard(HOUR_NS, HOUR_NS + 200 * S_NS, 1_000_000)
    assert not anchor_of_offer(at(HOUR_NS + 201 * S_NS), heard, 1_100_000).is_heard


def test_only_ntp_with_a_bound_is_an_anchor_by_itself() -> None:
    assert anchor_of_ntp(at(err_ms=30, state="ntp")) == Anchor(HOUR_NS, 5, 30 + SLEW_MS, TimeSource.WALL)
    assert anchor_of_ntp(at(state="ntp")) is None
    assert anchor_of_ntp(at(err_ms=30, state="rtc")) is None


@pytest.mark.parametrize(
    ("off_ms", "fits"), [(0, True), (-1_001, False), (-999, True), (HOUR_MS + 999, True), (HOUR_MS + 1_001, False)]
)
def test_an_anchor_must_lie_between_the_neighbours(off_ms: int, fits: bool) -> None:
    around = Neighbours(at(), 1_000_000_000, 1_000_000_000 + HOUR_MS)
    assert allows(around, Anchor(HOUR_NS, 1_000_000_000 + off_ms)) is fits


# Two anchors


def later(age_s: int, shift_ms: int, err_ms: int = WAY_MS) -> Anchor:
    """An anchor some time after HELD that puts the boot later by a shift."""
    return Anchor(HELD.boot_ns + age_s * S_NS, HELD.server_ms + age_s * 1000 + shift_ms, err_ms)


@pytest.mark.parametrize(
    ("held", "new", "change"),
    [
        (HELD, later(5, 0), Change.NONE),
        (HELD, later(5, -2 * WAY_MS), Change.NONE),
        (HELD, later(5, 2 * WAY_MS), Change.NONE),
        (HELD, later(5, -2 * WAY_MS - 2), Change.CORRECTS),
        (HELD, later(5, 2 * WAY_MS + 2), Change.CORRECTS),
        (HELD, later(3_600, 0), Change.REFRESHES),
        (HELD, later(3_600, 2_180), Change.REFRESHES),
        (HELD, later(3_600, 2_181), Change.CORRECTS),
        (HELD, later(3_600, 0, 1_180), Change.REFRESHES),
        (HELD, later(3_600, 0, 1_181), Change.NONE),
        (HELD, later(-3_600, 0), Change.NONE),
        (later(0, 0, 5_000), later(5, 0), Change.CORRECTS),
        (HELD, later(5, 0, UNHEARD_MS), Change.NONE),
        (HELD, later(5, HOUR_MS, UNHEARD_MS), Change.NONE),
        (HELD, later(5, -WAY_MS - 2, UNHEARD_MS), Change.CORRECTS),
        (LATE, later(5, 0), Change.CORRECTS),
        (LATE, later(5, -UNHEARD_MS), Change.CORRECTS),
        (LATE, later(5, -WAY_MS, UNHEARD_MS), Change.NONE),
        (LATE, later(5, -WAY_MS - 1, UNHEARD_MS), Change.CORRECTS),
        (LATE, later(3_600, 180, UNHEARD_MS), Change.REFRESHES),
        (LATE, later(3_600, 181, UNHEARD_MS), Change.NONE),
        (Anchor(HOUR_NS, 0, 10, TimeSource.WALL), later(0, 0, UNHEARD_MS), Change.CORRECTS),
    ],
)
def test_a_new_anchor_is_taken_when_it_is_better(held: Anchor, new: Anchor, change: Change) -> None:
    assert compare(held, new) is change


@given(st.integers(-(2**63), 2**64 - 1), st.integers(-(2**63), 2**64 - 1))
def test_every_possible_reading_has_a_time_that_can_be_stored(wall_ms: int, boot_ns: int) -> None:
    reading = at(boot_ns=boot_ns, wall_ms=wall_ms)
    if is_possible(reading):
        for best in (best_time(reading, None), best_time(reading, HELD)):
            assert abs(best.at_ms) < 2**53
