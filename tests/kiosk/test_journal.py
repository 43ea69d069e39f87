import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from attendance.chain import verify
from attendance.clock import ManualClock, local_day
from attendance.records import AttendanceRecord, Direction, Head, MadeBy, Moved, SessionOpened, Undone, read_line
from kiosk.errors import JournalError
from kiosk.journal import HEADS_IN_HEADER, Journal
from kiosk.journal_queries import unsent
from kiosk.journal_reader import JournalReader
from tests.kiosk.door_parts import AFTERNOON, BOOT, OTHER_BOOT, open_journal

WRITER = """
import sys
from pathlib import Path
from attendance.clock import SystemClock
from attendance.records import Direction, MadeBy, Moved
from kiosk.journal import Journal
journal = Journal(Path(sys.argv[1]), kiosk="k", clock=SystemClock(), boot="b", app="0", key_id="0").begin()
for number in range(int(sys.argv[2])):
    record = journal.append(Moved(child=f"c{number}", direction=Direction.ENTRY, by=MadeBy.CARD, card=None))
    print(record.session, record.seq, flush=True)
"""


def move(child: str = "child") -> Moved:
    return Moved(child=child, direction=Direction.ENTRY, by=MadeBy.CARD, card=None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AFTERNOON)


@pytest.fixture
def journal(path: Path, clock: ManualClock) -> Iterator[Journal]:
    opened = open_journal(path, clock)
    yield opened
    opened.close()


@contextmanager
def disk_full(path: Path) -> Iterator[None]:
    """No file of this process can grow beyond what the journal's log holds now."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    wal = path.with_name(path.name + "-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size if wal.exists() else 0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def is_broken(journal: Journal) -> bool:
    return journal.problem is not None


def chain_of(path: Path) -> dict[str, list[AttendanceRecord]]:
    """Every session's records, after its chain was verified."""
    reader = JournalReader(path)
    try:
        reader.verify()
        return {
            head.session: [read_line(line) for line in reader.read(head.session, 0, 1_000_000)]
            for head in reader.heads()
        }
    finally:
        reader.close()


def writer(path: Path, count: int) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(count)], stdout=subprocess.PIPE, text=True)


def test_a_session_begins_with_a_header_that_tells_boot_app_and_key(journal: Journal, path: Path) -> None:
    assert journal.session is not None
    header = chain_of(path)[journal.session][0]
    assert header.body == SessionOpened(boot=BOOT, app="0.1.0", key="0" * 32, heads=())


def test_entries_are_numbered_and_chained(journal: Journal, path: Path) -> None:
    records = [journal.append(move()) for _ in range(5)]
    assert [record.seq for record in records] == [1, 2, 3, 4, 5]
    assert journal.session is not None
    assert chain_of(path)[journal.session][1:] == records


def test_an_entry_tells_the_time_at_which_it_was_written(journal: Journal, clock: ManualClock) -> None:
    clock.advance(61)
    assert journal.append(move()).at == clock.read()


def test_each_life_of_the_door_has_a_session_that_names_those_before(path: Path, clock: ManualClock) -> None:
    first = open_journal(path, clock)
    first.append(move())
    heads = first.heads()
    first.close()
    second = open_journal(path, clock)
    assert second.session is not None
    assert second.session != first.session
    header = chain_of(path)[second.session][0].body
    assert isinstance(header, SessionOpened)
    assert header.heads == tuple(heads)
    second.close()


def test_a_header_names_no_more_sessions_than_it_must(path: Path, clock: ManualClock) -> None:
    for _ in range(HEADS_IN_HEADER + 2):
        open_journal(path, clock).close()
    sessions = chain_of(path)
    last = list(sessions.values())[-1][0].body
    assert isinstance(last, SessionOpened)
    assert [head.session for head in last.heads] == list(sessions)[1:-1]


def test_heads_tell_the_last_entry_of_every_session_in_the_order_they_began(path: Path, clock: ManualClock) -> None:
    first = open_journal(path, clock)
    last = first.append(move())
    first.close()
    second = open_journal(path, clock)
    heads = second.heads()
    assert [(head.session, head.seq) for head in heads] == [(last.session, 1), (second.session, 0)]
    second.close()


def test_a_stretch_can_be_read_from_anywhere(journal: Journal, path: Path) -> None:
    for _ in range(5):
        journal.append(move())
    assert journal.session is not None
    reader = JournalReader(path)
    stretch = reader.read(journal.session, 2, 3)
    assert [read_line(line).seq for line in stretch] == [2, 3, 4]
    assert reader.read(journal.session, 6, 3) == []
    assert reader.read("nobody", 0, 3) == []
    reader.close()


