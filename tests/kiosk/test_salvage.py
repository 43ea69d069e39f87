"""What a damaged journal still holds reaches the server after all."""

import errno
import os
import random
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from attendance.clock import ManualClock
from attendance.records import AttendanceRecord, JournalLine, read_line, write_line
from kiosk.asides import unsearched
from kiosk.database import set_aside
from kiosk.errors import JournalError
from kiosk.journal import Journal
from kiosk.journal_reader import JournalReader
from kiosk.lost_entries import read_lost
from kiosk.salvage import Salvaged, search, take_in
from tests.kiosk.door_parts import AFTERNOON, BOOT, OTHER_BOOT, open_journal
from tests.kiosk.sync_parts import KEY, kiosk_at, moved
from tests.kiosk.test_journal import chain_of, move
from tests.kiosk.test_journal_damage import asides
from tests.model_server import ModelServer

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


def page_of(path: Path, text: str) -> int:
    """The first page that holds a text, counted from 0."""
    return path.read_bytes().index(text.encode()) // PAGE


def lines_of(path: Path) -> dict[str, list[JournalLine]]:
    """Every session's lines after the damage was found, once they were verified."""
    reopened(path).close()
    with closing(JournalReader(path)) as reader:
        reader.verify()
        return {head.session: reader.read(head.session, 0, -1) for head in reader.heads()}


def sound_and_lost(path: Path) -> dict[str, tuple[list[AttendanceRecord], set[int]]]:
    """Of every session the sound records, and which entries are known to be lost."""
    with closing(JournalReader(path)) as reader:
        reader.verify()
        found = {}
        for head in reader.heads():
            lines = reader.read(head.session, 0, -1)
            lost = {each.seq for line in lines if (each := read_lost(line)) is not None}
            found[head.session] = ([read_line(line) for seq, line in enumerate(lines) if seq not in lost], lost)
        return found


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
    reader = JournalReader(path)
    assert reader.session_of_boot(BOOT) == journal.session
    assert reader.heads()[-1].session == journal.session
    reader.close()
    journal.close()


def test_entries_on_both_sides_of_a_spoilt_page_are_saved_and_lines_that_say_so_stand_between(path: Path) -> None:
    written = filled(path, sessions=1, entries=300)
    spoil(path, page_of(path, "child-60"))
    with pytest.raises(sqlite3.DatabaseError), sqlite3.connect(path) as connection:
        connection.execute("SELECT line FROM entry").fetchall()
    connection.close()
    journal = reopened(path)
    ((session, records),) = written.items()
    saved, lost = sound_and_lost(path)[session]
    assert saved == [record for record in records if record.seq not in lost]
    assert 60 in lost
    assert len(lost) < 12, "what stood on one page"
    head = journal.heads()[0]
    assert (head.session, head.seq) == (session, 300)
    assert head.hash == write_line(records[-1]).hash
    journal.close()


def test_lines_for_what_is_lost_are_the_same_however_often_a_file_is_gone_through(path: Path) -> None:
    filled(path, sessions=1, entries=300)
    spoil(path, page_of(path, "child-60"))
    first = lines_of(path)
    spoil(path, 0)  # damaged once more
    assert next(iter(lines_of(path).values())) == next(iter(first.values()))


def test_a_session_whose_beginning_is_lost_comes_back_without_it(path: Path) -> None:
    written = filled(path, sessions=1, entries=300)
    spoil(path, 0, page_of(path, '"kind":"session"'))
    journal = reopened(path)
    ((session, records),) = written.items()
    saved, lost = sound_and_lost(path)[session]
    assert 0 in lost
    assert saved == records[len(lost) :]
    assert [record for record in journal.records_of_boot(0) if record.session == session] == saved, "by its table"
    journal.close()


def test_a_journal_that_has_let_years_of_entries_go_comes_back_whole(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE entry SET rowid = rowid + 1000000")
    written = chain_of(path)
    spoil(path, 0)
    reopened(path).close()
    assert [records for session, records in chain_of(path).items() if session in written] == list(written.values())


def test_a_page_above_the_entries_costs_none_of_them(path: Path) -> None:
    written = filled(path, sessions=1, entries=300)
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'entry'").fetchone()
    spoil(path, root - 1)
    reopened(path).close()
    ((session, records),) = written.items()
    assert chain_of(path)[session] == records


def test_a_page_that_lost_its_first_sector_gives_what_stands_on_the_others(path: Path) -> None:
    filled(path, sessions=1, entries=300)
    with path.open("r+b") as file:
        file.seek(page_of(path, "child-60") * PAGE)
        file.write(b"\xff" * 512)
    reopened(path).close()
    saved, lost = next(iter(sound_and_lost(path).values()))
    assert len(saved) + len(lost) == 301
    assert len(lost) <= 1, "the one that began on it"


def test_a_sector_that_cannot_be_read_costs_its_page_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path, sessions=1, entries=300)
    bad, read = page_of(path, "child-60") * PAGE, os.pread

    def failing(file: int, size: int, at: int) -> bytes:
        if at == bad:
            raise OSError(errno.EIO, "as a worn card says")
        return read(file, size, at)

    monkeypatch.setattr("os.pread", failing)
    (found,) = search(path).sessions
    missing = {*range(301)} - {record.seq for record, _ in found.entries}
    assert 60 in missing
    assert len(missing) < 12


