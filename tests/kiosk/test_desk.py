from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from attendance.policy import Policy, WayMode
from attendance.records import AttendanceRecord, Direction, MadeBy, Moved
from kiosk.desk import Ask, Outcome, Reason, Record, Refuse, Repeat, Rules, decide
from kiosk.today import Now, Today
from tests.kiosk.door_parts import HOLDERS, presence
from tests.kiosk.test_today import HOUR_S, NOW, UNCERTAIN, entry, leave, record, told

CHILD = HOLDERS[0]


def rules(*, alone_s: float | None = 1.0, chosen: Direction | None = None, **policy: object) -> Rules:
    return Rules(Policy(**policy), alone_s, chosen)  # type: ignore[arg-type]


def decided(*records: AttendanceRecord, by: Rules | None = None, now: Now = NOW, today: Today | None = None) -> Outcome:
    return decide(CHILD, today or Today(now, records), now, by or rules())


CAME = record(entry(), ago_s=HOUR_S)
LEFT = record(leave(), ago_s=HOUR_S / 2, seq=2)


def test_the_first_card_of_the_day_is_an_entry() -> None:
    assert decided() == Record(CHILD, Direction.ENTRY)


def test_a_child_who_is_in_goes_out_and_one_who_left_comes_in() -> None:
    assert decided(CAME) == Record(CHILD, Direction.EXIT)
    assert decided(CAME, LEFT) == Record(CHILD, Direction.ENTRY)


def test_a_card_nobody_holds_is_refused() -> None:
    assert decide(None, Today(NOW), NOW, rules()) == Refuse(Reason.UNKNOWN, None)


def test_a_kiosk_for_one_way_records_that_way_whatever_it_knows() -> None:
    for way, direction in ((WayMode.ENTRY, Direction.ENTRY), (WayMode.EXIT, Direction.EXIT)):
        for records in ((), (CAME,), (CAME, LEFT)):
            assert decided(*records, by=rules(way=way)) == Record(CHILD, direction)


def test_a_kiosk_that_asks_asks() -> None:
    assert decided(CAME, by=rules(way=WayMode.ASK)) == Ask(CHILD)


def test_what_the_child_chose_is_recorded() -> None:
    for chosen in Direction:
        assert decided(CAME, by=rules(way=WayMode.ASK, chosen=chosen)) == Record(CHILD, chosen)


def test_staff_may_overrule_that_who_left_does_not_come_back_alone() -> None:
    strict = rules(reentry_allowed=False, chosen=Direction.ENTRY)
    assert decided(CAME, LEFT, by=strict) == Refuse(Reason.REENTRY, CHILD)
    assert decided(CAME, LEFT, by=replace(strict, by_staff=True)) == Record(CHILD, Direction.ENTRY)


def test_a_card_shown_again_within_the_window_is_a_repeat() -> None:
    for way in (WayMode.AUTO, WayMode.ASK):
        assert decided(record(ago_s=59), by=rules(way=way)) == Repeat(CHILD, Direction.ENTRY)
        assert decided(record(leave(), ago_s=59), by=rules(way=way)) == Repeat(CHILD, Direction.EXIT)


def test_at_the_end_of_the_window_the_next_movement_begins() -> None:
    assert decided(record(ago_s=60)) == Record(CHILD, Direction.EXIT)
    assert decided(record(ago_s=10), by=rules(repeat_window_s=10)) == Record(CHILD, Direction.EXIT)


def test_at_a_door_for_one_way_only_the_same_way_repeats() -> None:
    assert decided(record(ago_s=20), by=rules(way=WayMode.ENTRY)) == Repeat(CHILD, Direction.ENTRY)
    assert decided(record(ago_s=20), by=rules(way=WayMode.EXIT)) == Record(CHILD, Direction.EXIT)


def test_another_kiosks_movement_repeats_too() -> None:
    assert decided(today=Today(NOW, part=presence(told(ago_s=20)))) == Repeat(CHILD, Direction.ENTRY)


def test_a_read_that_waited_while_its_movement_was_written_is_a_repeat() -> None:
    read = NOW.at(NOW.boot_ns - 200_000_000_000)
    assert decide(CHILD, Today(NOW, [record(ago_s=1)]), read, rules()) == Repeat(CHILD, Direction.ENTRY)


def test_another_kiosk_whose_clock_is_far_ahead_does_not_hold_the_child_up() -> None:
    ahead = presence(told(ago_s=-2 * HOUR_S))
    assert decided(today=Today(NOW, part=ahead)) == Record(CHILD, Direction.EXIT)


def test_a_child_who_left_comes_back_only_with_staff_where_the_site_says_so() -> None:
    by = rules(reentry_allowed=False)
    assert decided(CAME, LEFT, by=by) == Refuse(Reason.REENTRY, CHILD)
    assert decided(CAME, by=by) == Record(CHILD, Direction.EXIT)
    assert decided(by=by) == Record(CHILD, Direction.ENTRY)
    entry_door = rules(reentry_allowed=False, way=WayMode.ENTRY)
    assert decided(CAME, LEFT, by=entry_door) == Refuse(Reason.REENTRY, CHILD)
    chosen = rules(reentry_allowed=False, way=WayMode.ASK, chosen=Direction.ENTRY)
    assert decided(CAME, LEFT, by=chosen) == Refuse(Reason.REENTRY, CHILD)