def test_a_reader_sees_what_was_just_committed(journal: Journal, path: Path) -> None:
    reader = JournalReader(path)
    before = reader.heads()
    record = journal.append(move())
    after = reader.heads()
    lines = reader.read(record.session, record.seq, 10)
    reader.close()
    assert before[0].seq == 0
    assert after[0].seq == 1
    assert verify(lines, after=before[0]) == after[0]


def test_a_reader_waits_for_a_journal_that_is_not_there_yet(path: Path) -> None:
    reader = JournalReader(path)
    assert reader.heads() == []
    assert reader.read("any", 0, 10) == []
    assert not path.exists()
    journal = open_journal(path)
    assert len(reader.heads()) == 1
    journal.close()
    reader.close()


def test_a_reader_follows_a_journal_that_was_replaced(path: Path) -> None:
    journal = open_journal(path)
    reader = JournalReader(path)
    first = reader.heads()
    journal.close()
    path.rename(path.with_name("aside.db"))
    journal = open_journal(path)
    second = reader.heads()
    journal.close()
    reader.close()
    assert len(second) == 1
    assert second != first


def test_a_reader_cannot_write(journal: Journal, path: Path) -> None:
    reader = JournalReader(path)
    reader.heads()
    assert reader._db is not None
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._db.execute("DELETE FROM entry")
    reader.close()
    assert len(journal.heads()) == 1


def test_the_records_of_a_day_are_those_its_wall_clock_put_there(journal: Journal, clock: ManualClock) -> None:
    today = local_day(AFTERNOON)
    record = journal.append(move())
    clock.advance(24 * 3600)
    tomorrow = journal.append(move())
    assert record in journal.records_of_day(today)
    assert journal.records_of_day(local_day(AFTERNOON.replace(day=2))) == [tomorrow]


def test_a_day_begins_at_midnight_in_japan(path: Path) -> None:
    clock = ManualClock(datetime(2026, 4, 1, 14, 59, 59, tzinfo=UTC))
    journal = open_journal(path, clock)
    before = journal.append(move())
    clock.advance(1)
    after = journal.append(move())
    assert before in journal.records_of_day(local_day(datetime(2026, 4, 1, 3, tzinfo=UTC)))
    assert journal.records_of_day(local_day(datetime(2026, 4, 2, 3, tzinfo=UTC))) == [after]
    journal.close()


def test_the_records_of_this_boot_are_told_whatever_the_wall_clock_said(path: Path) -> None:
    earlier = open_journal(path, ManualClock(AFTERNOON), boot=OTHER_BOOT)
    earlier.append(move())
    earlier.close()
    clock = ManualClock(datetime(1970, 1, 1, tzinfo=UTC), boot_ns=5)
    journal = open_journal(path, clock)
    first = journal.append(move("first"))
    clock.advance(10)
    second = journal.append(move("second"))
    assert journal.records_of_boot(0)[1:] == [first, second]
    assert journal.records_of_boot(second.at.boot_ns) == [second]
    journal.close()


def test_the_door_counts_what_is_unsent_of_this_session_and_of_those_before(path: Path) -> None:
    before = open_journal(path)
    before.append(move())
    (earlier,) = before.heads()
    before.close()
    journal = open_journal(path)
    journal.append(move())
    assert journal.unsent([]) == 2 + 2
    assert journal.unsent([earlier]) == 2
    journal.append(move())
    assert journal.unsent(journal.heads()[:1]) == 3
    assert journal.unsent(journal.heads()) == 0
    journal.close()


def test_unsent_counts_what_lies_beyond_the_acknowledged() -> None:
    heads = [Head("a", 4, "x"), Head("b", 0, "x"), Head("c", 9, "x")]
    assert unsent(heads, []) == 5 + 1 + 10
    assert unsent(heads, [Head("a", 4, "x"), Head("c", 7, "x")]) == 0 + 1 + 2
    assert unsent(heads, [Head("a", 400, "x"), *heads[1:]]) == 0


