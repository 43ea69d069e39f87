import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from attendance.catalogue import Language
from attendance.clock import ClockState, ManualClock
from kiosk.catalogues import catalogues
from kiosk.config import KioskSettings, ReaderKind, ReaderSettings, SyncSettings
from kiosk.doctor import Finding, examine
from kiosk.only_one import door_lock
from kiosk.roster_cache import RosterCache
from tests.kiosk.door_parts import AFTERNOON, open_journal, state
from tests.kiosk.enrolled import NOWHERE, enrol


class _Health(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(self.server.status if self.path == "/health" else 404)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Health)
    server.status = 200  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def settings(folder: Path, **changes: object) -> KioskSettings:
    parts: dict[str, object] = {
        "data_dir": folder / "data",
        "runtime_dir": folder / "run",
        "readers": (ReaderSettings(name="front", kind=ReaderKind.FAKE),),
        "sync": SyncSettings(timeout_s=5),
    }
    return KioskSettings(**{**parts, **changes})  # type: ignore[arg-type]


def found(wanted: KioskSettings, clock: ManualClock | None = None) -> dict[str, Finding]:
    return {finding.code: finding for finding in examine(wanted, clock or ManualClock(AFTERNOON))}


def wrong(findings: dict[str, Finding]) -> set[str]:
    return {code for code, finding in findings.items() if finding.wrong}


def kiosk(folder: Path, server_url: str = NOWHERE) -> KioskSettings:
    """A kiosk that has everything."""
    data_dir = folder / "data"
    enrol(data_dir, server_url=server_url)
    open_journal(data_dir / "journal.db").close()
    cache = RosterCache.open(data_dir / "cache.db")
    cache.store_state(state())
    cache.close()
    return settings(folder)


def test_a_kiosk_that_has_everything_is_well(tmp_path: Path, server: ThreadingHTTPServer) -> None:
    findings = found(kiosk(tmp_path, f"http://127.0.0.1:{server.server_port}/"))
    assert wrong(findings) == set()
    assert set(findings) == {
        "folder", "disk", "journal", "reader", "identity", "server", "roster", "clock_ntp",
    }  # fmt: skip
    assert findings["journal"].values == {"entries": 1}
    assert [path.name for path in (tmp_path / "data").glob(".probe*")] == []


def test_a_new_machine_lacks_all_and_is_left_as_it_was(tmp_path: Path) -> None:
    assert wrong(found(settings(tmp_path, readers=()))) == {
        "folder_unwritable", "readers_none", "identity_missing", "roster_missing",
    }  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_journal_is_found_and_left_alone(tmp_path: Path) -> None:
    wanted = kiosk(tmp_path)
    spoilt = os.urandom(8192)
    wanted.journal_path.write_bytes(spoilt)
    assert "journal_damaged" in wrong(found(wanted))
    assert wanted.journal_path.read_bytes() == spoilt


def test_a_journal_that_was_set_aside_is_not_forgotten(tmp_path: Path) -> None:
    wanted = kiosk(tmp_path)
    wanted.journal_path.write_bytes(os.urandom(8192))
    journal = open_journal(wanted.journal_path)
    journal.salvage()
    journal.close()
    findings = found(wanted)
    assert "journal_aside" in wrong(findings)
    assert findings["journal_aside"].values == {"files": "journal.db.damaged-20260401T050000Z"}


def test_a_reader_that_does_not_answer_is_named(tmp_path: Path) -> None:
    kiosk(tmp_path)
    readers = (
        ReaderSettings(name="front", kind=ReaderKind.FAKE, source=str(tmp_path / "none")),
        ReaderSettings(name="table", kind=ReaderKind.NFC, source="nonsense"),
        ReaderSettings(name="gate", kind=ReaderKind.QR_CAMERA, source="command:"),
        ReaderSettings(name="yard", kind=ReaderKind.QR_CAMERA, source="command:rpicam-vid 'unfinished"),
        ReaderSettings(name="good", kind=ReaderKind.FAKE),
    )
    findings = list(examine(settings(tmp_path, readers=readers), ManualClock(AFTERNOON)))
    assert [finding.values["name"] for finding in findings if finding.code == "reader_down"] == [
        "front",
        "table",
        "gate",
        "yard",
    ]
    assert [finding.values["name"] for finding in findings if finding.code == "reader"] == ["good"]


