"""Who uses a file, as a folder like /proc tells while processes open and close others."""

from pathlib import Path

import pytest

from server.doctor import processes
from server.doctor.processes import Process, users_of


def test_a_process_that_closes_other_files_meanwhile_still_uses_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tadaima.db"
    file.touch()
    opened = tmp_path / "proc" / "12" / "fd"
    opened.mkdir(parents=True)
    for number in range(30):
        (opened / str(number)).symlink_to(file if number == 15 else tmp_path / "closed")
    (opened.parent / "cmdline").write_bytes(b"/usr/bin/python3\0/opt/tadaima-server\0dispatch\0")
    (tmp_path / "proc" / "13").mkdir()  # another user's
    monkeypatch.setattr(processes, "_PROC", tmp_path / "proc")
    [process] = users_of(file)
    assert process == Process(12, ("/usr/bin/python3", "/opt/tadaima-server", "dispatch"))
    assert process.name == "tadaima-server"
