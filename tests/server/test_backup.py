"""Backup and restore: whole, openable by its keepers alone, and never at the cost of what was there."""

import errno
import io
import os
import random
import subprocess
import tarfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import msgspec
import pyrage
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Connection, insert, select

from server.backup.archive import MANIFEST, Manifest, pack, unpack
from server.backup.make import SUFFIX, backups_in, make_backup, sqlite_file, sum_of
from server.backup.restore import make_key, open_backup, restore
from server.cli import main
from server.errors import BackupRefused
from server.keys import load_secrets, make_secrets
from server.notify.outbox import TOLD_EARLIER, queue_moved
from server.store.engine import Store, open_store, sqlite_url, using_store
from server.store.ids import new_id
from server.store.tables import delivery, site
from tests.server import factories as make
from tests.server.factories import NOON_MS

HOUR_MS = 3_600_000


@dataclass
class Place:
    """A server's data folder, a folder for backups, and the key of its keeper."""

    data: Path
    folder: Path
    key: Path
    public: str

    def back_up(self, *, keep: int = 30, now_ms: int = NOON_MS) -> Path:
        url = sqlite_url(self.data / "tadaima.db")
        return make_backup(url, self.data, self.folder, recipients=[self.public], keep=keep, now_ms=now_ms).path

    def restore(self, backup: Path, *, replace: bool = False) -> int:
        return restore(backup, self.key, self.data, replace=replace, now_ms=NOON_MS)

    def lose(self) -> None:
        for path in sorted(self.data.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()


@pytest.fixture
def place(migrated_database: Path, tmp_path: Path) -> Place:
    data = tmp_path / "data"
    data.mkdir()
    (data / "tadaima.db").write_bytes(migrated_database.read_bytes())
    make_secrets(data)
    key = tmp_path / "keeper.key"
    return Place(data, tmp_path / "backups", key, make_key(key))


def in_store(place: Place, work: Callable[[Store], object]) -> object:
    with using_store(sqlite_url(place.data / "tadaima.db")) as store:
        return work(store)


def codes(place: Place) -> list[str]:
    with using_store(sqlite_url(place.data / "tadaima.db")) as store, store.read() as conn:
        return sorted(conn.execute(select(site.c.code)).scalars())


def test_what_was_lost_comes_back_with_its_secrets(place: Place) -> None:
    in_store(place, lambda store: make.site(store, code="sakura"))
    secrets = load_secrets(place.data)
    backup = place.back_up()
    place.lose()
    place.restore(backup)
    assert codes(place) == ["sakura"]
    assert load_secrets(place.data) == secrets
    assert (place.data / "tadaima.db").stat().st_mode & 0o077 == 0
    assert not list(place.data.glob(".restore-*"))
    assert not list(place.data.glob(".backup-*"))


def test_a_backup_taken_while_others_write_holds_one_instant(place: Place) -> None:
    """Each transaction makes two sites: a state with an odd number of them never was."""
    stopping = threading.Event()

    def pair(conn: Connection, number: int) -> None:
        for half in "ab":
            code = f"s{number}{half}"
            conn.execute(insert(site).values(id=new_id(), code=code, name=code))

    def write() -> None:
        with using_store(sqlite_url(place.data / "tadaima.db")) as store:
            for number in range(10_000):
                if stopping.is_set():
                    return
                with store.write() as conn:
                    pair(conn, number)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        backups = [place.back_up(now_ms=NOON_MS + number * 1000) for number in range(3)]
    finally:
        stopping.set()
        thread.join()
    for number, backup in enumerate(backups):
        copy = Place(place.data.with_name(f"copy-{number}"), place.folder, place.key, place.public)
        copy.restore(backup)
        assert len(codes(copy)) % 2 == 0
    assert len(codes(place)) > 0


def test_only_the_keeper_can_open_it(place: Place, tmp_path: Path) -> None:
    backup = place.back_up()
    stranger = tmp_path / "stranger.key"
    make_key(stranger)
    for key in (stranger, tmp_path / "none.key", backup):
        with pytest.raises(BackupRefused):
            open_backup(backup, key, tmp_path)


def test_nothing_of_a_backup_can_be_read_without_a_key(place: Place) -> None:
    in_store(place, lambda store: make.site(store, code="sakura", name="さくら児童クラブ"))
    raw = place.back_up().read_bytes()
    assert b"sakura" not in raw
    assert "さくら".encode() not in raw
    assert load_secrets(place.data).uid not in raw


@pytest.mark.parametrize("seed", range(12))
def test_a_backup_that_was_changed_or_cut_is_refused_and_harms_nothing(place: Place, seed: int) -> None:
    in_store(place, lambda store: make.site(store, code="sakura"))
    backup = place.back_up()
    chance, raw = random.Random(seed), bytearray(backup.read_bytes())
    at = chance.randrange(len(raw))
    backup.write_bytes(raw[:at] if seed % 3 == 0 else raw[:at] + bytes([raw[at] ^ 0x40]) + raw[at + 1 :])
    with pytest.raises(BackupRefused):
        place.restore(backup, replace=True)
    assert codes(place) == ["sakura"]


def test_what_is_there_is_not_replaced_unasked_and_is_kept_when_it_is(place: Place) -> None:
    backup = place.back_up()
    in_store(place, lambda store: make.site(store, code="newer"))
    with pytest.raises(BackupRefused, match="--replace"):
        place.restore(backup)
    place.restore(backup, replace=True)
    assert codes(place) == []
    (aside,) = place.data.glob("before-restore-*")
    with using_store(sqlite_url(aside / "tadaima.db")) as store, store.read() as conn:
        assert conn.execute(select(site.c.code)).scalars().all() == ["newer"]
    assert (aside / "secrets" / "uid.key").exists()


def test_a_running_server_is_not_pulled_from_under(place: Place) -> None:
    backup = place.back_up()
    running = open_store(sqlite_url(place.data / "tadaima.db"))
    running.version()
    with pytest.raises(BackupRefused, match="running"):
        place.restore(backup, replace=True)
    running.close()
    place.restore(backup, replace=True)


def test_a_damaged_database_can_be_replaced(place: Place) -> None:
    in_store(place, lambda store: make.site(store, code="sakura"))
    backup = place.back_up()
    (place.data / "tadaima.db").write_bytes(b"no database" * 1000)
    place.restore(backup, replace=True)
    assert codes(place) == ["sakura"]


def test_a_damaged_database_is_not_backed_up_over_good_backups(place: Place) -> None:
    good = place.back_up(keep=1)
    raw = bytearray((place.data / "tadaima.db").read_bytes())
    raw[4096:] = random.Random(1).randbytes(len(raw) - 4096)
    (place.data / "tadaima.db").write_bytes(raw)
    with pytest.raises(BackupRefused):
        place.back_up(keep=1, now_ms=NOON_MS + HOUR_MS)
    assert backups_in(place.folder) == [good]
    assert not list(place.folder.glob(".*"))


@pytest.mark.parametrize("moves_done", range(4))
def test_a_restore_that_cannot_be_finished_puts_everything_back(
    place: Place, monkeypatch: pytest.MonkeyPatch, moves_done: int
) -> None:
    backup = place.back_up()
    in_store(place, lambda store: make.site(store, code="newer"))
    secrets, there = load_secrets(place.data), sorted(place.data.rglob("*"))
    rename, moves = Path.rename, count()

    def full(self: Path, target: Path) -> Path:
        if next(moves) == moves_done:  # only then: the way back works
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        return rename(self, target)

    with monkeypatch.context() as disk:
        disk.setattr(Path, "rename", full)
        with pytest.raises(BackupRefused, match="No space"):
            place.restore(backup, replace=True)
    assert sorted(place.data.rglob("*")) == there
    assert codes(place) == ["newer"]
    assert load_secrets(place.data) == secrets


def test_what_a_backup_that_was_killed_left_is_cleared_away_in_time(place: Place) -> None:
    left = [place.data / ".backup-killed" / "tadaima.db", place.folder / f".backup-x{SUFFIX}.part"]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"a copy in clear")
    a_day_ago_s = NOON_MS / 1000 - 86_401
    os.utime(left[0].parent, (NOON_MS / 1000, NOON_MS / 1000))
    os.utime(left[1], (a_day_ago_s, a_day_ago_s))
    place.back_up()
    assert left[0].exists(), "one that may be running is let be"
    assert not left[1].exists()
    os.utime(left[0].parent, (a_day_ago_s, a_day_ago_s))
    place.back_up(now_ms=NOON_MS + 1000)
    assert not left[0].parent.exists()


