"""A journal that nobody writes is read without a file beside it, and never while it may be written."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from attendance.clock import SystemClock
from kiosk.at_rest import at_rest
from kiosk.journal import Journal
from kiosk.journal_queries import heads
from kiosk.schema import JOURNAL
from tests.kiosk.sync_parts import moved, open_journal

REFUSED = sqlite3.OperationalError("unable to open database file")


def files(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_a_journal_that_was_closed_is_read_and_nothing_is_made_beside_it(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path, SystemClock())) as journal:
        journal.append(moved())
        there = journal.heads()
    assert files(tmp_path) == {"journal.db"}
    with at_rest(tmp_path / "journal.db", JOURNAL, REFUSED) as db:
        assert heads(db) == there
        assert files(tmp_path) == {"journal.db"}


def test_a_journal_whose_log_holds_entries_is_not_read_without_it(tmp_path: Path) -> None:
    with (
        closing(open_journal(tmp_path, SystemClock())),
        pytest.raises(sqlite3.OperationalError) as raised,
        at_rest(tmp_path / "journal.db", JOURNAL, REFUSED),
    ):
        pass
    assert raised.value is REFUSED


def test_an_empty_log_holds_nothing(tmp_path: Path) -> None:
    open_journal(tmp_path, SystemClock()).close()
    (tmp_path / "journal.db-wal").touch()
    with at_rest(tmp_path / "journal.db", JOURNAL, REFUSED) as db:
        assert len(heads(db)) == 1


@pytest.mark.parametrize("stays", [True, False])
def test_what_was_read_while_a_door_wrote_does_not_count(tmp_path: Path, stays: bool) -> None:
    journal = open_journal(tmp_path, SystemClock())
    journal.close()
    with (
        closing(journal),
        pytest.raises(sqlite3.OperationalError, match="written to while it was read"),
        at_rest(tmp_path / "journal.db", JOURNAL, REFUSED),
    ):
        write(journal, stays=stays)


def write(journal: Journal, *, stays: bool) -> None:
    journal.append(moved())
    if not stays:
        journal.close()
