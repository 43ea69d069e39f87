"""What a damaged journal still holds reaches the server after all."""

import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance.clock import ManualClock
from attendance.records import AttendanceRecord
from kiosk.journal import Journal
from kiosk.journal_reader import JournalReader
from kiosk.salvage import sound_chains
from tests.kiosk.door_parts import AFTERNOON, BOOT, OTHER_BOOT, open_journal
from tests.kiosk.test_journal import chain_of, move
from tests.kiosk.test_journal_damage import asides

PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def filled(path: Path, *, sessions: int = 3, entries: int = 60) -> dict[str, list[AttendanceRecord]]:
    """A journal of some sessions, closed, so that all of it is in the one file."""
    clock = ManualClock(AFTERNOON)
    for number in range(sessions):
        journal = open_journal(path, clock, boot=BOOT if number == sessions - 1 else OTHER_BOOT)
        for child in range(entries):
            journal.append(move(f"child-{child}"))
        journal.close()
    return chain_of(path)


def spoil(path: Path, *pages: int) -> None:
    with path.open("r+b") as file:
        for page in pages:
            file.seek(page * PAGE)
            file.write(b"\xa5" * PAGE)


def reopened(path: Path) -> Journal:
    """The journal after the damage was found and what could be saved was taken in."""
    journal = open_journal(path)
    journal.salvage()
    return journal


def test_a_journal_whose_first_page_is_gone_comes_back_whole(path: Path) -> None:
    written = filled(path)
    spoil(path, 0)
    journal = reopened(path)
    chains = chain_of(path)
    assert journal.session is not None
    del chains[journal.session]
    assert chains == written
    assert list(chains) == list(written), "in the order in which they began"
    assert journal.unsent([]) == sum(map(len, written.values())) + 1
    journal.close()


def test_what_comes_back_stands_before_the_running_session(path: Path) -> None:
    filled(path)
    spoil(path, 0)
    journal = reopened(path)
    reader = JournalReader.open(path)
    assert reader.session_of_boot(BOOT) == journal.session
    assert reader.heads()[-1].session == journal.session
    reader.close()
    journal.close()


def test_entries_before_the_first_that_is_missing_are_saved_and_none_is_made_up(path: Path) -> None:
    written = filled(path, sessions=1, entries=300)
    pages = path.stat().st_size // PAGE
    spoil(path, pages // 2)
    with pytest.raises(sqlite3.DatabaseError), sqlite3.connect(path) as connection:
        connection.execute("SELECT line FROM entry").fetchall()
    connection.close()
    journal = reopened(path)
    chains = chain_of(path)
    ((session, records),) = written.items()
    saved = chains.get(session, [])
    assert 0 < len(saved) < len(records)
    assert saved == records[: len(saved)]
    journal.close()


def test_the_log_of_a_journal_that_was_never_closed_is_read_too(path: Path, tmp_path: Path) -> None:
    journal = open_journal(path)
    last = journal.append(move("last"))
    crashed = tmp_path / "crashed" / "journal.db"
    crashed.parent.mkdir()
    for part in tmp_path.glob("journal.db*"):
        shutil.copy(part, crashed.parent / part.name)
    journal.close()
    spoil(crashed, 0)
    crashed.with_name("journal.db-shm").unlink(missing_ok=True)
    again = reopened(crashed)
    assert chain_of(crashed)[last.session][-1] == last
    again.close()


def test_a_file_is_gone_through_once_and_stays_as_it_was(path: Path) -> None:
    filled(path)
    spoil(path, 0)
    journal = reopened(path)
    (aside,) = asides(path)
    before = aside.read_bytes()
    journal.salvage()
    assert journal.salvages == 1
    assert aside.read_bytes() == before
    assert not list(path.parent.glob(".salvage-*")), "copies are cleared away"
    journal.close()


def test_copies_that_a_killed_process_left_are_cleared_away(path: Path) -> None:
    left = path.parent / ".salvage-left"
    left.mkdir()
    (left / "copy-False").write_bytes(b"a copy")
    filled(path)
    spoil(path, 0)
    reopened(path).close()
    assert not left.exists()


def test_salvage_cut_short_is_done_again_and_doubles_nothing(path: Path) -> None:
    written = filled(path)
    spoil(path, 0)
    journal = reopened(path)
    (aside,) = asides(path)
    aside.with_name(f"{aside.name}.salvaged").unlink()
    journal.salvage()
    assert sum(map(len, chain_of(path).values())) == sum(map(len, written.values())) + 1
    journal.close()


def test_rubbish_yields_nothing_and_harms_nobody(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(50_000))
    journal = reopened(path)
    assert list(chain_of(path)) == [journal.session]
    journal.close()


def test_a_line_that_was_changed_does_not_come_back(path: Path) -> None:
    filled(path, sessions=1, entries=3)
    raw = path.read_bytes()
    path.write_bytes(b"\0" * 100 + raw[100:].replace(b"child-1", b"child-9"))
    journal = reopened(path)
    lines = [record for records in chain_of(path).values() for record in records]
    assert not any("child-9" in repr(record) for record in lines)
    journal.close()


@given(st.integers(0, 2**32), st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_whatever_is_spoilt_only_true_records_come_back(
    tmp_path_factory: pytest.TempPathFactory, seed: int, wounds: int
) -> None:
    path = tmp_path_factory.mktemp("spoilt") / "journal.db"
    written = filled(path, sessions=2, entries=40)
    chance = random.Random(seed)
    raw = bytearray(path.read_bytes())
    for _ in range(wounds):
        at, size = chance.randrange(len(raw)), chance.randrange(1, 600)
        raw[at : at + size] = chance.randbytes(len(raw[at : at + size]))
    path.write_bytes(raw)
    for chain in sound_chains(path):
        records = [record for record, _ in chain]
        assert records == written[records[0].session][: len(records)]
