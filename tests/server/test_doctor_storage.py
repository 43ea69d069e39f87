"""The doctor finds what is wrong with folder, secrets and database, each brought about for real."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from server.doctor import database
from server.doctor import folder as of_folder
from server.store.engine import Store, open_store, sqlite_url, using_store
from server.store.migrations import migrate
from tests.server import factories as make
from tests.server.doctor_parts import found, wrong
from tests.server.smtp_servers import hanging_server, port_of_nobody

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
connection.close()
"""


@contextmanager
def held_by_another(file: Path) -> Iterator[int]:
    """Another process keeps the write lock; its number."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process.pid


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    assert "folder_missing" in wrong(found(tmp_path / "nowhere"))
    (tmp_path / "file").touch()
    assert "folder_unwritable" in wrong(found(tmp_path / "file"))


def test_secrets_that_others_can_read(folder: Path) -> None:
    (folder / "secrets" / "uid.key").chmod(0o644)
    assert found(folder)["secrets_open"].values == {"files": "uid.key"}


def test_secrets_that_are_missing_damaged_or_not_to_be_read(folder: Path) -> None:
    key = folder / "secrets" / "uid.key"
    key.write_bytes(b"short")
    assert "secrets_damaged" in wrong(found(folder))
    key.unlink()
    assert "secrets_missing" in wrong(found(folder))
    key.mkdir()
    assert "secrets_unreadable" in wrong(found(folder))


def test_a_database_that_is_missing(folder: Path, store: Store) -> None:
    store.close()
    for path in folder.glob("tadaima.db*"):
        path.unlink()
    assert wrong(found(folder)) == {"database_missing"}


def test_a_database_with_damaged_pages(folder: Path, store: Store) -> None:
    for _ in range(200):
        make.site(store)
    store.close()
    raw = bytearray((folder / "tadaima.db").read_bytes())
    for page in range(20, len(raw) // 4096):
        raw[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    (folder / "tadaima.db").write_bytes(raw)
    seen = found(folder)
    assert "database_damaged" in wrong(seen)
    assert "backup_none" in seen, "it goes on"


def test_a_file_that_is_no_database(folder: Path, store: Store) -> None:
    store.close()
    (folder / "tadaima.db").write_bytes(b"not a database at all" * 500)
    assert "database_damaged" in wrong(found(folder))


def test_an_index_that_differs_from_its_table_is_found_by_the_full_examination(folder: Path, store: Store) -> None:
    for _ in range(5):
        make.site(store)
    store.close()
    connection = sqlite3.connect(folder / "tadaima.db", isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(
        "UPDATE sqlite_schema SET sql = 'CREATE INDEX ix_kiosk_twin ON kiosk (name)' WHERE name = 'ix_nonce_seen_at_ms'"
    )
    connection.close()
    assert "database_damaged" in wrong(found(folder, full=True))


def test_rows_whose_other_row_is_gone_are_found_by_the_full_examination(folder: Path, store: Store) -> None:
    door = make.kiosk(store)
    store.close()
    connection = sqlite3.connect(folder / "tadaima.db", isolation_level=None)
    connection.execute("DELETE FROM site WHERE id = ?", (door.site_id,))
    connection.close()
    assert found(folder, full=True)["database_orphans"].values == {"tables": "kiosk"}


def test_a_database_that_left_the_mode_that_survives_power_cuts_is_told_of_and_left(folder: Path, store: Store) -> None:
    store.close()
    connection = sqlite3.connect(folder / "tadaima.db")
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    for _ in range(2):
        assert wrong(found(folder)) == {"database_not_wal"}


def test_a_database_that_another_program_holds(folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LOCK_WAIT_S", 0.1)
    store.close()
    with held_by_another(folder / "tadaima.db") as pid:
        seen = found(folder)
    assert wrong(seen) == {"database_locked"}
    assert f"({pid})" in str(seen["database_locked"].values["by"])
    assert "dispatcher_missing" in seen, "whoever has the file open need not be the dispatcher"
    assert "database_locked" not in found(folder)


def test_a_database_that_another_program_keeps_for_itself(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOCK_WAIT_S", 0.1)
    store.close()
    alone = sqlite3.connect(folder / "tadaima.db", isolation_level=None)
    alone.execute("PRAGMA locking_mode = EXCLUSIVE")
    alone.execute("BEGIN IMMEDIATE")
    alone.execute("COMMIT")
    assert "database_locked" in wrong(found(folder))
    alone.close()


def test_a_database_of_an_older_or_newer_version(folder: Path, store: Store) -> None:
    store.close()
    with using_store(sqlite_url(folder / "older" / "tadaima.db")) as older:
        (folder / "older").mkdir()
        migrate(older, "+1")
    assert "database_older" in wrong(found(folder, database_url=sqlite_url(folder / "older" / "tadaima.db")))
    with using_store(sqlite_url(folder / "tadaima.db")) as newer, newer.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert wrong(found(folder)) == {"database_newer"}


def test_a_large_database_is_read_for_a_while_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "READ_S", -1.0)
    monkeypatch.setattr(database, "_STEPS", 1)
    seen = found(folder)
    assert "database_large" in seen
    assert not wrong(seen)
    assert "database" in found(folder, full=True)


def test_postgresql_that_is_not_there_or_does_not_answer(folder: Path) -> None:
    url = "postgresql+psycopg://tadaima@127.0.0.1:{port}/tadaima"
    seen = found(folder, database_url=url.format(port=port_of_nobody()))
    assert wrong(seen) == {"database_unreached"}
    assert "\n" not in str(seen["database_unreached"].values["reason"])
    with hanging_server() as port:
        assert wrong(found(folder, database_url=url.format(port=port) + "?connect_timeout=2")) == {"database_unreached"}


def test_a_database_url_that_nobody_understands(folder: Path) -> None:
    for url in ("nonsense", "sqlite:nonsense", "oracle://nobody"):
        assert "database_unreached" in wrong(found(folder, database_url=url))


def test_a_disk_that_is_nearly_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_folder, "FREE_MIN_MB", 0)
    assert not found(folder)["disk"].wrong
    monkeypatch.setattr(of_folder, "FREE_MIN_MB", 10**12)
    assert found(folder)["disk_full"].wrong


def test_a_store_opened_to_read_takes_no_writes(folder: Path, store: Store) -> None:
    make.site(store)
    reading = open_store(sqlite_url(folder / "tadaima.db"), read_only=True)
    with pytest.raises(Exception, match="only be read"):
        make.site(reading)
    reading.close()
