"""Migrations: the database's history gives what the code expects, and any number of processes may bring it there."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text

from bench.postgresql import Cluster
from server.errors import StoreError
from server.store import tables
from server.store.engine import Store, using_store
from server.store.migrations import migrate, require_current
from server.store.tables import metadata
from server.timeline import UNHEARD_MS, TimeSource
from tests.server import factories as make

MIGRATE = """
import sys
from server.store.engine import using_store
from server.store.migrations import migrate
with using_store(sys.argv[1]) as store:
    sys.stdin.readline()
    migrate(store)
"""


def described(conn: Connection) -> dict[str, Any]:
    """Columns with types and defaults, keys, constraints and indexes of every table, as the database tells them."""
    seen = inspect(conn)
    tables = {}
    for name in sorted(set(seen.get_table_names()) - {"alembic_version"}):
        columns = [each | {"type": str(each["type"])} for each in seen.get_columns(name)]
        rules: list[list[Any]] = [
            list(seen.get_foreign_keys(name)),
            list(seen.get_unique_constraints(name)),
            list(seen.get_check_constraints(name)),
            [_in_words(each) for each in seen.get_indexes(name)],
        ]
        ordered = [sorted(map(str, each)) for each in rules]
        tables[name] = (columns, seen.get_pk_constraint(name), ordered)
    return tables


def _in_words(index: Any) -> dict[str, Any]:
    """An index with the text of its condition, if it has one, in place of an object."""
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return {**index, "dialect_options": options}


@pytest.mark.only_sqlite
def test_what_is_in_quarantine_is_found_in_a_database_of_before(empty_url: str) -> None:
    with using_store(empty_url) as store:
        migrate(store, "0004")
        with store.write() as conn:
            conn.execute(text("INSERT INTO site (id, code, name) VALUES ('s', 'A', 'Naka')"))
            columns = "id, site_id, name, key_id, public_key, enrolled_at_ms"
            conn.execute(text(f"INSERT INTO kiosk ({columns}) VALUES ('k', 's', 'Door', 'key', X'00', 0)"))
            columns = "id, kiosk_id, session, seq, kind, line, hash, received_at_ms, quarantined"
            conn.execute(text(f"INSERT INTO entry ({columns}) VALUES ('e', 'k', 'x', 0, '', 'line', 'h', 0, 'why')"))
        migrate(store)
        require_current(store)
        with store.read() as conn:
            found = text("SELECT id FROM entry INDEXED BY ix_entry_quarantined WHERE quarantined IN ('why', 'other')")
            assert conn.execute(found).scalars().all() == ["e"]


def test_an_anchor_of_before_is_worth_what_a_request_of_unknown_length_is_worth(empty_url: str) -> None:
    with using_store(empty_url) as store:
        migrate(store, "0003")
        with store.write() as conn:
            conn.execute(text("INSERT INTO site (id, code, name) VALUES ('s', 'A', 'Naka')"))
            columns = "id, site_id, name, key_id, public_key, enrolled_at_ms, clock_ahead_ms"
            conn.execute(text(f"INSERT INTO kiosk ({columns}) VALUES ('k', 's', 'Door', 'key', '0', 7, -3)"))
            columns = "kiosk_id, boot, boot_ns, server_ms"
            conn.execute(text(f"INSERT INTO anchor ({columns}) VALUES ('k', 'b1', 1, 2), ('k', 'b2', 3, 4)"))
            columns = "session, kiosk_id, boot, through, hash, grown_at_ms"
            conn.execute(text(f"INSERT INTO journal_session ({columns}) VALUES ('x', 'k', 'b1', 0, 'h', 5)"))
            columns = "id, kiosk_id, session, seq, kind, line, hash, received_at_ms"
            conn.execute(text(f"INSERT INTO entry ({columns}) VALUES ('e', 'k', 'x', 0, 'session', 'line', 'h', 6)"))
        migrate(store, "0004")
        migrate(store)
        require_current(store)
        anchors = {
            (row.boot, row.boot_ns, row.server_ms, row.err_ms, row.source) for row in make.rows(store, tables.anchor)
        }
        assert anchors == {("b1", 1, 2, UNHEARD_MS, TimeSource.ANCHOR), ("b2", 3, 4, UNHEARD_MS, TimeSource.ANCHOR)}
        [kiosk] = make.rows(store, tables.kiosk)
        assert (kiosk.enrolled_at_ms, kiosk.clock_ahead_ms) == (7, -3)
        [session] = make.rows(store, tables.journal_session)
        assert (session.through, session.grown_at_ms) == (0, 5)
        [entry] = make.rows(store, tables.entry)
        assert (entry.line, entry.received_at_ms, entry.quarantined) == ("line", 6, None)


def test_a_kiosk_of_before_is_one_machine_whose_boot_is_not_known(empty_url: str) -> None:
    with using_store(empty_url) as store:
        migrate(store, "0005")
        with store.write() as conn:
            conn.execute(text("INSERT INTO site (id, code, name) VALUES ('s', 'A', 'Naka')"))
            columns = "id, site_id, name, key_id, public_key, enrolled_at_ms, heard_at_ms"
            conn.execute(text(f"INSERT INTO kiosk ({columns}) VALUES ('k', 's', 'Door', 'key', '0', 7, 8)"))
        migrate(store)
        require_current(store)
        [kiosk] = make.rows(store, tables.kiosk)
        assert (kiosk.enrolled_at_ms, kiosk.heard_at_ms, kiosk.boot, kiosk.twin_at_ms) == (7, 8, "", None)


def test_the_history_gives_the_tables_the_code_knows(store: Store, empty_url: str) -> None:
    with using_store(empty_url) as other, other.write() as conn:
        metadata.create_all(conn)
        wanted = described(conn)
    with store.read() as conn:
        assert described(conn) == wanted


@pytest.mark.only_sqlite
def test_migrating_again_changes_nothing(store: Store) -> None:
    make.site(store, code="A")
    before = store.version()
    migrate(store)
    migrate(store)
    assert store.version() == before
    require_current(store)


def test_a_site_of_the_first_schema_has_no_pin_and_keeps_its_rows(empty_url: str) -> None:
    with using_store(empty_url) as store:
        migrate(store, "0001")
        with store.write() as conn:
            conn.execute(text("INSERT INTO site (id, code, name, undo_s) VALUES ('s', 'A', 'Naka', 5)"))
            conn.execute(text("INSERT INTO unit (id, site_id, name) VALUES ('u', 's', 'One')"))
        migrate(store)
        require_current(store)
        [site] = make.rows(store, tables.site)
        assert (site.code, site.undo_s, site.staff_pin) == ("A", 5, None)
        assert [unit.site_id for unit in make.rows(store, tables.unit)] == ["s"]


def test_four_processes_at_once_make_one_schema(empty_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", MIGRATE, empty_url],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    assert {process.communicate(timeout=60)[1]: process.returncode for process in processes} == {"": 0}
    with using_store(empty_url) as store:
        require_current(store)
        make.site(store)


def test_a_newer_schema_is_left_alone(empty_url: str) -> None:
    with using_store(empty_url) as store:
        migrate(store)
        with store.write() as conn:
            conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        for use in (migrate, require_current):
            with pytest.raises(StoreError, match="newer version"):
                use(store)


def test_an_empty_database_is_not_current(empty_url: str) -> None:
    with using_store(empty_url) as store, pytest.raises(StoreError, match="tadaima-server init"):
        require_current(store)


def test_a_database_that_holds_no_unicode_is_refused(postgresql: Cluster) -> None:
    """As PostgreSQL makes it where nobody set a language."""
    options = "ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
    with (
        postgresql.empty_database(options) as url,
        using_store(url) as store,
        pytest.raises(StoreError, match="--encoding=UTF8"),
    ):
        migrate(store)
