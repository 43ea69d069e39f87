from datetime import UTC, datetime
from pathlib import Path

import pytest

from attendance.clock import ManualClock
from kiosk.answer import DoorStatus
from kiosk.door_report import NO_REPORT, SILENT_S, STARTING_S, DoorReport, ReportingDisplay, read_report
from tests.kiosk.sync_parts import kiosk_at, model

NOON = datetime(2026, 11, 24, 3, tzinfo=UTC)


def status(*, readers_down: tuple[str, ...] = (), broken: bool = False, short_of_space: bool = False) -> DoorStatus:
    return DoorStatus(3, 0, connected=True, readers_down=readers_down, broken=broken, short_of_space=short_of_space)


def test_the_sync_process_reads_what_the_door_wrote(tmp_path: Path) -> None:
    display = ReportingDisplay(tmp_path, ManualClock(NOON, boot_ns=7))

    display.status(status())
    display.status(status(readers_down=("camera", "nfc"), broken=True))

    report = read_report(tmp_path)
    assert report == DoorReport(boot_ns=7, readers_down=("camera", "nfc"), broken=True)
    assert report.readers() == {"camera": "down", "nfc": "down"}
    assert report.problems(now_boot_ns=7, since_boot_ns=0) == ("journal_unwritable",)
    assert [file.name for file in tmp_path.iterdir()] == ["door.json"]


def test_a_disk_that_is_nearly_full_is_told_and_needs_no_paper(tmp_path: Path) -> None:
    ReportingDisplay(tmp_path, ManualClock(NOON, boot_ns=7)).status(status(short_of_space=True))
    assert read_report(tmp_path).problems(now_boot_ns=7, since_boot_ns=0) == ("disk_full",)


def test_a_door_that_has_not_written_for_a_while_is_silent(tmp_path: Path) -> None:
    written_ns, since_ns = round(STARTING_S * 1e9), 0
    report = DoorReport(boot_ns=written_ns, readers_down=(), broken=False)

    assert report.problems(written_ns + round(SILENT_S * 1e9), since_ns) == ()
    assert report.problems(written_ns + round(SILENT_S * 1e9) + 1, since_ns) == ("door_silent",)


def test_a_door_is_given_time_to_start_before_staff_are_told() -> None:
    since_ns = 40 * 10**9

    assert NO_REPORT.problems(since_ns + round(STARTING_S * 1e9), since_ns) == ()
    assert NO_REPORT.problems(since_ns + round(STARTING_S * 1e9) + 1, since_ns) == ("door_silent",)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[1]", b'{"boot_ns": "soon"}'])
def test_a_door_whose_word_cannot_be_read_is_silent(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "door.json").write_bytes(content)

    assert read_report(tmp_path) == NO_REPORT == read_report(tmp_path / "nowhere")
    assert NO_REPORT.problems(now_boot_ns=10**12, since_boot_ns=0) == ("door_silent",)


def test_a_folder_that_is_gone_is_a_fault_told_once_and_mends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    display = ReportingDisplay(tmp_path / "run", ManualClock(NOON))

    display.status(status())
    display.status(status())
    (tmp_path / "run").mkdir()
    display.status(status())

    assert len(caplog.records) == 1
    assert read_report(tmp_path / "run") != NO_REPORT


def test_the_server_is_told_of_readers_that_do_not_answer(tmp_path: Path) -> None:
    with model() as server, kiosk_at(tmp_path, server.url) as kiosk:
        (tmp_path / "run").mkdir(exist_ok=True)
        ReportingDisplay(tmp_path / "run", kiosk.clock).status(status(readers_down=("camera",), broken=True))

        kiosk.sync.step()

    assert server.offers[-1].health.readers == {"camera": "down"}
    assert "journal_unwritable" in server.offers[-1].health.problems
