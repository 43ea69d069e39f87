"""What a kiosk lets go of: only what is acknowledged, and old by all that can tell."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from attendance.clock import ClockReading, ClockState
from attendance.records import AttendanceRecord, Head, SessionOpened
from kiosk.retention import KEPT_MS, NO_CONTACTS, Contacts, Moment, SessionAge, age_of, prunable

DAY_MS = 24 * 3600 * 1000
NOW_MS = 1_775_012_400_000
HERE = "the boot that runs"
RAN_DAYS = 1
HEAD = Head("a", 9, "hash of a")
NTP, RTC, SAVED, NONE = ClockState


def session(
    name: str, own: float | None, server: float | None = None, *, state: ClockState = NTP, boot: str = ""
) -> SessionAge:
    """A session, begun so many days ago by its own clock and by the server's; of a boot of its own if none is named."""
    boot_ns = round((RAN_DAYS - own) * DAY_MS) * 1_000_000 if boot == HERE and own is not None else 0
    at = None if own is None else ClockReading(round(NOW_MS - own * DAY_MS), None, boot_ns, state)
    heard_ms = None if server is None else round(NOW_MS - server * DAY_MS)
    return SessionAge(Head(name, 9, f"hash of {name}"), boot or f"boot of {name}", at, heard_ms)


def now(
    *, server_ahead: float = 0, own_ahead: float = 0, state: ClockState = NTP, contacts: Contacts = NO_CONTACTS
) -> Moment:
    reading = ClockReading(round(NOW_MS + own_ahead * DAY_MS), None, RAN_DAYS * DAY_MS * 1_000_000, state)
    return Moment(HERE, reading, round(NOW_MS + server_ahead * DAY_MS), contacts)


def told(**days_ago: float) -> Contacts:
    return {f"boot of {name}": (0, round(NOW_MS - days * DAY_MS)) for name, days in days_ago.items()}


def let_go(*sessions: SessionAge, at: Moment | None = None, acked: str = "abcdefgh") -> str:
    return "".join(prunable(sessions, [each.head for each in sessions if each.head.session in acked], at or now()))


def test_a_session_goes_when_the_next_began_more_than_forty_days_ago() -> None:
    assert let_go(session("a", 60, 60), session("b", 41, 41), session("c", 1, 1)) == "a"
    assert let_go(session("a", 60, 60), session("b", 39, 39), session("c", 1, 1)) == ""


def test_what_is_not_acknowledged_stays_however_old() -> None:
    assert let_go(session("a", 90, 90), session("b", 80, 80), session("c", 70, 70), acked="b") == "b"


def test_a_session_acknowledged_in_part_stays() -> None:
    sessions = [session("a", 90, 90), session("b", 80, 80)]
    assert prunable(sessions, [Head("a", 8, "another hash")], now()) == []


def test_a_server_that_is_ahead_makes_nothing_old() -> None:
    young = [session("a", 20, 20), session("b", 10, 10), session("c", 1, 1)]
    assert let_go(*young, at=now(server_ahead=366)) == ""
    unset = [session("a", 20, 20, state=NONE), session("b", 10, 10, state=NONE), session("c", 1, 1, state=NONE)]
    assert let_go(*unset, at=now(server_ahead=366, state=NONE, contacts=told(a=20, b=10, c=1))) == ""
    assert let_go(session("a", 20), session("b", 10), session("c", 1), at=now(server_ahead=366)) == ""


def test_an_own_clock_that_is_ahead_makes_nothing_old() -> None:
    young = [session("a", 20, 20), session("b", 10, 10), session("c", 1, 1)]
    assert let_go(*young, at=now(own_ahead=366)) == ""
    assert let_go(session("a", 20), session("b", 10), session("c", 1), at=now(own_ahead=366)) == ""


def test_a_boot_with_a_clock_that_is_behind_makes_nothing_old() -> None:
    young = [session("a", 20), session("b", 10)]
    assert let_go(*young, session("c", 60, 5, state=RTC), session("d", 1, 1)) == ""
    assert let_go(*young, session("c", 60, state=RTC), session("d", 1, 1)) == "", "not heard in that boot"
    assert let_go(*young, session("c", 60, state=NTP), session("d", 1, 1)) == "", "not heard in that boot"
    assert let_go(session("c", 60, 5, state=RTC, boot=HERE), session("d", 60, 5, state=RTC)) == ""


def test_a_server_that_was_ahead_in_one_boot_keeps_nothing_for_ever() -> None:
    """What it told of that boot lies after now, so the kiosk's own clock is asked alone."""
    assert let_go(session("a", 60, 60), session("b", 50, -316), session("c", 1, 1)) == "a"
    assert let_go(session("a", 60, -306), session("b", 45, 45), session("c", 1, 1)) == "a"


def test_a_battery_that_once_told_of_the_future_keeps_nothing_for_ever() -> None:
    assert let_go(session("a", -900, state=RTC), session("b", 45, 45), session("c", 1, 1)) == "a"


def test_in_a_boot_that_met_no_server_only_ntp_proves_an_age() -> None:
    assert let_go(session("a", 60), session("b", 50, state=NTP), session("c", 1, 1)) == "a"
    assert let_go(session("a", 60), session("b", 50, state=RTC), session("c", 1, 1)) == ""


def test_a_session_is_no_older_than_the_boot_it_began_in() -> None:
    began_here = replace(session("b", 50, 50), boot=HERE)
    assert let_go(session("a", 60, 60), began_here, session("c", 1, 1)) == ""


def test_a_clock_that_nobody_set_proves_no_age() -> None:
    in_1970 = session("b", NOW_MS / DAY_MS, state=NONE)
    assert let_go(session("a", 3, 3), in_1970, session("c", 1, 1)) == ""
    assert let_go(session("a", 3), session("b", 60, state=SAVED), session("c", 1)) == ""
    assert let_go(session("a", NOW_MS / DAY_MS, state=NONE), in_1970, session("c", 1, state=NONE)) == ""