def test_threads_that_append_at_once_make_one_chain(journal: Journal, path: Path) -> None:
    def append() -> None:
        for _ in range(25):
            journal.append(move())

    threads = [threading.Thread(target=append) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert journal.session is not None
    assert len(chain_of(path)[journal.session]) == 1 + 4 * 25


def test_two_connections_that_append_at_once_never_fail_each_other(path: Path) -> None:
    journals = [open_journal(path) for _ in range(2)]
    failed: list[JournalError] = []
    together = threading.Barrier(2)

    def append(journal: Journal) -> None:
        together.wait()
        for _ in range(150):
            try:
                journal.append(move())
            except JournalError as error:
                failed.append(error)

    threads = [threading.Thread(target=append, args=(journal,)) for journal in journals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for journal in journals:
        journal.close()
    assert failed == []
    assert [len(records) for records in chain_of(path).values()] == [151, 151]


def test_processes_that_append_at_once_break_no_chain(path: Path) -> None:
    writers = [writer(path, 40) for _ in range(2)]
    printed = [process.communicate()[0] for process in writers]
    assert [process.returncode for process in writers] == [0, 0]
    sessions = chain_of(path)
    assert sorted(len(records) for records in sessions.values()) == [41, 41]
    assert {line.split()[0] for output in printed for line in output.splitlines()} == set(sessions)


def test_what_was_acknowledged_before_a_kill_is_there_after_it(path: Path) -> None:
    chance = random.Random(20260401)
    acknowledged: dict[str, int] = {}
    for _ in range(20):
        process = writer(path, 1_000_000)
        assert process.stdout is not None
        for _ in range(chance.randint(1, 40)):
            session, seq = process.stdout.readline().split()
            acknowledged[session] = int(seq)
        os.kill(process.pid, signal.SIGKILL)
        # What it had printed before it died counts as acknowledged too; a torn last line does not.
        for line in process.communicate()[0].splitlines(keepends=True):
            if line.endswith("\n"):
                acknowledged[line.split()[0]] = int(line.split()[1])
    sessions = chain_of(path)
    lost = {session: seq for session, seq in acknowledged.items() if len(sessions[session]) <= seq}
    assert len(acknowledged) == 20
    assert lost == {}


def test_a_full_disk_is_an_error_and_afterwards_entries_are_taken_again(journal: Journal, path: Path) -> None:
    first = journal.append(move())
    with disk_full(path):
        for _ in range(3):
            with pytest.raises(JournalError):
                journal.append(move())
        assert journal.heads()[0].seq == first.seq, "reading goes on"
        assert is_broken(journal), "reading does not prove that it can be written"
    second = journal.append(move())
    assert not is_broken(journal)
    assert second.seq == first.seq + 1
    assert [record.seq for record in chain_of(path)[first.session]] == [0, 1, 2]


def test_a_journal_that_cannot_even_begin_is_opened_and_begins_later(path: Path) -> None:
    with disk_full(path):
        journal = open_journal(path)
        assert journal.session is None
        assert is_broken(journal)
        with pytest.raises(JournalError):
            journal.append(move())
    assert journal.append(move()).seq == 1
    assert not is_broken(journal)
    journal.close()


def test_a_failed_opening_is_made_up_for_by_the_next_question(path: Path) -> None:
    with disk_full(path):
        journal = open_journal(path)
    assert len(journal.heads()) == 1
    assert journal.problem is None
    assert journal.session is not None
    journal.close()


def test_a_folder_that_is_none_is_an_error_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    journal = open_journal(tmp_path / "file" / "journal.db")
    with pytest.raises(JournalError):
        journal.append(move())
    journal.close()


def test_a_lock_held_by_another_process_is_an_error_after_the_busy_timeout(path: Path) -> None:
    journal = open_journal(path, busy_timeout_s=0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalError, match="locked"):
        journal.append(move())
    other.execute("ROLLBACK")
    other.close()
    assert journal.append(move()).seq == 1
    journal.close()


def test_verify_names_an_entry_that_was_tampered_with(journal: Journal, path: Path) -> None:
    record = journal.append(move())
    other = sqlite3.connect(path)
    with other:
        other.execute("UPDATE entry SET line = replace(line, 'entry', 'exit') WHERE seq = ?", (record.seq,))
    other.close()
    reader = JournalReader(path)
    with pytest.raises(JournalError, match="hash"):
        reader.verify()
    reader.close()


def test_a_line_of_a_newer_version_is_passed_over_and_kept(journal: Journal, path: Path) -> None:
    record = journal.append(move())
    other = sqlite3.connect(path)
    with other:
        other.execute(
            "INSERT INTO entry SELECT session, 2, boot_ns, wall_ms, '{\"v\":9}', 'x' FROM entry WHERE seq = 1"
        )
    other.close()
    assert journal.records_of_boot(0)[1:] == [record]
    reader = JournalReader(path)
    assert reader.read(record.session, 2, 1)[0].line == '{"v":9}'
    reader.close()


def test_an_undo_is_an_entry_like_any_other(journal: Journal) -> None:
    moved = journal.append(move())
    assert journal.append(Undone(seq=moved.seq)).seq == moved.seq + 1
