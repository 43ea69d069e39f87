"""How often a PIN may be tried and how long a panel stays unlocked, as values without a clock."""

from hypothesis import given
from hypothesis import strategies as st

from kiosk.staff_access import FREE_TRIES, LONGEST_WAIT_S, UNTOUCHED_S, Tries, Unlocked

SECOND_NS = 1_000_000_000
instants = st.integers(0, 10**18)


def after(wrong: int, *, now_ns: int = 0) -> Tries:
    tries = Tries()
    for _ in range(wrong):
        tries = tries.after_wrong(now_ns)
    return tries


def test_four_wrong_pins_cost_nothing_and_from_the_fifth_on_the_wait_doubles_up_to_a_quarter_of_an_hour() -> None:
    waits = [after(wrong).wait_s(0) for wrong in range(12)]
    assert waits == [0, 0, 0, 0, 0, 60, 120, 240, 480, 900, 900, 900]


def test_a_wait_is_over_when_its_seconds_are() -> None:
    tries = after(5)
    assert [tries.wait_s(second * SECOND_NS) for second in (0, 1, 59, 60, 61)] == [60, 59, 1, 0, 0]
    assert tries.wait_s(60 * SECOND_NS - 1) == 1


@given(st.integers(FREE_TRIES, 500), instants)
def test_no_wait_is_longer_than_the_longest_and_none_ever_goes_away(wrong: int, now_ns: int) -> None:
    assert 60 <= after(wrong, now_ns=now_ns).wait_s(now_ns) <= LONGEST_WAIT_S


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60))
def test_whoever_tries_whenever_it_is_allowed_gets_few_tries_in_an_hour(pauses_s: list[int]) -> None:
    now_ns, tries, tried = 0, Tries(), 0
    for pause_s in pauses_s:
        now_ns += pause_s * SECOND_NS
        if now_ns > 3600 * SECOND_NS:
            break
        if tries.wait_s(now_ns) == 0:
            tries, tried = tries.after_wrong(now_ns), tried + 1
    assert tried <= 13


@given(instants)
def test_an_unlocked_panel_locks_itself_a_minute_after_the_last_touch(now_ns: int) -> None:
    panel = Unlocked("token", "hash", 0).touched(now_ns)
    end_ns = now_ns + UNTOUCHED_S * SECOND_NS
    assert panel.opens("token", "hash", end_ns - 1)
    assert not panel.opens("token", "hash", end_ns)
    assert panel.touched(end_ns - 1).opens("token", "hash", end_ns)


def test_only_its_own_token_and_the_pin_it_was_opened_with_open_a_panel() -> None:
    panel = Unlocked("token", "hash", 10)
    assert panel.opens("token", "hash", 9)
    for token, hashed in (("", "hash"), ("toke", "hash"), ("とけん", "hash"), ("token", "other"), ("token", None)):
        assert not panel.opens(token, hashed, 9)
