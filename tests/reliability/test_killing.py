"""kill -9 of the real door, sync, server and dispatcher at random moments: nothing is lost, doubled or wrong by it."""

from bench.killing import kill_again_and_again

CYCLES = 50
CONTROL_CYCLES = 5


def test_what_the_door_answered_survives_every_kill_once_everywhere() -> None:
    cycles, account = kill_again_and_again(CYCLES)
    assert cycles == CYCLES
    assert account.clean, account
    assert account.acknowledged >= CYCLES // 2


def test_a_door_that_commits_later_loses_what_it_promised() -> None:
    _, account = kill_again_and_again(CONTROL_CYCLES, door_mutant="commit_in_batches")
    assert account.lost > 0


def test_a_dispatcher_that_marks_before_it_sends_loses_notices() -> None:
    _, account = kill_again_and_again(CONTROL_CYCLES, dispatcher_mutant="mark_before_sending")
    assert account.lost > 0
