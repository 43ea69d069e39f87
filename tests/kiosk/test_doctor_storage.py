"""What the doctor says of a disk that is full, may not be written, or fails: on a filesystem of our own.

The same on real filesystems, as root only: tests/reliability/test_doctor_on_disks.py.
"""

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from attendance.finding import Finding
from bench.faulty_disk.faults import CHANGES, SYNCS, Fail
from bench.faulty_disk.mount import FaultyDisk, faulty_disk
from kiosk.config import KioskSettings
from kiosk.doctor.storage import check_storage
from kiosk.errors import JournalError
from tests.kiosk.doctor_parts import examined, house, settings, wrong_of
from tests.kiosk.sync_parts import moved
from tests.model_server import ModelServer

FAILING = [
    (Fail(SYNCS, errno.EIO), "disk_failing"),
    (Fail(("sync",), errno.EIO), "disk_failing"),
    (Fail(("sync_folder",), errno.EIO), "disk_failing"),
    (Fail(("write",), errno.EIO), "disk_failing"),
    (Fail(CHANGES, errno.EROFS), "folder_readonly"),
    (Fail(CHANGES, errno.EACCES), "folder_denied"),
    (Fail(("write",), errno.EDQUOT), "disk_no_room"),
]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FaultyDisk]:
    with faulty_disk(tmp_path) as mounted:
        yield mounted


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def on(disk: FaultyDisk) -> KioskSettings:
    return settings(disk.folder.parent, data_dir=disk.folder)


def found(wanted: KioskSettings) -> dict[str, Finding]:
    return {finding.code: finding for finding in check_storage(wanted)}


@pytest.mark.parametrize(("fault", "code"), FAILING)
def test_a_disk_that_fails_is_told_by_how_it_fails(disk: FaultyDisk, fault: Fail, code: str) -> None:
    assert wrong_of(found(on(disk))) == set()
    disk.fail(fault)
    assert wrong_of(found(on(disk))) == {code}
    assert list(disk.folder.iterdir()) == [], "nothing is left there, whatever failed"
    disk.heal()
    assert wrong_of(found(on(disk))) == set()


def test_a_full_disk_is_told_with_what_is_left(disk: FaultyDisk) -> None:
    disk.hold(size_bytes=100_000_000)
    findings = found(on(disk))
    assert findings["disk_full"].values == {"free_mb": 99} or findings["disk_full"].values == {"free_mb": 100}
    assert set(findings) == {"disk_full", "folder"}, "it can be written still"
    disk.hold(size_bytes=0)
    assert set(found(on(disk))) == {"disk_full"}, "that nothing fits needs no second word"


def test_a_disk_without_inodes_is_told_even_with_room(disk: FaultyDisk) -> None:
    disk.hold(files=1)
    assert set(found(on(disk))) == {"files_full"}


def test_the_whole_examination_goes_on_over_a_disk_that_fails(
    disk: FaultyDisk, server: ModelServer, tmp_path: Path
) -> None:
    with house(tmp_path, server, data_dir=disk.folder) as kiosk:
        assert kiosk.wrong() == set()
        disk.fail(Fail(SYNCS, errno.EIO))
        with pytest.raises(JournalError):
            kiosk.journal.append(moved())
        kiosk.report(broken=True)
        assert kiosk.wrong() == {"disk_failing", "door_broken"}
        disk.heal()


def test_a_folder_that_is_not_there_and_one_that_is_no_folder_are_told(tmp_path: Path) -> None:
    assert set(found(settings(tmp_path))) == {"folder_missing"}
    (tmp_path / "data").touch()
    assert "folder_missing" in found(settings(tmp_path))


def test_ballast_that_is_gone_or_short_is_told(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        ballast = kiosk.settings.data_dir / "ballast"
        with ballast.open("r+b") as file:
            file.truncate(1000)
        assert kiosk.wrong() == {"ballast_short"}
        ballast.unlink()
        assert kiosk.wrong() == {"ballast_gone"}
        with ballast.open("wb") as file:
            file.truncate(4_000_000)
        assert kiosk.wrong() == {"ballast_short"}, "a hole holds no space"
        ballast.unlink()
        kiosk.journal.lay_ballast()
        assert kiosk.wrong() == set()


def test_a_kiosk_that_has_no_journal_yet_needs_no_ballast(tmp_path: Path) -> None:
    wanted = settings(tmp_path)
    wanted.data_dir.mkdir()
    assert {"ballast_gone", "ballast_short"}.isdisjoint(examined(wanted))