def test_sessions_stay_in_order_over_several_damages(path: Path) -> None:
    clock, began = ManualClock(AFTERNOON), []
    for damages in range(3):
        for _ in range(3):
            journal = open_journal(path, clock)
            journal.salvage()
            began.append(journal.session)
            journal.append(move())
            journal.close()
            clock.advance(60)
        if damages < 2:
            spoil(path, 0)
    assert list(chain_of(path)) == began


def test_sessions_stay_in_order_when_their_table_is_lost_as_the_last_of_them_names_them(path: Path) -> None:
    filled(path, sessions=50, entries=1)
    spoil(path, 0)
    reopened(path).close()  # their rows are now in another order than they are
    open_journal(path).close()
    written = list(chain_of(path))
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'session'").fetchone()
    spoil(path, 0, root - 1)
    reopened(path).close()
    assert list(chain_of(path))[:-1] == written


def test_two_journals_set_aside_come_back_in_their_order_also_after_the_clock_went_back(path: Path) -> None:
    began = []
    for clock in (ManualClock(AFTERNOON), ManualClock(datetime(1970, 1, 1, tzinfo=UTC)), ManualClock(AFTERNOON)):
        journal = open_journal(path, clock)
        began.append(journal.session)
        journal.append(move())
        journal.close()
        if len(began) < 3:
            spoil(path, 0)
    reopened(path).close()
    assert list(chain_of(path))[:3] == began


def test_a_disk_that_fills_up_while_a_journal_comes_back_leaves_the_order_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = []
    for damages in range(3):
        for _ in range(2):
            journal = open_journal(path)
            began.append(journal.session)
            journal.append(move())
            journal.close()
        if damages < 2:
            spoil(path, 0)
    journal, taken = open_journal(path), []

    def once_full(db: Database, found: Salvaged) -> int:
        taken.append(found.session)
        if len(taken) == 2:
            raise sqlite3.OperationalError("database or disk is full")
        return take_in(db, found)

    monkeypatch.setattr("kiosk.journal.take_in", once_full)
    with pytest.raises(JournalError, match="full"):
        journal.salvage()
    assert len(unsearched(path)) == 2
    journal.salvage()
    journal.close()
    assert list(chain_of(path))[:6] == began


def test_a_file_that_holds_entries_and_gives_none_is_told_and_tried_again_by_the_next_process(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    filled(path, sessions=1, entries=3)
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:].replace(b'"wall_ms":', b'"hall_ms":'))
    journal = reopened(path)
    journal.salvage()
    assert caplog.text.count("nothing sound in journal") == 1
    assert unsearched(path) == asides(path)
    assert journal.salvages == 0
    journal.close()
    reopened(path).close()
    assert caplog.text.count("nothing sound in journal") == 2


@pytest.mark.parametrize("held", [0, 40, 60, 201])
def test_what_lies_behind_a_hole_reaches_the_server_however_much_it_holds(
    tmp_path: Path, held: int, caplog: pytest.LogCaptureFixture
) -> None:
    with ModelServer() as server, kiosk_at(tmp_path, server.url) as kiosk:
        server.trust(KEY.public_key())
        kiosk.append(*(moved(child=f"child-{number}") for number in range(1, 301)))
        ((session, lines),) = kiosk.held().items()
        if held:
            server.ledger.sessions[session] = lines[:held]
        kiosk.reader.close()
        kiosk.journal.close()  # the last one writes the log into the file
        path = kiosk.folder / "journal.db"
        spoil(path, 0, page_of(path, "child-60"))
        kiosk.reopen()
        kiosk.journal.salvage()
        kiosk.settle()
        taken = server.ledger.sessions[session]
        lost = {seq for seq, line in enumerate(taken) if line != lines[seq]}
        assert len(taken) == len(lines)
        assert lost == {seq for _, seq in server.ledger.quarantined}
        assert len(lost) < 12
        assert min(lost, default=held) >= held
        assert (60 in lost) == (held <= 60)
        assert not server.ledger.conflicts
        report = kiosk.sync.report(kiosk.sync.step())
        assert (report.problems, report.quarantined) == ((), 0), "what was lost is no newer than the server"
        assert kiosk.journal.unsent(kiosk.cache.acks()) == 0


def test_the_log_of_a_journal_that_was_never_closed_is_read_too(path: Path, tmp_path: Path) -> None:
    journal = open_journal(path)
    last = journal.append(move("last"))
    crashed = tmp_path / "crashed" / "journal.db"
    crashed.parent.mkdir()
    for part in tmp_path.glob("journal.db*"):
        shutil.copy(part, crashed.parent / part.name)
    journal.close()
    set_aside(crashed, 0)
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
    journal.close()


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
    for saved, _ in sound_and_lost(path).values():
        assert not any("child-9" in repr(record) for record in saved)
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
    for found in search(path).sessions:
        for record, _ in found.entries:
            assert record == written[found.session][record.seq]
