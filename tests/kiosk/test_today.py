from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from attendance.clock import ClockReading, ClockState, from_ms, to_ms
from attendance.presence import Movement, fold, movement_id
from attendance.records import FIRST_PREV, AttendanceRecord, Body, Direction, Head, MadeBy, Moved, Undone
from kiosk.today import Now, Today, best_now
from tests.kiosk.door_parts import AFTERNOON, HANA, TARO, presence

NOON_MS = to_ms(AFTERNOON)
BOOT_NS = 3_600_000_000_000
NOW = Now(NOON_MS, BOOT_NS, certain=True)
UNCERTAIN = Now(NOON_MS, BOOT_NS, certain=False)
SECOND_NS = 1_000_000_000
HOUR_S = 3600


def record(
    body: Body | None = None, *, ago_s: float = 60, seq: int = 1, session: str = "mine", wall_ms: int | None = None
) -> AttendanceRecord:
    at = ClockReading(
        wall_ms=NOON_MS - round(ago_s * 1000) if wall_ms is None else wall_ms,
        wall_err_ms=None,
        boot_ns=max(0, BOOT_NS - round(ago_s * SECOND_NS)),
        state=ClockState.NTP,
    )
    return AttendanceRecord(kiosk="k", session=session, seq=seq, at=at, body=body or entry(), prev=FIRST_PREV)


def entry(child: str = HANA) -> Moved:
    return Moved(child=child, direction=Direction.ENTRY, by=MadeBy.CARD, card=None)


def leave(child: str = HANA) -> Moved:
    return Moved(child=child, direction=Direction.EXIT, by=MadeBy.CARD, card=None)


def told(
    child: str = HANA, direction: Direction = Direction.ENTRY, *, ago_s: float = 60, id_: str = "theirs:1"
) -> Movement:
    return Movement(id_, child, direction, NOON_MS - round(ago_s * 1000))


def is_in(today: Today, child: str = HANA) -> bool | None:
    state = today.state_of(child)
    return None if state is None else state.presence.present


def test_the_servers_time_is_better_than_the_wall_clock() -> None:
    reading = ClockReading(5, None, 90 * SECOND_NS, ClockState.NONE)
    assert best_now(reading, (60 * SECOND_NS, NOON_MS)) == Now(NOON_MS + 30_000, 90 * SECOND_NS, certain=True)


def test_without_the_server_the_day_is_certain_only_with_a_clock_that_is_kept() -> None:
    certain = {state: best_now(ClockReading(5, None, 6, state), None).certain for state in ClockState}
    assert certain == {ClockState.NTP: True, ClockState.RTC: True, ClockState.SAVED: False, ClockState.NONE: False}


def test_a_child_who_did_not_move_has_no_state() -> None:
    assert Today(NOW, [record(entry(TARO))]).state_of(HANA) is None


def test_a_child_is_in_after_an_entry_and_out_after_an_exit() -> None:
    came, left = record(ago_s=60), record(leave(), ago_s=30, seq=2)
    assert is_in(Today(NOW, [came])) is True
    assert is_in(Today(NOW, [came, left])) is False


def test_what_was_undone_does_not_count() -> None:
    came, left, undone = record(), record(leave(), ago_s=30, seq=2), record(Undone(seq=2), ago_s=25, seq=3)
    assert is_in(Today(NOW, [came, left, undone])) is True
    assert Today(NOW, [came, record(Undone(seq=1), seq=2)]).state_of(HANA) is None


def test_an_undo_is_about_its_own_session() -> None:
    came, undone = record(session="mine", seq=1), record(Undone(seq=1), session="other", seq=2)
    assert is_in(Today(NOW, [came, undone])) is True


def test_yesterday_does_not_reach_into_today() -> None:
    yesterday = record(ago_s=24 * HOUR_S, wall_ms=to_ms(AFTERNOON - timedelta(days=1)))
    assert Today(NOW, earlier=[yesterday]).state_of(HANA) is None
    long_up = Now(NOON_MS, BOOT_NS + 24 * HOUR_S * SECOND_NS, certain=True)
    assert Today(long_up, [record()]).state_of(HANA) is None


def test_the_day_turns_at_midnight_in_japan() -> None:
    just_after = Now(to_ms(datetime(2026, 4, 1, 15, 0, 30, tzinfo=UTC)), BOOT_NS, certain=True)
    assert Today(just_after, [record(ago_s=31)]).state_of(HANA) is None
    assert is_in(Today(just_after, [record(ago_s=29)])) is True


