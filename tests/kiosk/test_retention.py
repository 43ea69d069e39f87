"""What a kiosk lets go of: only what is old by a clock worth trusting, and acknowledged."""

from hypothesis import given
from hypothesis import strategies as st

from attendance.clock import ClockReading, ClockState
from attendance.records import AttendanceRecord, Body, ClockStepped, Head, SessionOpened
from kiosk.retention import KEPT_MS, SessionAge, age_of, prunable

DAY_MS = 24 * 3600 * 1000
NOW_MS = 1_775_012_400_000


def session(name: str, days_ago: float, state: ClockState = ClockState.NTP) -> SessionAge:
    return SessionAge(Head(name, 9, f"hash of {name}"), round(NOW_MS - days_ago * DAY_MS), state)


def let_go(*sessions: SessionAge, acked: str = "abcdefgh") -> list[str]:
    return prunable(sessions, [each.head for each in sessions if each.head.session in acked], NOW_MS)


def test_a_session_goes_when_the_next_began_more_than_forty_days_ago() -> None:
    assert let_go(session("a", 60), session("b", 41), session("c", 1)) == ["a"]
    assert let_go(session("a", 60), session("b", 39), session("c", 1)) == []


def test_what_is_not_acknowledged_stays_however_old() -> None:
    assert let_go(session("a", 90), session("b", 80), session("c", 70), acked="b") == ["b"]


def test_a_session_acknowledged_in_part_stays() -> None:
    sessions = [session("a", 90), session("b", 80)]
    assert prunable(sessions, [Head("a", 8, "another hash")], NOW_MS) == []


def test_a_clock_that_nobody_set_proves_no_age() -> None:
    in_1970 = SessionAge(Head("b", 9, "hash of b"), 0, ClockState.NONE)
    assert let_go(session("a", 3), in_1970, session("c", 1)) == []
    assert let_go(session("a", 3), session("b", 60, ClockState.SAVED), session("c", 1)) == []


def test_a_later_trusted_beginning_proves_the_age_of_all_before_it() -> None:
    in_1970 = SessionAge(Head("b", 9, "hash of b"), 0, ClockState.NONE)
    assert let_go(session("a", 300, ClockState.NONE), in_1970, session("c", 50)) == ["a", "b"]


HEAD = Head("a", 9, "hash of a")


def first(body: Body) -> AttendanceRecord:
    """The first entry of a session, made ten seconds after a boot with a clock of 1970."""
    at = ClockReading(10_000, None, 10_000_000_000, ClockState.NONE)
    return AttendanceRecord(kiosk="k", session="a", seq=0, at=at, body=body, prev="0" * 64)


OPENED = SessionOpened(boot="b1", app="1", key="k", heads=())


def test_a_session_is_dated_by_the_contact_of_its_boot_whatever_the_clock_was_worth() -> None:
    age = age_of(HEAD, first(OPENED), {"b0": (0, 0), "b1": (70_000_000_000, NOW_MS)})
    assert age == SessionAge(HEAD, NOW_MS - 60_000, ClockState.NTP)


def test_without_contact_in_its_boot_a_session_is_as_old_as_its_clock_says() -> None:
    undated = SessionAge(HEAD, 10_000, ClockState.NONE)
    assert age_of(HEAD, first(OPENED), {"b0": (0, NOW_MS)}) == undated
    assert age_of(HEAD, first(ClockStepped(step_ms=1)), {"b1": (0, NOW_MS)}) == undated


sessions = st.lists(
    st.builds(
        SessionAge,
        head=st.builds(Head, st.uuids().map(str), st.integers(0, 9), st.sampled_from(["x", "y"])),
        began_ms=st.integers(0, 2 * NOW_MS),
        state=st.sampled_from(ClockState),
    ),
    unique_by=lambda age: age.head.session,
)


@given(sessions, st.data())
def test_only_acknowledged_sessions_go_and_never_the_last(ages: list[SessionAge], data: st.DataObject) -> None:
    acked = data.draw(st.lists(st.sampled_from(ages))) if ages else []
    gone = prunable(ages, [age.head for age in acked], NOW_MS)
    assert set(gone) <= {age.head.session for age in acked}
    assert not ages or ages[-1].head.session not in gone
    # Of every session that goes, some later one began 40 days ago by a clock worth trusting.
    names = [age.head.session for age in ages]
    for name in gone:
        later = ages[names.index(name) + 1 :]
        assert any(age.state in (ClockState.NTP, ClockState.RTC) and age.began_ms < NOW_MS - KEPT_MS for age in later)
