"""Staff at the door: the PIN, the one page it lets in, and what happens when others try."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from attendance.clock import ManualClock
from attendance.records import Direction
from attendance.staff_pin import hash_pin
from kiosk.answer import Answer
from kiosk.by_staff import BUSY_S, NoPin, Opened, Refusal, StaffDesk, Wait, WrongPin
from kiosk.errors import CacheError
from tests.kiosk.screen_parts import AFTERNOON
from tests.kiosk.staff_parts import PIN, RememberedEntries

WRONG = "471109"
PATIENCE_S = 30.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AFTERNOON)


@pytest.fixture
def door() -> RememberedEntries:
    return RememberedEntries()


@pytest.fixture
def desk(door: RememberedEntries, clock: ManualClock) -> StaffDesk:
    return StaffDesk(door, clock)


def opened(desk: StaffDesk, pin: str = PIN) -> str:
    unlocking = desk.unlock(pin)
    assert isinstance(unlocking, Opened)
    return unlocking.token


def test_with_the_pin_staff_see_the_children_and_enter_one(desk: StaffDesk, door: RememberedEntries) -> None:
    token = opened(desk)
    assert desk.children(token) == door.there
    assert isinstance(desk.enter(token, "child-1", Direction.EXIT), Answer)
    assert door.entered == [("child-1", Direction.EXIT)]


def test_without_it_nobody_sees_or_enters_anybody(desk: StaffDesk, door: RememberedEntries) -> None:
    opened(desk)
    for token in ("", "a guess", "あてずっぽう"):
        assert desk.children(token) is Refusal.LOCKED
        assert desk.enter(token, "child-1", Direction.ENTRY) is Refusal.LOCKED
        assert not desk.stay(token, touched=True)
    assert (door.entered, door.looks) == ([], 0)


def test_a_child_who_is_gone_is_a_refusal_and_no_error(desk: StaffDesk) -> None:
    assert desk.enter(opened(desk), "nobody", Direction.ENTRY) is Refusal.GONE


def test_after_five_wrong_pins_even_the_right_one_waits(desk: StaffDesk, clock: ManualClock) -> None:
    assert [desk.unlock(WRONG) for _ in range(6)] == [WrongPin()] * 4 + [Wait(60)] * 2
    assert desk.unlock(PIN) == Wait(60)
    clock.advance(59.5)
    assert desk.unlock(PIN) == Wait(1)
    clock.advance(0.5)
    assert desk.unlock(WRONG) == Wait(120)
    clock.advance(120)
    opened(desk)
    assert desk.unlock(WRONG) == WrongPin()


def test_the_wait_does_not_follow_the_wall_clock(desk: StaffDesk, clock: ManualClock) -> None:
    for _ in range(5):
        desk.unlock(WRONG)
    clock.step(86_400)
    assert desk.unlock(PIN) == Wait(60)


def test_what_is_no_pin_counts_as_a_wrong_one(desk: StaffDesk) -> None:
    assert [desk.unlock(pin) for pin in ("", "x" * 8, "12345678", "４７１１０８", "0000")] == [WrongPin()] * 4 + [
        Wait(60)
    ]


def test_of_many_guesses_at_once_no_more_are_looked_at(desk: StaffDesk) -> None:
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(desk.unlock, [f"{number:06}" for number in range(48)]))
    assert outcomes.count(WrongPin()) <= 4
    assert {type(each) for each in outcomes} <= {WrongPin, Wait}


def test_a_pin_that_comes_while_another_is_looked_at_is_turned_away_at_once(
    desk: StaffDesk, door: RememberedEntries, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, seen = threading.Event(), threading.Event()

    def slowly() -> str | None:
        looking.set()
        seen.wait()
        return door.pin

    monkeypatch.setattr(door, "staff_pin", slowly)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(desk.unlock, PIN)
        looking.wait()
        second = pool.submit(desk.unlock, PIN)
        try:
            assert second.result(PATIENCE_S) == Wait(BUSY_S)
        finally:
            seen.set()
        assert isinstance(first.result(), Opened)


def test_the_right_pin_starts_the_count_anew(desk: StaffDesk) -> None:
    for _ in range(3):
        assert [desk.unlock(WRONG) for _ in range(4)] == [WrongPin()] * 4
        opened(desk)


def test_a_panel_that_nobody_touches_locks_itself(desk: StaffDesk, clock: ManualClock) -> None:
    token = opened(desk)
    clock.advance(59)
    assert desk.stay(token, touched=True)
    clock.advance(59)
    assert desk.stay(token, touched=False)
    clock.advance(1)
    assert not desk.stay(token, touched=True)
    assert desk.children(token) is Refusal.LOCKED


def test_cards_of_children_do_not_keep_a_panel_open(desk: StaffDesk, clock: ManualClock) -> None:
    token = opened(desk)
    clock.advance(59)
    desk.children(token)
    clock.advance(1)
    assert not desk.stay(token, touched=False)


def test_a_token_is_of_no_use_once_the_panel_was_closed(desk: StaffDesk, door: RememberedEntries) -> None:
    token = opened(desk)
    desk.lock("another")
    assert desk.stay(token, touched=False)
    desk.lock(token)
    desk.lock(token)
    assert desk.enter(token, "child-1", Direction.ENTRY) is Refusal.LOCKED
    assert door.entered == []


def test_only_the_page_that_came_last_is_in(desk: StaffDesk) -> None:
    first, second = opened(desk), opened(desk)
    assert first != second
    assert not desk.stay(first, touched=True)
    desk.lock(first)
    assert desk.stay(second, touched=False)


def test_another_pin_locks_the_panel_and_the_old_one_opens_it_no_more(desk: StaffDesk, door: RememberedEntries) -> None:
    token = opened(desk)
    door.pin = hash_pin("9753")
    assert not desk.stay(token, touched=True)
    assert desk.unlock(PIN) == WrongPin()
    opened(desk, "9753")


def test_a_site_whose_pin_is_taken_away_lets_nobody_in(desk: StaffDesk, door: RememberedEntries) -> None:
    token = opened(desk)
    door.pin = None
    assert not desk.stay(token, touched=True)
    assert desk.unlock(PIN) == NoPin()


def test_rules_that_cannot_be_read_let_nobody_in(
    desk: StaffDesk, door: RememberedEntries, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable() -> str:
        raise CacheError("disk I/O error")

    token = opened(desk)
    monkeypatch.setattr(door, "staff_pin", unreadable)
    assert not desk.stay(token, touched=True)
    assert desk.unlock(PIN) == NoPin()


def test_no_log_holds_a_pin_a_token_a_child_or_a_name(desk: StaffDesk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    desk.unlock(WRONG)
    token = opened(desk)
    desk.children(token)
    desk.enter(token, "child-1", Direction.ENTRY)
    desk.lock(token)
    assert len(caplog.records) == 3
    for secret in (PIN, WRONG, token, "child-1", "あおき"):
        assert secret not in caplog.text
