"""The doctor finds a disk that is full, read-only or without inodes, and another's folder; on real filesystems."""

import os
from pathlib import Path

from server.keys import make_secrets
from server.store.engine import sqlite_url, using_store
from server.store.migrations import migrate
from tests.reliability.real_disks import fill, run, tmpfs
from tests.server.doctor_parts import found, wrong


def set_up(folder: Path) -> None:
    make_secrets(folder)
    with using_store(sqlite_url(folder / "tadaima.db")) as store:
        migrate(store)


def test_a_full_disk(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", files=100) as folder:
        set_up(folder)
        assert "folder" in found(folder)
        fill(folder / "filler")
        seen = found(folder)
        assert seen["folder_unwritable"].values["reason"] == os.strerror(28)
        assert seen["disk_full"].values == {"free_mb": 0}


def test_a_disk_that_became_read_only(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", files=100) as folder:
        set_up(folder)
        run("mount", "-o", "remount,ro", folder)
        seen = found(folder)
        assert "folder_read_only" in wrong(seen)
        assert {"database_unwritable", "database_damaged"} & wrong(seen)


def test_a_disk_without_inodes(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", files=12) as folder:
        set_up(folder)
        for number in range(12 - len(list(folder.rglob("*"))) - 1):
            (folder / str(number)).touch()
        seen = found(folder)
        assert seen["disk_no_files"].values == {"free": 0, "folder": folder}
        assert "folder_unwritable" in wrong(seen)


def test_the_folder_of_another_user(folder: Path) -> None:
    os.chown(folder, 65534, -1)
    seen = found(folder)
    assert wrong(seen) == seen.keys() == {"user_wrong"}
