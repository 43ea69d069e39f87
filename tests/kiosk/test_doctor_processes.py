"""What the doctor says of door and sync: not running, hanging, or what they say of themselves."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from attendance.clock import ManualClock
from attendance.wire import OfferResponse, Receipt, Want, encode
from kiosk.doctor.processes import check_door
from kiosk.sync_report import SILENT_S, read_sync_report
from tests.kiosk.doctor_parts import house
from tests.kiosk.sync_parts import moved
from tests.model_server import HTML, NOON, Canned, ModelServer


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def test_a_door_that_does_not_run_is_told_though_it_left_its_word(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server, door_runs=False) as kiosk:
        assert kiosk.wrong() == {"door_stopped"}


def test_a_door_that_says_nothing_any_more_hangs(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        kiosk.clock.advance(9)
        assert kiosk.wrong() == set()
        kiosk.clock.advance(9)
        assert kiosk.wrong() == {"door_hangs"}
        (kiosk.settings.runtime_dir / "door.json").write_text("{")
        assert kiosk.wrong() == {"door_hangs"}
        kiosk.report()
        assert kiosk.wrong() == set()


HOLDING = """
import sys, pathlib
from kiosk.only_one import door_lock
with door_lock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_door_that_has_only_just_begun_does_not_hang(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server, door_runs=False) as kiosk:
        (kiosk.settings.runtime_dir / "door.json").unlink()
        command = [sys.executable, "-c", HOLDING, str(kiosk.settings.data_dir)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            now = ManualClock(NOON, boot_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME))
            assert [finding.code for finding in check_door(kiosk.settings, now)] == ["door"]
            now.advance(60)
            assert [finding.code for finding in check_door(kiosk.settings, now)] == ["door_hangs"]


def test_what_the_door_says_is_wrong_is_passed_on(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        kiosk.report(readers_down=("camera", "nfc"), broken=True)
        findings = kiosk.findings()
        assert {"door_broken", "door_readers"} <= set(findings)
        assert findings["door_readers"].values["names"] == "camera, nfc"
        assert "door" not in findings


def test_sync_that_does_not_run_or_hangs_is_told(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        kiosk.clock.advance(SILENT_S + 1)
        kiosk.report()
        assert kiosk.wrong() == set(), "a slow answer is no silence"
        kiosk.clock.advance(10)
        kiosk.report()
        assert kiosk.wrong() == {"sync_silent"}
        kiosk.step()
        assert "sync_silent" not in kiosk.wrong()
        (kiosk.settings.runtime_dir / "sync.json").unlink()
        assert "sync_silent" in kiosk.wrong()


def test_sync_that_waits_as_the_server_asked_is_not_silent(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        server.backoff_ms = 900_000
        kiosk.step()
        kiosk.clock.advance(890)
        kiosk.report()
        assert "sync_silent" not in kiosk.wrong()


def test_a_server_that_was_not_heard_for_long_is_told_with_the_minutes(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        server.always = Canned(body=HTML, content_type="text/html")
        kiosk.clock.advance(1300)
        kiosk.report()
        kiosk.step()
        findings = kiosk.findings()
        assert findings["contact_old"].values == {"minutes": 21, "reason": "foreign"}
        assert "sync_silent" not in findings


def test_a_server_that_was_not_heard_since_the_start_is_told(tmp_path: Path) -> None:
    with house(tmp_path, None) as kiosk:
        assert "contact_none" not in kiosk.wrong(), "sync did not even ask"
        kiosk.step()
        assert kiosk.findings()["contact_none"].values == {"reason": "unreachable"}


def test_a_server_that_holds_another_entry_in_the_same_place_is_told(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        (session,) = server.ledger.sessions
        strange = msgspec.structs.replace(server.ledger.sessions[session][-1], hash="f" * 64)
        server.ledger.sessions[session][-1] = strange
        kiosk.step()
        assert "sync_chain_differs" in kiosk.wrong()
        assert "sync" not in kiosk.findings()


def test_an_entry_that_the_server_does_not_take_is_told(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        server.poison = "child-9"
        kiosk.journal.append(moved(child="child-9"))
        kiosk.step()
        assert kiosk.wrong() == {"sync_entry_refused"}


def test_an_entry_that_the_server_does_not_understand_is_told(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        record = kiosk.journal.append(moved())
        (line,) = kiosk.reader.read(record.session, record.seq, 1)
        wanting = OfferResponse(
            want=(Want(record.session, record.seq),),
            time_ms=kiosk.clock.read().wall_ms,
            max_batch=10,
            backoff_ms=0,
            roster_version="1",
            presence_version=kiosk.cache.versions()[1],
        )
        receipt = Receipt(record.session, record.seq, line.hash, (record.seq,))
        server.once.extend(Canned(body=encode(message)) for message in (wanting, receipt))
        kiosk.step()
        assert kiosk.findings()["sync_quarantined"].values == {"entries": 1}


def test_a_journal_that_sync_cannot_read_is_told(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        kiosk.let_go()
        kiosk.settings.journal_path.write_bytes(b"this is no database" * 400)
        kiosk.step()
        assert {"sync_journal_unreadable", "journal_damaged"} <= kiosk.wrong()


def test_a_names_key_that_cannot_be_written_is_told(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        kiosk.settings.names_key_path.unlink()
        kiosk.settings.names_key_path.mkdir()
        server.roster_version += 1
        kiosk.step()
        assert {"sync_names_key_unwritable", "names_sealed"} <= kiosk.wrong()


def test_a_cache_that_sync_cannot_write_is_told(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        kiosk.cache.close()
        kiosk.settings.cache_path.unlink()
        kiosk.settings.cache_path.mkdir()
        kiosk.step()
        assert {"sync_cache_unusable", "roster_broken"} <= kiosk.wrong()


def test_the_word_of_sync_is_whole_and_says_what_stood_between(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        server.always = Canned(body=HTML, content_type="text/html")
        kiosk.step()
        report = read_sync_report(kiosk.settings.runtime_dir)
        assert report is not None
        assert report.fault == "foreign"
        assert not list(kiosk.settings.runtime_dir.glob("*.new"))
