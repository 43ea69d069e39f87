"""What the doctor says of the journal's file: damaged, somebody else's, held by another program, removed."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from kiosk.database import set_aside
from kiosk.journal_reader import JournalReader
from tests.kiosk.doctor_parts import House, examined, house, open_journal, settings, wrong_of
from tests.kiosk.sync_parts import moved
from tests.model_server import NOON, ModelServer

HOLDING = """
import sqlite3, sys
holding = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    holding.execute(statement)
print("held", flush=True)
sys.stdin.read()
holding.close()
"""


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@contextmanager
def held_by_another(path: Path, *statements: str) -> Iterator[int]:
    """Another program that did something to the journal, and does not end."""
    command = [sys.executable, "-c", HOLDING, str(path), *statements]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process.pid


def test_a_journal_that_another_program_holds_is_told_with_that_program(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        with held_by_another(kiosk.settings.journal_path, "BEGIN IMMEDIATE") as process:
            findings = kiosk.findings()
            assert wrong_of(findings) == {"journal_locked"}
            assert str(process) in str(findings["journal_locked"].values["program"])
            assert "journal" in findings, "it is read all the same"
        assert kiosk.wrong() == set()


def test_a_journal_that_cannot_even_be_read_for_a_lock_is_told_once(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        kiosk.let_go()
        wanted = settings(tmp_path, journal=kiosk.settings.journal)
        exclusively = ("PRAGMA locking_mode=EXCLUSIVE", "INSERT INTO session VALUES ('x', 'y')")
        with held_by_another(wanted.journal_path, *exclusively) as process:
            findings = examined(wanted, kiosk.clock)
        assert str(process) in str(findings["journal_locked"].values["program"])
        assert {"journal", "journal_damaged", "journal_unreadable"}.isdisjoint(findings)


def test_a_damaged_journal_is_found_and_left_alone(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server, door_runs=False) as kiosk:
        kiosk.let_go()
        spoilt = os.urandom(8192)
        kiosk.settings.journal_path.write_bytes(spoilt)
        assert "journal_damaged" in kiosk.wrong()
        assert kiosk.settings.journal_path.read_bytes() == spoilt


def test_a_damaged_page_is_found_and_what_is_beside_it_goes_on(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        for _ in range(100):
            kiosk.journal.append(moved())
        kiosk.let_go()
        with kiosk.settings.journal_path.open("r+b") as file:
            for page in range(3, kiosk.settings.journal_path.stat().st_size // 4096):
                file.seek(page * 4096)
                file.write(b"\xff" * 64)
        findings = kiosk.findings()
        assert "journal_damaged" in wrong_of(findings)
        assert "server" in findings


def test_an_entry_that_was_changed_is_damage(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        with closing(sqlite3.connect(kiosk.settings.journal_path)) as forger:
            forger.execute("UPDATE entry SET line = replace(line, 'child-1', 'child-2')")
            forger.commit()
        assert kiosk.wrong() == {"journal_damaged"}


def test_a_file_of_another_program_and_one_of_a_newer_version_are_told_apart(
    tmp_path: Path, server: ModelServer
) -> None:
    with house(tmp_path, server) as kiosk:
        kiosk.let_go()
        for pragma, code in (("user_version=99", "journal_newer"), ("application_id=7", "journal_foreign")):
            with closing(sqlite3.connect(kiosk.settings.journal_path)) as other:
                other.execute(f"PRAGMA {pragma}")
            findings = examined(kiosk.settings, kiosk.clock)
            assert code in wrong_of(findings)
            assert "journal_damaged" not in findings


def test_a_file_that_cannot_be_opened_is_not_called_damaged(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server, door_runs=False) as kiosk:
        kiosk.let_go()
        kiosk.settings.journal_path.unlink()
        kiosk.settings.journal_path.mkdir()
        assert "journal_unreadable" in kiosk.wrong()


def test_a_journal_that_has_gone_is_missed_and_one_that_never_was_is_not(tmp_path: Path, server: ModelServer) -> None:
    wanted = settings(tmp_path / "new")
    wanted.data_dir.mkdir(parents=True)
    assert "journal_none" in examined(wanted)
    with house(tmp_path, server, door_runs=False) as kiosk:
        kiosk.let_go()
        kiosk.settings.journal_path.unlink()
        assert "journal_gone" in kiosk.wrong(), "the server had entries of it"


def test_a_log_that_is_removed_under_the_door_is_told_and_a_restart_saves_what_it_held(
    tmp_path: Path, server: ModelServer
) -> None:
    with house(tmp_path, server) as kiosk:
        log = kiosk.settings.data_dir / "journal.db-wal"
        log.unlink()
        kiosk.journal.append(moved())
        assert "journal_log_gone" in kiosk.wrong()
        assert "journal_log_gone" in kiosk.wrong(), "though reading made another log"
        kiosk.let_go()
        with closing(JournalReader(kiosk.settings.journal_path)) as reader:
            assert reader.verify() == 3


def spoil_under(kiosk: House) -> None:
    """What the door does with a journal that it finds damaged."""
    kiosk.let_go()
    kiosk.settings.journal_path.write_bytes(os.urandom(8192))
    kiosk.settings.journal_path.with_name("journal.db-wal").unlink(missing_ok=True)
    kiosk.journal = open_journal(kiosk.settings, kiosk.clock)


def test_a_journal_that_was_set_aside_is_told_by_how_far_its_entries_have_come(
    tmp_path: Path, server: ModelServer
) -> None:
    with house(tmp_path, server) as kiosk:
        spoil_under(kiosk)
        findings = kiosk.findings()
        assert "aside_unsearched" in findings
        assert findings["aside_unsearched"].values["files"] == f"journal.db.damaged-{NOON:%Y%m%dT%H%M%SZ}"
        kiosk.journal.salvage()
        assert "aside_waiting" in kiosk.wrong()
        kiosk.step()
        kiosk.step()
        assert kiosk.wrong() == {"aside_sent"}
        for path in kiosk.settings.data_dir.glob("journal.db.damaged-*"):
            path.unlink()
        assert kiosk.wrong() == set()


def test_a_journal_set_aside_that_gives_nothing_is_told_though_the_door_goes_on(
    tmp_path: Path, server: ModelServer
) -> None:
    with house(tmp_path, server) as kiosk:
        kiosk.journal.append(moved())
        kiosk.let_go()
        path = kiosk.settings.journal_path
        path.write_bytes(b"\0" * 100 + path.read_bytes()[100:].replace(b'"wall_ms":', b'"hall_ms":'))
        kiosk.journal = open_journal(kiosk.settings, kiosk.clock)
        kiosk.journal.salvage()
        assert "aside_fruitless" in kiosk.wrong()
        assert "aside_unsearched" not in kiosk.wrong()


def test_what_is_saved_of_a_whole_journal_is_at_the_server_before_the_doctor_says_so(
    tmp_path: Path, server: ModelServer
) -> None:
    with house(tmp_path, server) as kiosk:
        kiosk.journal.append(moved())
        kiosk.let_go()
        set_aside(kiosk.settings.journal_path, kiosk.clock.read().wall_ms)
        kiosk.journal = open_journal(kiosk.settings, kiosk.clock)
        kiosk.journal.salvage()
        assert "aside_waiting" in kiosk.wrong()
        kiosk.clock.advance(300)
        kiosk.step()
        kiosk.step()
        assert "aside_sent" in kiosk.wrong()
        with closing(JournalReader(kiosk.settings.journal_path)) as reader:
            held = sum(len(lines) for lines in server.ledger.sessions.values())
            assert held == sum(head.seq + 1 for head in reader.heads())