def test_readers_are_not_taken_from_a_running_door(tmp_path: Path) -> None:
    wanted = kiosk(tmp_path)
    with door_lock(wanted.data_dir) as free:
        assert free
        findings = found(wanted)
    assert "readers_in_use" in findings
    assert "reader" not in findings


def test_a_server_that_is_not_there_and_one_that_is_ill_are_told_apart(
    tmp_path: Path, server: ThreadingHTTPServer
) -> None:
    assert "server_unreached" in wrong(found(kiosk(tmp_path)))
    server.status = 503  # type: ignore[attr-defined]
    findings = found(settings(tmp_path, server_url=f"http://127.0.0.1:{server.server_port}"))
    assert findings["server_wrong"].values["status"] == 503


def test_a_nearly_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.doctor.examination.FREE_MIN_MB", 10**12)
    assert "disk_full" in wrong(found(kiosk(tmp_path)))


def test_a_cache_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    wanted = kiosk(tmp_path)
    wanted.cache_path.write_bytes(os.urandom(8192))
    assert "roster_broken" in wrong(found(wanted))


def test_a_clock_that_nothing_keeps_is_wrong_until_the_server_was_heard(tmp_path: Path) -> None:
    wanted = kiosk(tmp_path)
    for state_, code in (
        (ClockState.SAVED, "clock_unset"),
        (ClockState.RTC, "clock_rtc"),
        (ClockState.NTP, "clock_ntp"),
    ):
        assert code in found(wanted, ManualClock(AFTERNOON, state=state_))
    cache = RosterCache.open(wanted.cache_path)
    cache.note_contact(1, 1)
    cache.close()
    assert "clock_server" in found(wanted, ManualClock(AFTERNOON, state=ClockState.NONE))


CODES = {
    "folder": False, "folder_unwritable": True, "disk": False, "disk_full": True, "journal": False,
    "journal_damaged": True, "journal_aside": True, "reader": False, "reader_down": True, "readers_in_use": False,
    "readers_none": True, "identity": False, "identity_missing": True, "server": False, "server_unreached": True,
    "server_wrong": True, "roster": False, "roster_missing": True, "roster_broken": True, "clock_ntp": False,
    "clock_rtc": False, "clock_server": False, "clock_unset": True, "user_wrong": True, "readers_doubled": True,
    "reader_absent": True, "reader_absent_all": True, "reader_denied": True, "reader_module": True,
    "reader_part": True, "reader_silent": True, "answers_none": True, "ask_without_screen": True, "sounds_wrong": True,
}  # fmt: skip
VALUES = (
    "folder",
    "reason",
    "free_mb",
    "entries",
    "files",
    "name",
    "site",
    "url",
    "status",
    "owner",
    "user",
    "names",
    "device",
    "others",
    "group",
    "modules",
    "reasons",
)


@pytest.mark.parametrize("language", Language)
def test_every_finding_has_a_sentence_and_every_wrong_one_a_remedy(language: Language) -> None:
    words = catalogues()[language]
    for code, is_wrong in CODES.items():
        finding = Finding(code, is_wrong, dict.fromkeys(VALUES, "VALUE"))
        assert len(finding.sentences(words)) == 1 + is_wrong
    in_catalogue = {each.split(".")[1] for each in words.ids if each.startswith("doctor.")}
    assert in_catalogue - set(CODES) == {"line", "well", "wrong"}


def test_somebody_elses_kiosk_is_not_judged_and_nothing_is_left_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = kiosk(tmp_path)
    before = sorted(wanted.data_dir.iterdir())
    monkeypatch.setattr(os, "geteuid", lambda: wanted.data_dir.stat().st_uid + 1)
    assert set(found(wanted)) == {"user_wrong"}
    assert sorted(wanted.data_dir.iterdir()) == before
