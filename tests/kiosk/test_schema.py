import sqlite3
import threading
from pathlib import Path

import pytest

from kiosk.database import Damaged, ForeignFile, is_damage, open_database, set_aside
from kiosk.schema import CACHE, JOURNAL, Schema

SCHEMAS = pytest.mark.parametrize("schema", [JOURNAL, CACHE], ids=["journal", "cache"])


def pragma(path: Path, schema: Schema, name: str) -> object:
    with open_database(path, schema) as db:
        return db.execute(f"PRAGMA {name}").fetchone()[0]


@SCHEMAS
def test_a_new_file_says_whose_it_is_and_which_version(tmp_path: Path, schema: Schema) -> None:
    path = tmp_path / "new.db"
    assert pragma(path, schema, "application_id") == schema.application_id
    assert pragma(path, schema, "user_version") == schema.version


@SCHEMAS
def test_the_version_counts_the_migrations(tmp_path: Path, schema: Schema) -> None:
    with open_database(tmp_path / "new.db", schema) as db:
        assert len(schema.migrations.applied(db)) == schema.version
        assert schema.migrations.pending(db) == []


def test_a_journal_connection_is_safe_against_power_cuts(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    full = 2
    assert pragma(path, JOURNAL, "journal_mode") == "wal"
    assert pragma(path, JOURNAL, "synchronous") == full
    assert pragma(path, JOURNAL, "foreign_keys") == 1
    assert pragma(path, JOURNAL, "busy_timeout") == 5000


@SCHEMAS
def test_every_table_is_strict(tmp_path: Path, schema: Schema) -> None:
    with open_database(tmp_path / "new.db", schema) as db:
        tables = [table for table in db.tables if not table.name.startswith(("_", "sqlite_"))]
        assert tables
        assert [table.name for table in tables if not table.strict] == []


def test_an_entry_needs_a_session(tmp_path: Path) -> None:
    with open_database(tmp_path / "journal.db", JOURNAL) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute("INSERT INTO entry VALUES ('none', 0, 1, 1, '{}', 'x')")


def test_an_entry_has_its_place_alone(tmp_path: Path) -> None:
    with open_database(tmp_path / "journal.db", JOURNAL) as db:
        db.execute("INSERT INTO session (id, boot) VALUES ('s', 'b')")
        db.execute("INSERT INTO entry VALUES ('s', 0, 1, 1, '{}', 'x')")
        with pytest.raises(sqlite3.IntegrityError):
            db.execute("INSERT INTO entry VALUES ('s', 0, 2, 2, '{}', 'y')")


def test_opening_again_keeps_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with open_database(path, JOURNAL) as db:
        db.execute("INSERT INTO session (id, boot) VALUES ('s', 'b')")
    with open_database(path, JOURNAL) as db:
        assert db.execute("SELECT id FROM session").fetchall() == [("s",)]


def test_another_programs_file_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    with sqlite3.connect(path) as theirs:
        theirs.execute("CREATE TABLE theirs (x)")
    theirs.close()
    before = path.read_bytes()
    with pytest.raises(ForeignFile):
        open_database(path, JOURNAL)
    assert path.read_bytes() == before


def test_a_journal_is_not_taken_for_a_cache(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    open_database(path, JOURNAL).close()
    with pytest.raises(ForeignFile):
        open_database(path, CACHE)


def test_a_newer_versions_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with open_database(path, JOURNAL) as db:
        db.execute(f"PRAGMA user_version={JOURNAL.version + 1}")
    with pytest.raises(ForeignFile, match="newer"):
        open_database(path, JOURNAL)


def test_many_that_open_a_new_file_at_once_all_succeed(tmp_path: Path) -> None:
    problems: list[BaseException] = []
    together = threading.Barrier(6)

    def open_it(path: Path) -> None:
        together.wait()
        try:
            open_database(path, JOURNAL).close()
        except sqlite3.Error as error:
            problems.append(error)

    for number in range(40):
        threads = [threading.Thread(target=open_it, args=(tmp_path / f"{number}.db",)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert problems == []


def test_damage_is_told_from_other_trouble(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(sqlite3.DatabaseError) as caught:
        open_database(path, JOURNAL)
    assert is_damage(caught.value)
    assert is_damage(Damaged("page 3"))
    assert not is_damage(OSError("disk full"))
    assert not is_damage(ForeignFile("theirs"))


def test_files_set_aside_in_one_second_keep_names_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    asides = []
    for content in (b"one", b"two", b"three"):
        path.write_bytes(content)
        path.with_name("journal.db-wal").write_bytes(content + b" wal")
        asides.append(set_aside(path, 0))
    assert [aside.read_bytes() for aside in asides] == [b"one", b"two", b"three"]
    assert [aside.with_name(aside.name + "-wal").read_bytes() for aside in asides] == [
        b"one wal",
        b"two wal",
        b"three wal",
    ]
    assert not path.exists()