def test_without_a_clock_of_its_own_a_kiosk_believes_the_server_when_it_told_so_in_two_boots() -> None:
    unset = [session("a", 60, 60, state=NONE), session("b", 45, 45, state=NONE), session("c", 1, 1, state=NONE)]
    assert let_go(*unset, at=now(state=NONE)) == ""
    assert let_go(*unset, at=now(state=NONE, contacts=told(a=60, b=44, c=6))) == ""
    assert let_go(*unset, at=now(state=NONE, contacts=told(a=60, b=44, c=5))) == "a"
    assert let_go(*unset, at=now(state=NONE, contacts=told(a=60, b=44, c=-300))) == "", "after now"


def test_a_kiosk_that_ran_for_forty_days_needs_no_clock() -> None:
    ran = [session("a", 3, state=NONE), session("b", 41, state=NONE, boot=HERE), session("c", 1, boot=HERE)]
    assert let_go(*ran, at=now(server_ahead=-900, own_ahead=-900, state=NONE)) == "a"


def test_a_later_beginning_proves_the_age_of_all_before_it() -> None:
    in_1970 = session("b", NOW_MS / DAY_MS, state=NONE)
    assert let_go(session("a", 300, state=NONE), in_1970, session("c", 50, 50), session("d", 1, 1)) == "ab"


def test_a_session_whose_first_entry_cannot_be_read_goes_with_those_around_it() -> None:
    assert let_go(session("a", 60, 60), session("b", None), session("c", 50, 50), session("d", 1, 1)) == "ab"
    assert let_go(session("a", 60, 60), session("b", None), session("c", 1, 1)) == ""
    assert let_go(session("a", 60, 60), session("b", None, boot=HERE), session("c", 1, 1)) == ""


def first() -> AttendanceRecord:
    """The first entry of a session, made ten seconds after a boot with a clock of 1970."""
    body = SessionOpened(boot="b1", app="1", key="k", heads=())
    at = ClockReading(10_000, None, 10_000_000_000, NONE)
    return AttendanceRecord(kiosk="k", session="a", seq=0, at=at, body=body, prev="0" * 64)


def test_a_session_is_dated_by_the_contact_of_its_boot_whatever_the_clock_was_worth() -> None:
    age = age_of(HEAD, "b1", first(), {"b0": (0, 0), "b1": (70_000_000_000, NOW_MS)})
    assert age == SessionAge(HEAD, "b1", first().at, NOW_MS - 60_000)
    assert (age.began_ms, age.state) == (NOW_MS - 60_000, NTP)


def test_without_contact_in_its_boot_a_session_is_as_old_as_its_clock_says() -> None:
    age = age_of(HEAD, "b1", first(), {"b0": (0, NOW_MS)})
    assert (age.began_ms, age.state) == (10_000, NONE)
    assert age_of(HEAD, "b1", None, {"b1": (0, NOW_MS)}).state is NONE


def days(least: int = -400) -> st.SearchStrategy[float | None]:
    return st.none() | st.integers(least, 400).map(float)


@st.composite
def histories(draw: st.DrawFn) -> list[SessionAge]:
    """Sessions of any boots, with clocks of any worth that say anything."""
    return [
        session(f"{number}", draw(days()), draw(days()), state=draw(st.sampled_from(ClockState)), boot=boot)
        for number, boot in enumerate(draw(st.lists(st.sampled_from(["b", "c", HERE]), max_size=8)))
    ]


def moments() -> st.SearchStrategy[Moment]:
    ahead = st.integers(-400, 400)
    contacts: st.SearchStrategy[Mapping[str, tuple[int, int]]] = st.dictionaries(
        st.sampled_from(["b", "c", "d"]), ahead.map(lambda day: (0, NOW_MS + day * DAY_MS))
    )
    return st.builds(now, server_ahead=ahead, own_ahead=ahead, state=st.sampled_from(ClockState), contacts=contacts)


@given(histories(), moments(), st.data())
def test_only_acknowledged_sessions_go_and_never_the_last(
    ages: Sequence[SessionAge], at: Moment, data: st.DataObject
) -> None:
    acked = data.draw(st.lists(st.sampled_from(ages))) if ages else []
    gone = prunable(ages, [age.head for age in acked], at)
    assert set(gone) <= {age.head.session for age in acked}
    assert not ages or ages[-1].head.session not in gone


@st.composite
def one_lies(draw: st.DrawFn) -> tuple[list[SessionAge], Moment, list[float]]:
    """Sessions in order, with true ages; the server, or the kiosk's own clock, is wrong now and in some boots."""
    true = sorted(draw(st.lists(st.integers(2, 200).map(float), min_size=1, max_size=8)), reverse=True)
    server_lies, lie = draw(st.booleans()), st.sampled_from([0.0, 366.0, -60.0, -366.0])
    ages = []
    for number, age in enumerate(true):
        wrong = draw(lie)
        own, server = (age, age - wrong) if server_lies else (age - wrong, age)
        ages.append(session(f"{number}", own, server))
    wrong = draw(lie)
    at = now(server_ahead=wrong) if server_lies else now(own_ahead=wrong)
    return ages, at, true


@given(one_lies())
def test_nothing_young_goes_while_one_of_the_two_is_right(case: tuple[list[SessionAge], Moment, list[float]]) -> None:
    ages, at, true = case
    gone = prunable(ages, [age.head for age in ages], at)
    for name in gone:
        assert true[int(name) + 1] * DAY_MS >= KEPT_MS, "it may have gone on until the next began"
