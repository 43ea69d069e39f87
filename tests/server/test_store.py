"""The store: one writer, many readers, and errors that say what to do."""

import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from server.errors import StoreError
from server.store.engine import Store, open_store, sqlite_url
from server.store.ids import new_id
from server.store.tables import kiosk, site
from tests.server import factories as make


def codes(store: Store) -> set[str]:
    with store.read() as conn:
        return set(conn.execute(select(site.c.code)).scalars())


def write_and_fail(store: Store) -> None:
    with suppress(ZeroDivisionError), store.write() as conn:
        conn.execute(insert(site).values(id=new_id(), code="A", name="A"))
        raise ZeroDivisionError


def test_what_is_written_is_read_again(store: Store) -> None:
    make.site(store, code="A")
    assert codes(store) == {"A"}


def test_a_write_that_raises_leaves_nothing(store: Store) -> None:
    write_and_fail(store)
    assert codes(store) == set()


def test_a_reader_sees_one_state_while_another_writes(store: Store) -> None:
    make.site(store, code="A")
    with store.read() as conn:
        before = conn.execute(select(site.c.code)).scalars().all()
        make.site(store, code="B")
        assert conn.execute(select(site.c.code)).scalars().all() == before
    assert codes(store) == {"A", "B"}


def test_writers_in_threads_take_turns_from_reading_to_writing(store: Store) -> None:
    make.site(store, code="A", repeat_window_s=0)

    def count_up() -> None:
        for _ in range(10):
            with store.write() as conn:
                held = conn.execute(select(site.c.repeat_window_s)).scalar_one()
                conn.execute(site.update().values(repeat_window_s=held + 1))

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as conn:
        assert conn.execute(select(site.c.repeat_window_s)).scalar_one() == 40


@pytest.mark.only_sqlite
def test_the_version_changes_with_every_commit_and_only_then(store: Store) -> None:
    first = store.version()
    assert store.version() == first
    make.site(store)
    second = store.version()
    assert second != first
    write_and_fail(store)
    assert store.version() == second


def test_the_version_tells_of_commits_by_another_store(store: Store, store_url: str) -> None:
    first = store.version()
    other = open_store(store_url)
    make.site(other)
    other.close()
    assert store.version() != first


@pytest.mark.only_sqlite
def test_a_version_that_cannot_be_read_is_told_and_read_again_afterwards(store: Store) -> None:
    store.version()
    assert store._watch is not None
    broken: Any = store._watch.connection.driver_connection
    broken.close()
    with pytest.raises(StoreError, match="cannot be used"):
        store.version()
    assert store.version()


def test_a_row_that_refers_to_nothing_is_refused(store: Store) -> None:
    with pytest.raises(IntegrityError):
        make.kiosk(store, site_id=new_id())
    assert make.rows(store, kiosk) == []


@pytest.mark.only_sqlite
def test_every_commit_is_on_disk_before_it_returns(store: Store) -> None:
    with store.read() as conn:
        assert conn.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert conn.execute(text("PRAGMA synchronous")).scalar_one() == 2  # FULL
        assert conn.execute(text("PRAGMA busy_timeout")).scalar_one() == 5000


def refusal(url: str) -> str:
    opened = open_store(url)
    try:
        with pytest.raises(StoreError) as caught, opened.read() as conn:
            conn.execute(select(site))
        return str(caught.value)
    finally:
        opened.close()


def test_an_empty_database_sends_to_init(tmp_path: Path) -> None:
    assert "run tadaima-server init" in refusal(sqlite_url(tmp_path / "empty.db"))


def test_a_missing_folder_sends_to_init(tmp_path: Path) -> None:
    assert "run tadaima-server init" in refusal(sqlite_url(tmp_path / "nowhere" / "tadaima.db"))


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "tadaima.db").write_text("<html>" * 1000)
    assert "restore it from a backup" in refusal(sqlite_url(tmp_path / "tadaima.db"))


@pytest.mark.only_sqlite
def test_a_database_that_another_program_holds_is_told(
    store: Store, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.store.engine.BUSY_TIMEOUT_S", 0.05)
    hasty = open_store(store_url)
    holder = sqlite3.connect(tmp_path / "tadaima.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreError, match="another program"):
            make.site(hasty)
    finally:
        holder.close()
        hasty.close()


def test_a_write_within_a_write_is_refused_and_does_not_hang(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.write():
        monkeypatch.setattr("server.store.engine._WRITE_WAIT_S", 0.05)
        with pytest.raises(StoreError, match="busy"), store.write():
            pass


@pytest.mark.parametrize("url", ["", "nonsense", "nosuch://host/db"])
def test_a_url_nobody_understands_is_told(url: str) -> None:
    with pytest.raises(StoreError, match="database_url"):
        open_store(url)


def test_ids_are_in_the_order_they_were_made() -> None:
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(set(ids))
    assert {len(one) for one in ids} == {36}
