"""What the kiosk's doctor says of real disks that are full, read-only, not ours or dead, and of no network at all."""

import subprocess
import sys
from pathlib import Path

from kiosk.errors import JournalError
from tests.kiosk.doctor_parts import examined, house, settings, wrong_of
from tests.kiosk.enrolled import enrol
from tests.kiosk.sync_parts import moved
from tests.model_server import ModelServer
from tests.reliability.real_disks import Ext4, fill, run, tmpfs


def test_a_small_disk_that_is_full_is_told_and_the_ballast_that_went(tmp_path: Path) -> None:
    with (
        tmpfs(tmp_path / "disk", files=100, size_mb=60) as disk,
        ModelServer() as server,
        house(tmp_path, server, data_dir=disk / "data") as kiosk,
    ):
        assert kiosk.wrong() == {"disk_full"}, "60 MB are too little from the start"
        fill(disk / "filler")
        for _ in range(100):
            kiosk.journal.append(moved())
        kiosk.step()
        kiosk.step()
        fill(disk / "more")
        findings = kiosk.findings()
        assert wrong_of(findings) == {"disk_full", "ballast_gone"}
        assert findings["disk_full"].values == {"free_mb": 0}


def test_a_disk_without_inodes_is_told(tmp_path: Path) -> None:
    with (
        tmpfs(tmp_path / "disk", files=20) as disk,
        ModelServer() as server,
        house(tmp_path, server, data_dir=disk / "data") as kiosk,
    ):
        number = 0
        while True:
            try:
                (disk / f"file-{number}").touch()
            except OSError:
                break
            number += 1
        assert {"files_full"} <= kiosk.wrong()
        assert "folder" not in kiosk.findings()


def test_a_disk_that_may_not_be_written_is_told_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    with Ext4(tmp_path) as ext4, ModelServer() as server:
        with house(tmp_path, server, data_dir=ext4.folder / "data", door_runs=False) as kiosk:
            kiosk.let_go()
            kiosk.cache.close()
        ext4.remount("ro")
        findings = examined(kiosk.settings, kiosk.clock)
        assert "folder_readonly" in wrong_of(findings)
        assert {"identity", "clock_ntp"} <= set(findings)
        assert "doctor_fault" not in findings
        ext4.remount("rw")
        assert "folder" in examined(kiosk.settings, kiosk.clock)


def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    with Ext4(tmp_path) as ext4:
        enrol(ext4.folder / "data")
        wanted = settings(tmp_path, data_dir=ext4.folder / "data")
        run("chattr", "+i", wanted.data_dir)
        assert "folder_denied" in wrong_of(examined(wanted))
        run("chattr", "-i", wanted.data_dir)
        assert "folder" in examined(wanted)


def test_a_disk_that_died_is_told_as_what_it_is(tmp_path: Path) -> None:
    with (
        Ext4(tmp_path) as ext4,
        ModelServer() as server,
        house(tmp_path, server, data_dir=ext4.folder / "data") as kiosk,
    ):
        ext4.cut_power()
        try:
            kiosk.journal.append(moved())
        except JournalError:
            kiosk.report(broken=True)
        findings = kiosk.findings()
        assert {"disk_failing", "door_broken"} <= wrong_of(findings)
        assert "doctor_fault" not in findings
        assert "server" in findings or "identity_broken" in findings


def test_a_machine_without_any_network_is_told(tmp_path: Path) -> None:
    enrol(tmp_path / "data", server_url="http://192.0.2.1")
    said = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", "from kiosk.cli import main; main()", "doctor"]
        + [f"--set={pair}" for pair in (f"data_dir={tmp_path}/data", f"runtime_dir={tmp_path}/run", "language=en")],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert said.returncode == 1, said.stderr
    assert "There is no network (no way to http://192.0.2.1)" in said.stdout