def test_one_made_while_the_clock_is_behind_is_not_let_go_at_once(place: Place) -> None:
    place.back_up(keep=1)
    assert place.back_up(keep=1, now_ms=0).exists()


def test_the_newest_are_kept(place: Place) -> None:
    paths = [place.back_up(keep=3, now_ms=NOON_MS + hour * HOUR_MS) for hour in range(5)]
    assert backups_in(place.folder) == paths[2:]


def test_each_backup_has_a_sum_that_the_usual_tool_reads_and_that_goes_with_it(place: Place) -> None:
    for hour in range(3):
        last = place.back_up(keep=2, now_ms=NOON_MS + hour * HOUR_MS)
    assert sorted(place.folder.glob("*.sha256")) == [sum_of(each) for each in backups_in(place.folder)]
    command = ["sha256sum", "--check", "--strict", sum_of(last).name]
    subprocess.run(command, cwd=place.folder, check=True, stdin=subprocess.DEVNULL, capture_output=True)


def test_notices_that_waited_when_it_was_made_are_not_sent_after_it_is_restored(place: Place) -> None:
    def with_a_notice(store: Store) -> None:
        here = make.site(store)
        child = make.child(store, at=here.id)
        make.guardian(store, of=child.id)
        moved = make.movement(store, site_id=here.id, child_id=child.id)
        with store.write() as conn:
            queue_moved(conn, [moved.id], NOON_MS)

    in_store(place, with_a_notice)
    backup = place.back_up()
    place.restore(backup, replace=True)
    with using_store(sqlite_url(place.data / "tadaima.db")) as store:
        assert [(row.state, row.reason) for row in make.rows(store, delivery)] == [("sent", TOLD_EARLIER)]