def test_with_other_kiosks_and_no_contact_auto_becomes_ask() -> None:
    for alone_s, outcome in ((301, Ask(CHILD)), (None, Ask(CHILD)), (299, Record(CHILD, Direction.EXIT))):
        assert decided(CAME, by=rules(alone_s=alone_s, kiosks_at_site=2, contact_lost_s=300)) == outcome
    assert decided(CAME, by=rules(alone_s=None, kiosks_at_site=1)) == Record(CHILD, Direction.EXIT)
    assert decided(CAME, by=rules(alone_s=None, kiosks_at_site=2, way=WayMode.EXIT)) == Record(CHILD, Direction.EXIT)


def test_where_no_child_can_be_asked_staff_are_called() -> None:
    asks = rules(way=WayMode.ASK)
    assert decided(by=replace(asks, can_ask=False)) == Refuse(Reason.NO_SCREEN, CHILD)
    assert decided(CAME, by=replace(rules(alone_s=None, kiosks_at_site=2), can_ask=False)) == Refuse(
        Reason.NO_SCREEN, CHILD
    )
    assert decided(by=replace(rules(), can_ask=False)) == Record(CHILD, Direction.ENTRY)
    assert isinstance(decided(record(ago_s=1), by=replace(asks, can_ask=False)), Repeat)


def test_after_a_power_cut_without_a_clock_a_child_who_was_in_is_asked() -> None:
    before = record(session="before", ago_s=HOUR_S)
    assert decided(today=Today(UNCERTAIN, earlier=[before]), now=UNCERTAIN) == Ask(CHILD)
    assert decided(today=Today(NOW, earlier=[before])) == Record(CHILD, Direction.EXIT)


def test_an_exit_that_may_be_yesterdays_does_not_bar_a_child() -> None:
    left = record(leave(), session="before", ago_s=HOUR_S)
    today = Today(UNCERTAIN, earlier=[left])
    assert decided(today=today, now=UNCERTAIN, by=rules(reentry_allowed=False)) == Record(CHILD, Direction.ENTRY)


POLICIES = st.builds(
    Policy,
    way=st.sampled_from(WayMode),
    repeat_window_s=st.integers(0, 600),
    reentry_allowed=st.booleans(),
    kiosks_at_site=st.integers(1, 3),
    contact_lost_s=st.integers(0, 600),
)
RULES = st.builds(
    Rules,
    policy=POLICIES,
    alone_s=st.none() | st.floats(0, 1000),
    chosen=st.none() | st.sampled_from(Direction),
)
MOVES = st.lists(st.tuples(st.sampled_from(Direction), st.integers(0, 3000)), max_size=6)


def made(moves: list[tuple[Direction, int]]) -> list[AttendanceRecord]:
    return [
        record(Moved(child=CHILD.child, direction=direction, by=MadeBy.CARD, card=None), ago_s=ago_s, seq=seq)
        for seq, (direction, ago_s) in enumerate(sorted(moves, key=lambda move: -move[1]), start=1)
    ]


@given(MOVES, RULES)
def test_every_decision_is_one_of_the_four_and_the_same_each_time(
    moves: list[tuple[Direction, int]], by: Rules
) -> None:
    outcome = decided(*made(moves), by=by)
    assert isinstance(outcome, Record | Repeat | Ask | Refuse)
    assert outcome == decided(*made(moves), by=by)


@given(MOVES, RULES)
def test_a_repeat_always_names_the_way_the_child_went_last(moves: list[tuple[Direction, int]], by: Rules) -> None:
    records = made(moves)
    outcome = decided(*records, by=by)
    if isinstance(outcome, Repeat):
        state = Today(NOW, records).state_of(CHILD.child)
        assert state is not None
        assert outcome.last is state.last.direction
        assert NOW.at_ms - state.last.at_ms < by.policy.repeat_window_s * 1000


@given(MOVES, RULES)
def test_what_is_recorded_is_a_repeat_at_once_afterwards(moves: list[tuple[Direction, int]], by: Rules) -> None:
    records = made(moves)
    outcome = decided(*records, by=by)
    if isinstance(outcome, Record) and by.policy.repeat_window_s > 0:
        body = Moved(child=CHILD.child, direction=outcome.direction, by=MadeBy.CARD, card=None)
        again = decided(*records, record(body, ago_s=0, seq=99), by=by)
        assert again == Repeat(CHILD, outcome.direction)


@given(MOVES, POLICIES)
def test_a_child_who_was_asked_is_never_asked_again(moves: list[tuple[Direction, int]], policy: Policy) -> None:
    for chosen in Direction:
        assert not isinstance(decided(*made(moves), by=Rules(policy, None, chosen)), Ask)


@given(MOVES)
def test_auto_alternates(moves: list[tuple[Direction, int]]) -> None:
    records = made(moves)
    state = Today(NOW, records).state_of(CHILD.child)
    outcome = decided(*records, by=rules(repeat_window_s=0))
    expected = Direction.EXIT if state is not None and state.presence.present else Direction.ENTRY
    assert outcome == Record(CHILD, expected)
