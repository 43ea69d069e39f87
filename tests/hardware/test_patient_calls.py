"""Calls that may never return."""

import threading
import time
from collections.abc import Iterator

import pytest

from hardware.patient_calls import PatientCalls, StillBusy

PATIENCE_S = 10.0


@pytest.fixture
def calls() -> Iterator[PatientCalls]:
    calls = PatientCalls("test")
    yield calls
    calls.end()


def for_ever() -> bool:
    return True


def not_at_all() -> bool:
    return False


def test_a_call_gives_what_the_function_gives_or_raises(calls: PatientCalls) -> None:
    assert calls.call(for_ever, divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        calls.call(for_ever, divmod, 7, 0)
    assert calls.call(for_ever, divmod, 9, 2) == (4, 1)


def test_calls_are_all_made_on_one_other_thread(calls: PatientCalls) -> None:
    threads = {calls.call(for_ever, threading.get_ident) for _ in range(5)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_a_call_that_does_not_return_is_given_up_and_nothing_else_is_called_before_it_does(calls: PatientCalls) -> None:
    let_go = threading.Event()
    called: list[int] = []
    with pytest.raises(StillBusy):
        calls.call(not_at_all, let_go.wait, PATIENCE_S)
    assert calls.busy
    with pytest.raises(StillBusy):
        calls.call(not_at_all, called.append, 1)
    let_go.set()
    assert calls.settled(for_ever)
    assert [calls.busy] == [False]
    assert called == []
    assert calls.call(for_ever, divmod, 7, 2) == (3, 1)


def test_ending_does_not_wait_for_a_call_that_does_not_return_and_its_last_calls_follow() -> None:
    let_go, last = threading.Event(), threading.Event()
    calls = PatientCalls("test")
    with pytest.raises(StillBusy):
        calls.call(not_at_all, let_go.wait, PATIENCE_S)
    began_s = time.monotonic()
    calls.end(last.set)
    assert time.monotonic() - began_s < PATIENCE_S / 2
    assert not last.is_set()
    let_go.set()
    assert last.wait(PATIENCE_S)