def test_a_tar_that_points_outside_is_refused(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("untouched")
    for name in ("../victim", "/etc/passwd", "secrets/../../victim", "tadaima.db/x"):
        tarred = tmp_path / "evil.tar.gz"
        listed = Manifest(format=1, made_at_ms=0, app="x", parts={"tadaima.db": "0", name: "0"})
        with tarfile.open(tarred, "w:gz") as tar:
            for member, content in ((MANIFEST, msgspec.json.encode(listed)), (name, b"x"), ("tadaima.db", b"x")):
                info = tarfile.TarInfo(member)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        with pytest.raises(BackupRefused):
            unpack(tarred, tmp_path / "out")
    assert (tmp_path / "victim").read_text() == "untouched"


def test_a_link_in_a_tar_is_no_part(tmp_path: Path) -> None:
    tarred = tmp_path / "evil.tar.gz"
    listed = msgspec.json.encode(Manifest(format=1, made_at_ms=0, app="x", parts={"tadaima.db": "0"}))
    with tarfile.open(tarred, "w:gz") as tar:
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(listed)
        tar.addfile(info, io.BytesIO(listed))
        link = tarfile.TarInfo("tadaima.db")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(BackupRefused):
        unpack(tarred, tmp_path / "out")


def test_a_backup_of_a_later_format_says_so(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"x")
    pack({"tadaima.db": tmp_path / "db"}, tmp_path / "t.tar.gz", made_at_ms=0, app="x")
    raw = (tmp_path / MANIFEST).read_bytes().replace(b'"format":1', b'"format":2')
    (tmp_path / MANIFEST).write_bytes(raw)
    with tarfile.open(tmp_path / "t.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / MANIFEST, MANIFEST)
    with pytest.raises(BackupRefused, match="newer Tadaima"):
        unpack(tmp_path / "t.tar.gz", tmp_path / "out")


def test_another_kind_of_database_has_tools_of_its_own() -> None:
    with pytest.raises(BackupRefused, match="not SQLite"):
        sqlite_file("postgresql+psycopg://tadaima@localhost/tadaima")


def test_a_folder_that_cannot_be_written_is_told(place: Place) -> None:
    place.folder.write_text("a file in the way")
    with pytest.raises(BackupRefused, match="cannot be written"):
        place.back_up()


def command(data: Path, *arguments: str, **settings: str) -> Result:
    pairs = [text for key, value in settings.items() for text in ("--set", f"{key.replace('__', '.')}={value}")]
    return CliRunner().invoke(main, ["--set", f"data_dir={data}", "--set", "languages=en", *pairs, *arguments])


def test_the_commands_lead_from_no_key_to_a_restored_server(tmp_path: Path) -> None:
    data, key, folder = tmp_path / "data", tmp_path / "office.key", tmp_path / "usb"
    assert command(data, "init").exit_code == 0
    assert command(data, "sites", "add", "sakura", "Sakura").exit_code == 0
    assert "backup.folder" in command(data, "backup").output
    assert "backup.recipients" in command(data, "backup", backup__folder=str(folder)).output
    made = command(data, "backup", "key", str(key))
    assert key.stat().st_mode & 0o077 == 0
    public = made.output.split('recipients = ["')[1].split('"')[0]
    assert public.startswith("age1")
    assert "AGE-SECRET" not in made.output
    assert command(data, "backup", "key", str(key)).exit_code == 1, "a key is never overwritten"
    done = command(data, "backup", backup__folder=str(folder), backup__recipients=public)
    assert done.exit_code == 0, done.output
    (backup,) = backups_in(folder)
    assert str(backup) in done.output
    assert "whole" in command(data, "backup", "check", str(backup), "--key", str(key)).output
    elsewhere = tmp_path / "new-machine"
    restored = command(elsewhere, "restore", str(backup), "--key", str(key))
    assert restored.exit_code == 0, restored.output
    assert "sakura" in command(elsewhere, "sites", "list").output


def test_a_backup_can_be_opened_with_other_tools_of_its_format(place: Place) -> None:
    """age is a published format: nobody is tied to this program."""
    raw = place.back_up().read_bytes()
    assert raw.startswith(b"age-encryption.org/v1\n")
    secret = place.key.read_text().splitlines()[1]
    plain = pyrage.decrypt(raw, [pyrage.x25519.Identity.from_str(secret)])
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        assert set(tar.getnames()) >= {MANIFEST, "tadaima.db", "secrets/uid.key"}