def test_a_child_who_came_in_1970_is_in_today_once_the_clock_is_set() -> None:
    came = record(ago_s=600, wall_ms=3_000_000)
    today = Today(NOW, [came])
    assert is_in(today) is True
    state = today.state_of(HANA)
    assert state is not None
    assert state.last.at_ms == NOON_MS - 600_000


def test_an_earlier_boots_record_counts_by_the_wall_clock() -> None:
    assert is_in(Today(NOW, earlier=[record(session="before")])) is True
    assert Today(NOW, earlier=[record(session="before", wall_ms=3_000_000)]).state_of(HANA) is None


def test_what_is_known_from_before_this_boot_is_uncertain_while_the_day_is() -> None:
    before = record(session="before")
    for today, certain in [
        (Today(NOW, earlier=[before]), True),
        (Today(UNCERTAIN, earlier=[before]), False),
        (Today(UNCERTAIN, part=presence(told())), False),
        (Today(UNCERTAIN, [record()], [before]), True),
    ]:
        state = today.state_of(HANA)
        assert state is not None
        assert state.certain is certain


def test_what_the_server_tells_of_other_kiosks_counts() -> None:
    assert is_in(Today(NOW, part=presence(told()))) is True
    assert is_in(Today(NOW, [record(ago_s=90)], part=presence(told(direction=Direction.EXIT)))) is False


def test_the_servers_yesterday_is_not_today() -> None:
    yesterday = presence(told(), day=NOW.day - timedelta(days=1))
    assert Today(NOW, part=yesterday).state_of(HANA) is None


def test_own_records_that_the_server_has_folded_count_as_the_server_says() -> None:
    came = record(seq=4)
    through = (Head("mine", 4, "x"),)
    assert Today(NOW, [came], part=presence(through=through)).state_of(HANA) is None, "voided by staff"
    assert is_in(Today(NOW, [came], part=presence(through=(Head("mine", 3, "x"),)))) is True


def test_an_undo_that_the_server_has_not_seen_takes_back_what_it_tells() -> None:
    came, undone = record(seq=4), record(Undone(seq=4), seq=5, ago_s=50)
    part = presence(told(id_=movement_id("mine", 4)), through=(Head("mine", 4, "x"),))
    assert Today(NOW, [came, undone], part=part).state_of(HANA) is None
    seen = presence(told(id_=movement_id("mine", 4)), through=(Head("mine", 5, "x"),))
    assert is_in(Today(NOW, [came, undone], part=seen)) is True, "staff put it back"


def test_a_movement_made_here_is_told_from_another_kiosks() -> None:
    here, elsewhere = Today(NOW, [record()]).state_of(HANA), Today(NOW, part=presence(told())).state_of(HANA)
    assert here is not None
    assert elsewhere is not None
    assert (here.this_boot, elsewhere.this_boot) == (True, False)


def test_present_counts_every_child_once() -> None:
    part = presence(told(TARO), told("child-jiro", Direction.EXIT, id_="theirs:2"))
    assert Today(NOW, [record(), record(seq=2, ago_s=10)], part=part).present() == 2


MOVES = st.lists(
    st.tuples(st.sampled_from([HANA, TARO]), st.sampled_from(Direction), st.integers(1, 3000)), max_size=12
)


@given(MOVES, st.integers(0, 12))
def test_what_the_server_folded_and_what_is_still_here_make_the_same_presence(
    moves: list[tuple[str, Direction, int]], folded: int
) -> None:
    records = [
        record(Moved(child=child, direction=direction, by=MadeBy.CARD, card=None), ago_s=ago_s, seq=seq)
        for seq, (child, direction, ago_s) in enumerate(moves, start=1)
    ]
    movements = [
        Movement(movement_id("mine", each.seq), each.body.child, each.body.direction, each.at.wall_ms)
        for each in records
        if isinstance(each.body, Moved)
    ]
    part = presence(*movements[:folded], through=(Head("mine", min(folded, len(records)), "x"),))
    today = Today(NOW, records, part=part)
    expected = fold(movements)
    for child in (HANA, TARO):
        state = today.state_of(child)
        assert (None if state is None else state.presence) == expected.get(child)
    assert today.present() == sum(each.present for each in expected.values())


@given(st.integers(-(10**9), 10**9), st.integers(0, 3600))
def test_whatever_the_wall_clock_said_then_this_boots_records_are_dated_from_now(offset_s: int, ago_s: int) -> None:
    wall_ms = max(0, NOON_MS + offset_s * 1000)
    state = Today(NOW, [record(ago_s=ago_s, wall_ms=wall_ms)]).state_of(HANA)
    assert state is not None
    assert from_ms(state.last.at_ms) == AFTERNOON - timedelta(seconds=ago_s)
