"""The doctor as a whole: a well kiosk, a new one, somebody else's; what it leaves alone, and that it goes on."""

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from attendance import process_owner
from attendance.catalogue import Language
from attendance.clock import ClockState
from attendance.finding import Finding
from attendance.wire import SyncProblem
from kiosk import doctor, live
from kiosk.catalogues import catalogues
from kiosk.config import ReaderKind, ReaderSettings
from kiosk.doctor import examine
from kiosk.identity import coming_key
from tests.kiosk.doctor_parts import examined, house, running_clock, settings, wrong_of
from tests.kiosk.enrolled import enrol
from tests.kiosk.sync_parts import BOOT, moved
from tests.model_server import ModelServer

WELL = {
    "program", "identity", "folder", "disk", "journal", "door", "readers_in_use", "server", "sync", "all_sent",
    "roster", "clock_ntp",
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def test_a_kiosk_that_has_everything_is_well(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        findings = kiosk.findings()
        assert wrong_of(findings) == set()
        assert set(findings) == WELL
        assert findings["journal"].values["entries"] == 2


def test_a_new_machine_lacks_all_and_is_left_as_it_was(tmp_path: Path) -> None:
    assert wrong_of(examined(settings(tmp_path, readers=()))) == {
        "folder_missing", "readers_none", "identity_missing", "door_stopped", "sync_silent", "roster_missing",
    }  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_a_kiosk_that_was_just_enrolled_lacks_what_the_next_step_brings(tmp_path: Path, server: ModelServer) -> None:
    wanted = settings(tmp_path)
    server.trust(coming_key(wanted.data_dir).public_key())
    enrol(wanted.data_dir, server_url=server.url)
    findings = examined(wanted)
    assert wrong_of(findings) == {"door_stopped", "sync_silent", "roster_missing"}
    assert {"identity", "journal_none", "reader", "server"} <= set(findings)


def test_a_kiosk_is_looked_at_and_nothing_in_it_is_changed(tmp_path: Path, server: ModelServer) -> None:
    def files() -> dict[str, tuple[int, bytes]]:
        return {
            str(path): (path.stat().st_mode, path.read_bytes())
            for path in tmp_path.rglob("*")
            if path.is_file() and path.suffix != ".db-shm"  # whoever reads marks there that it does
        }

    with house(tmp_path, server) as kiosk:
        before, asked = files(), len(server.requests)
        assert kiosk.wrong() == set()
        assert files() == before
        assert server.requests[asked:] == [("GET", "/kiosk/v1/state")]
        kiosk.step()
        assert kiosk.wrong() == set(), "what the doctor asked, sync is told all the same"


def test_the_door_records_while_the_doctor_reads(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        examination = examine(kiosk.settings, kiosk.clock, BOOT)
        seen = []
        for finding in examination:
            seen.append(finding.code)
            kiosk.journal.append(moved())
        assert "journal" in seen
        assert "journal_locked" not in seen


def test_one_examination_that_fails_does_not_keep_the_others_from_being_made(
    tmp_path: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> Iterator[Finding]:
        raise RuntimeError("a secret")

    with house(tmp_path, server) as kiosk:
        monkeypatch.setattr("kiosk.doctor.examination.check_record", stumble)
        findings = kiosk.findings()
    assert wrong_of(findings) == {"doctor_fault"}
    assert "secret" not in str(findings["doctor_fault"].values)
    assert set(findings) >= WELL - {"journal"}


def test_somebody_elses_kiosk_is_not_judged_and_nothing_is_left_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = settings(tmp_path)
    enrol(wanted.data_dir)
    before = sorted(wanted.data_dir.iterdir())
    monkeypatch.setattr(os, "geteuid", lambda: wanted.data_dir.stat().st_uid + 1)
    assert set(examined(wanted)) == {"program", "user_wrong"}
    assert sorted(wanted.data_dir.iterdir()) == before


def test_a_reader_that_does_not_answer_is_named(tmp_path: Path) -> None:
    enrol(tmp_path / "data")
    readers = (
        ReaderSettings(name="front", kind=ReaderKind.FAKE, source=str(tmp_path / "none")),
        ReaderSettings(name="table", kind=ReaderKind.NFC, source="nonsense"),
        ReaderSettings(name="gate", kind=ReaderKind.QR_CAMERA, source="command:"),
        ReaderSettings(name="yard", kind=ReaderKind.QR_CAMERA, source="command:rpicam-vid 'unfinished"),
        ReaderSettings(name="good", kind=ReaderKind.FAKE),
    )
    findings = list(examine(settings(tmp_path, readers=readers), running_clock()))
    assert [finding.values["name"] for finding in findings if finding.code == "reader_down"] == [
        "front", "table", "gate", "yard",
    ]  # fmt: skip
    assert [finding.values["name"] for finding in findings if finding.code == "reader"] == ["good"]


@pytest.mark.parametrize("problem", SyncProblem)
def test_whatever_sync_may_report_has_a_sentence_and_a_remedy(problem: SyncProblem) -> None:
    for language in Language:
        assert len(Finding(f"sync_{problem}", wrong=True).sentences(catalogues()[language])) == 2


def test_no_sentence_is_left_over_from_a_finding_that_is_made_no_more() -> None:
    folders = [Path(doctor.__file__).parent, Path(live.__file__).parent]
    modules = [Path(process_owner.__file__), *(module for folder in folders for module in folder.glob("*.py"))]
    literals = {
        node.value
        for module in modules
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    made = literals | {f"clock_{state}" for state in ClockState} | {f"sync_{problem}" for problem in SyncProblem}
    for language in Language:
        said = {each.split(".")[1] for each in catalogues()[language].ids if each.startswith("doctor.")}
        assert said - made == {"line", "well", "wrong"}
