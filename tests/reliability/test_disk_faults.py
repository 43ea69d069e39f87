"""A disk that fails: an "ok" is on it afterwards, all else is answered BROKEN, and the door goes on once it is well."""

import errno
import sqlite3
from contextlib import closing

import pytest

from attendance.records import AttendanceRecord, Moved
from bench.disk_faults import AFTERWARDS, FAULTS, Life, spoil_and_set_aside, suffer, suffer_in_turn
from bench.faulty_disk.faults import Fail
from bench.journal_writer import JOURNAL
from bench.power_cuts import Tally, cut, disk_in_memory
from kiosk import database
from kiosk.answer import AnswerKind
from tests.kiosk.door_parts import HANA
from tests.reliability.watched_door import OK, door_on

SYNC = Fail(("sync",), errno.EIO)
FOLDER_SYNC = Fail(("sync_folder",), errno.EIO)
OWN_FOLDER_SYNC = Fail(("sync_folder",), errno.EIO, names=JOURNAL.parent.name)


def assert_nothing_lost(tally: Tally) -> None:
    assert tally.acknowledged > 0
    assert (tally.lost, tally.doubled, tally.wrong) == (0, 0, 0), tally.examples


def of_the_door(record: AttendanceRecord) -> tuple[str, int] | None:
    """Identifies what a door wrote; a child that comes twice makes two entries."""
    return (record.session, record.seq) if isinstance(record.body, Moved) and record.body.child == HANA else None


@pytest.mark.parametrize("life", Life)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_journal_promises_nothing_that_a_failing_disk_may_lose(fault: Fail, life: Life) -> None:
    suffered = suffer(fault, life)
    assert (suffered.meanwhile, suffered.afterwards) == (0, len(AFTERWARDS))
    assert_nothing_lost(suffered.tally)


@pytest.mark.parametrize("fault", [SYNC, FOLDER_SYNC], ids=["file", "folder"])
def test_one_sync_that_fails_while_the_journal_is_made_loses_nothing(fault: Fail) -> None:
    assert_nothing_lost(suffer_in_turn(fault, Life.BEGINS, turns=4))


def test_a_log_that_was_only_in_memory_is_what_would_lose_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_rewrite_log", lambda db, path: None)
    assert suffer(SYNC, Life.REOPENS).tally.lost > 0


def test_a_folder_whose_names_were_not_synced_is_what_would_lose_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "sync_folder", lambda folder: None)
    assert suffer(OWN_FOLDER_SYNC, Life.BEGINS).tally.lost > 0


def test_a_damaged_journal_is_set_aside_whole_whenever_the_power_goes() -> None:
    assert_nothing_lost(spoil_and_set_aside())


def test_a_log_that_does_not_follow_its_file_is_what_would_lose_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_finish_setting_aside", lambda path: None)
    assert spoil_and_set_aside().lost > 0


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_door_answers_broken_while_the_disk_fails_and_goes_on_by_itself(fault: Fail) -> None:
    with disk_in_memory() as disk:
        with door_on(disk.folder) as door:
            assert door.taps(3) <= OK
            disk.fail(fault)
            assert door.taps(3) == {AnswerKind.BROKEN}
            assert door.rig.door.status(()).broken
            disk.heal()
            assert door.taps(3) <= OK
            assert not door.rig.door.status(()).broken
        tally = cut(disk.record(), seed=1, identify=of_the_door)
    assert tally.acknowledged == 6
    assert_nothing_lost(tally)


def test_a_door_whose_journal_another_holds_answers_broken_and_goes_on_by_itself() -> None:
    with disk_in_memory() as disk:
        with door_on(disk.folder) as door:
            assert door.taps(2) <= OK
            with closing(sqlite3.connect(disk.folder / JOURNAL)) as other:
                other.execute("BEGIN IMMEDIATE")
                assert door.taps(2) == {AnswerKind.BROKEN}
            assert door.taps(2) <= OK
        tally = cut(disk.record(), seed=1, identify=of_the_door)
    assert tally.acknowledged == 4
    assert_nothing_lost(tally)
