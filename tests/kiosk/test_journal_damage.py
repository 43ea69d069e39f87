"""A journal that is damaged, removed or replaced: nothing is lost that can be kept, and the door goes on."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from attendance.clock import local_day, to_ms
from kiosk.database import asides_of, set_aside
from kiosk.errors import JournalError
from kiosk.journal_reader import JournalReader
from tests.kiosk.door_parts import AFTERNOON, open_journal
from tests.kiosk.test_journal import chain_of, move


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def spoil(path: Path) -> None:
    """Overwrite the beginnings of all pages but the first few, in place."""
    with path.open("r+b") as file:
        for page in range(3, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 64)


def asides(path: Path) -> list[Path]:
    """The journals that were set aside, without what belongs to them."""
    return sorted(path.parent.glob(f"{path.name}.damaged-????????T??????Z"))


def test_a_damaged_journal_is_set_aside_whole_and_a_new_one_begun(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spoilt = b"this is no database" * 400
    path.write_bytes(spoilt)
    path.with_name("journal.db-wal").write_bytes(b"its log")
    journal = open_journal(path)
    (aside,) = asides(path)
    assert aside.read_bytes() == spoilt
    assert (path.parent / f"{aside.name}-wal").read_bytes() == b"its log"
    assert journal.append(move()).seq == 1
    assert "set aside" in caplog.text
    journal.close()


def test_damage_inside_a_page_is_found_at_opening(path: Path) -> None:
    journal = open_journal(path)
    for _ in range(200):
        journal.append(move())
    journal.close()
    spoil(path)
    journal = open_journal(path)
    assert len(journal.heads()) == 1
    assert len(asides(path)) == 1
    journal.close()


def test_damage_while_open_costs_one_answer_and_then_a_new_journal_takes_over(path: Path) -> None:
    journal = open_journal(path)
    old = journal.append(move()).session
    checkpoint = sqlite3.connect(path)
    checkpoint.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    checkpoint.close()
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))
    broken = 0
    for _ in range(50):
        try:
            journal.append(move())
        except JournalError:
            broken += 1
    assert broken == 1
    record = journal.append(move())
    assert record.session != old
    assert list(chain_of(path)) == [record.session]
    assert len(asides(path)) == 1
    journal.close()


def test_damage_found_by_reading_sets_the_journal_aside_with_the_log_of_its_last_entries(path: Path) -> None:
    journal = open_journal(path)
    for _ in range(200):
        journal.append(move())
    journal.close()
    journal = open_journal(path)
    journal.append(move("last"))
    spoil(path)
    assert journal._db is not None
    journal._db.execute("PRAGMA shrink_memory")  # as a journal larger than the cache does by itself
    with pytest.raises(JournalError):
        journal.records_of_day(local_day(AFTERNOON))
    (aside,) = asides(path)
    assert b"last" in aside.with_name(f"{aside.name}-wal").read_bytes()
    record = journal.append(move())
    assert list(chain_of(path)) == [record.session]
    journal.close()


def test_a_damaged_journal_that_cannot_be_set_aside_is_an_error_at_every_question(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    journal = open_journal(path)
    for _ in range(200):
        journal.append(move())
    journal.close()
    journal = open_journal(path)
    spoil(path)
    assert journal._db is not None
    journal._db.execute("PRAGMA shrink_memory")
    with monkeypatch.context() as disk:
        disk.setattr(Path, "rename", read_only)
        for _ in range(2):
            with pytest.raises(JournalError):
                journal.records_of_day(local_day(AFTERNOON))
    assert journal.append(move()).seq == 1
    assert len(asides(path)) == 1
    journal.close()


def test_a_journal_removed_while_open_is_begun_anew_and_not_written_into_the_void(path: Path) -> None:
    journal = open_journal(path)
    lost = journal.append(move()).session
    for part in path.parent.glob("journal.db*"):
        part.unlink()
    record = journal.append(move())
    assert record.session != lost
    assert list(chain_of(path)) == [record.session]
    journal.close()


def test_a_reader_of_the_old_journal_does_not_harm_the_new_one(path: Path) -> None:
    old = open_journal(path)
    reader = JournalReader(path)
    reader.heads()
    set_aside(path, 0)
    old.close()
    new = open_journal(path)
    record = new.append(move())
    reader.close()
    assert path.with_name("journal.db-wal").exists(), "the new journal's log was removed by the old one's reader"
    assert chain_of(path)[record.session][-1] == record
    new.close()


def test_a_log_left_over_follows_the_file_that_has_none_and_writes_over_no_other(path: Path) -> None:
    kept = path.with_name(f"{path.name}.damaged-20260401T000000Z")
    kept.write_bytes(b"an older one")
    kept.with_name(f"{kept.name}-wal").write_bytes(b"the log of the older one")
    newer = path.with_name(f"{path.name}.damaged-19700101T090000Z")
    newer.write_bytes(b"set aside under a clock of 1970")
    log = path.with_name(f"{path.name}-wal")
    log.write_bytes(b"its log, as the power went")
    open_journal(path).close()
    assert newer.with_name(f"{newer.name}-wal").read_bytes() == b"its log, as the power went"
    assert kept.with_name(f"{kept.name}-wal").read_bytes() == b"the log of the older one"


def test_files_set_aside_are_in_the_order_in_which_they_were_whatever_the_clock_said(path: Path) -> None:
    stamps = [to_ms(AFTERNOON), 0, to_ms(AFTERNOON), *[0] * 9, to_ms(AFTERNOON) + 1000]
    set_aside_so_far = []
    for at_ms in stamps:
        path.write_bytes(b"spoilt")
        set_aside_so_far.append(set_aside(path, at_ms))
    assert asides_of(path) == set_aside_so_far
    assert len({*set_aside_so_far}) == len(stamps)
