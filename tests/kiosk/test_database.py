import sqlite3
from pathlib import Path

import pytest

from kiosk.errors import JournalError
from kiosk.journal_reader import JournalReader
from kiosk.schema import JOURNAL


def test_a_journal_whose_tables_are_not_made_yet_is_read_as_none(tmp_path: Path) -> None:
    (tmp_path / "journal.db").touch()
    reader = JournalReader(tmp_path / "journal.db")

    assert (reader.heads(), reader.verify()) == ([], 0)

    reader.close()


def test_a_journal_of_another_version_is_not_read_as_none(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "journal.db")
    db.execute(f"PRAGMA application_id = {JOURNAL.application_id}")
    db.execute(f"PRAGMA user_version = {JOURNAL.version - 1}")
    db.close()
    reader = JournalReader(tmp_path / "journal.db")

    with pytest.raises(JournalError, match="up to date"):
        reader.heads()

    reader.close()
