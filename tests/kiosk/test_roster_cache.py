import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlite_utils import Database

from attendance.policy import Policy, WayMode
from attendance.records import Direction, Head
from attendance.roster import Animal
from attendance.wire import Heard, StateResponse
from kiosk import roster_cache
from kiosk.database import empty_database, open_database
from kiosk.errors import CacheError
from kiosk.roster_cache import Contact, RosterCache
from kiosk.schema import CACHE, Disposable, Schema
from tests.kiosk.door_parts import (
    BOOT,
    HANA,
    HANAS_TOKEN,
    HOLDERS,
    NAMES_KEY,
    OTHER_BOOT,
    STRANGE_TOKEN,
    TAROS_TOKEN,
    holder,
    presence,
    roster,
    state,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


@pytest.fixture
def cache(path: Path) -> Iterator[RosterCache]:
    opened = RosterCache.open(path, boot=BOOT)
    yield opened
    opened.close()


@pytest.fixture
def reader(path: Path) -> Iterator[RosterCache]:
    opened = RosterCache.open(path, boot=BOOT, read_only=True)
    yield opened
    opened.close()


def test_a_cache_whose_writer_died_before_it_had_made_it_is_empty_until_it_is_there(
    path: Path, reader: RosterCache
) -> None:
    path.touch()
    assert reader.versions() == ("", "")
    with closing(RosterCache.open(path, boot=BOOT)) as cache:
        cache.store_state(state())
    assert reader.holder(HANA) is not None


def test_a_door_opens_on_a_cache_that_is_not_made_yet(path: Path) -> None:
    path.touch()
    with closing(RosterCache.open(path, boot=BOOT, read_only=True)) as reader:
        assert reader.find(HANAS_TOKEN.ref) is None


def test_a_new_cache_knows_nobody_and_has_the_rules_of_a_new_site(cache: RosterCache) -> None:
    assert cache.find(HANAS_TOKEN.ref) is None
    assert cache.holder(HANA) is None
    assert cache.policy() == Policy()
    assert cache.presence() is None
    assert cache.sealed_names() is None
    assert cache.versions() == ("", "")
    assert cache.contact() is None
    assert cache.acks() == []


def test_what_the_server_told_is_found_again(cache: RosterCache) -> None:
    told = state(policy=Policy(way=WayMode.ASK), presence_part=presence())
    cache.store_state(told)
    assert cache.find(HANAS_TOKEN.ref) == HOLDERS[0]
    assert cache.holder(HANA) == HOLDERS[0]
    assert cache.find(STRANGE_TOKEN.ref) is None
    assert cache.policy() == told.policy
    assert cache.presence() == told.presence
    assert told.roster is not None
    assert cache.sealed_names() == told.roster.names
    assert cache.versions() == ("r1", "p1")


def test_every_child_of_the_roster_is_listed_with_its_mark(cache: RosterCache) -> None:
    assert cache.marks() == {}
    cache.store_state(state())
    assert cache.marks() == {each.child: each.mark for each in HOLDERS}


def test_parts_that_are_not_news_stay_as_they_are(cache: RosterCache) -> None:
    cache.store_state(state(presence_part=presence()))
    cache.store_state(StateResponse(policy=Policy(undo_s=3), names_key=NAMES_KEY))
    assert cache.policy().undo_s == 3
    assert cache.versions() == ("r1", "p1")
    assert cache.find(HANAS_TOKEN.ref) is not None


def test_a_new_roster_replaces_the_old_one_whole(cache: RosterCache) -> None:
    cache.store_state(state())
    cache.store_state(state(roster_part=roster(version="r2", holders=(holder(token=TAROS_TOKEN, animal=Animal.OWL),))))
    assert cache.find(HANAS_TOKEN.ref) is None
    found = cache.find(TAROS_TOKEN.ref)
    assert found is not None
    assert (found.child, found.mark.animal) == (HANA, Animal.OWL)


def test_a_roster_that_contradicts_itself_changes_nothing(cache: RosterCache) -> None:
    cache.store_state(state())
    doubled = (holder(), holder("another", HANAS_TOKEN))
    with pytest.raises(CacheError):
        cache.store_state(state(policy=Policy(undo_s=1), roster_part=roster(version="r2", holders=doubled)))
    assert cache.versions()[0] == "r1"
    assert cache.policy() == Policy()
    assert cache.holder("another") is None


def test_the_names_key_is_not_kept(cache: RosterCache, path: Path) -> None:
    cache.store_state(state())
    cache.close()
    assert NAMES_KEY not in b"".join(part.read_bytes() for part in path.parent.iterdir())


def test_the_door_sees_what_sync_stores(cache: RosterCache, reader: RosterCache) -> None:
    assert reader.find(HANAS_TOKEN.ref) is None
    cache.store_state(state(policy=Policy(undo_s=4)))
    assert reader.find(HANAS_TOKEN.ref) == HOLDERS[0]
    assert reader.policy().undo_s == 4
    cache.store_state(state(policy=Policy(undo_s=5)))
    assert reader.policy().undo_s == 5


def test_a_reader_of_a_cache_that_is_not_there_is_empty_and_makes_none(reader: RosterCache, path: Path) -> None:
    assert reader.find(HANAS_TOKEN.ref) is None
    assert not path.exists()


def test_a_reader_cannot_write(cache: RosterCache, reader: RosterCache) -> None:
    with pytest.raises(CacheError):
        reader.store_state(state())
    assert cache.versions() == ("", "")


def test_a_contact_holds_for_its_boot_only(cache: RosterCache, path: Path) -> None:
    cache.note_contact(5, 1000)
    cache.note_contact(7, 2000)
    assert cache.contact() == Contact(7, 2000)
    other = RosterCache.open(path, boot=OTHER_BOOT)
    assert other.contact() is None
    other.note_contact(1, 3000)
    assert other.contacts() == {BOOT: Contact(7, 2000), OTHER_BOOT: Contact(1, 3000)}
    other.close()


def test_contacts_of_the_newest_boots_are_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.roster_cache.CONTACTS_KEPT", 3)
    for boot in "abcde":
        cache = RosterCache.open(path, boot=boot)
        for ms in range(10):
            cache.note_contact(1, ms)
        kept = set(cache.contacts())
        cache.close()
    assert kept == {"c", "d", "e"}


def test_an_answer_is_kept_of_each_boot_as_long_as_its_contact(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.roster_cache.CONTACTS_KEPT", 2)
    for ms, boot in enumerate("abc"):
        cache = RosterCache.open(path, boot=boot)
        cache.note_contact(5, 1, Heard(4, 6, 1))
        cache.note_contact(7, ms, Heard(6, 8, ms))
        cache.note_contact(9, ms)
        kept = {each: cache.heard(each) for each in "abc"}
        cache.close()
    assert kept == {"a": None, "b": Heard(6, 8, 1), "c": Heard(6, 8, 2)}


def filled(path: Path) -> None:
    """A cache that has been in use."""
    with closing(RosterCache.open(path, boot=BOOT)) as cache:
        cache.store_state(state(presence_part=presence()))
        cache.note_contact(7, 2000, Heard(6, 8, 2000))
        cache.store_acks([Head("a", 5, "z")])
        cache.store_acks([Head("a", 3, "x")])


def make_older(path: Path) -> None:
    """As it was before answers were kept."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DROP TABLE heard")
        db.execute("DELETE FROM _sqlite_migrations WHERE name LIKE '3 %'")
        db.execute("PRAGMA user_version = 2")


def make_newer(path: Path, *statements: str) -> None:
    """As a version after this one may leave it."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE portrait (child TEXT NOT NULL REFERENCES holder (child), face TEXT NOT NULL)")
        db.execute("INSERT INTO portrait VALUES (?, 'round')", (HANA,))
        db.execute("CREATE VIEW seen AS SELECT * FROM portrait")
        db.execute("ALTER TABLE holder ADD COLUMN height_cm INTEGER NOT NULL DEFAULT 120")
        for statement in statements:
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {CACHE.version + 1}")


@pytest.mark.parametrize("make", [make_older, make_newer])
def test_a_door_reads_a_cache_that_sync_can_bring_to_no_other_version(path: Path, make: Callable[[Path], None]) -> None:
    filled(path)
    make(path)
    before = path.read_bytes()
    with closing(RosterCache.open(path, boot=BOOT, read_only=True)) as reader:
        assert reader.find(HANAS_TOKEN.ref) == HOLDERS[0]
        assert reader.marks().keys() == {each.child for each in HOLDERS}
        assert (reader.policy(), reader.presence()) == (Policy(), presence())
        assert reader.sealed_names() is not None
        assert reader.contacts() == {BOOT: Contact(7, 2000)}
        assert (reader.acks(), reader.all_told()) == ([Head("a", 3, "x")], {"a": 5})
    assert path.read_bytes() == before


def test_a_cache_too_old_for_what_is_asked_of_it_waits_for_sync(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 1")
    with pytest.raises(CacheError, match="their writer has not brought them up to date"):
        RosterCache.open(path, boot=BOOT, read_only=True)


def test_a_newer_cache_is_brought_back_with_all_it_holds_and_its_roster_is_fetched_again(path: Path) -> None:
    filled(path)
    make_newer(path)
    with closing(RosterCache.open(path, boot=BOOT, read_only=True)) as door:
        with closing(RosterCache.open(path, boot=BOOT)) as cache:
            assert (cache.acks(), cache.told("a")) == ([Head("a", 3, "x")], 5)
            assert (cache.contact(), cache.heard(BOOT)) == (Contact(7, 2000), Heard(6, 8, 2000))
            assert cache.versions() == ("brought back", "brought back")
            assert door.find(HANAS_TOKEN.ref) == HOLDERS[0], "a door that has it open goes on"
            cache.store_state(state())
            assert cache.versions()[0] == "r1"
        assert door.find(HANAS_TOKEN.ref) == HOLDERS[0]
    with closing(open_database(path, CACHE)) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == CACHE.version
        assert db.execute("PRAGMA foreign_keys").fetchone()[0] == 1
        assert {"portrait", "seen"}.isdisjoint([*db.table_names(), *db.view_names()])


def test_what_a_newer_cache_keeps_otherwise_begins_empty_and_costs_nothing_else(path: Path) -> None:
    filled(path)
    make_newer(
        path,
        "ALTER TABLE card RENAME TO token",
        "DROP TABLE heard",
        "CREATE TABLE heard (boot, asked_ns, answered_ns, time_ms)",
        "INSERT INTO heard VALUES ('b', NULL, 'soon', 1), ('c', 6, 8, 3000)",
    )
    with closing(RosterCache.open(path, boot=BOOT)) as cache:
        assert cache.find(HANAS_TOKEN.ref) is None
        assert cache.holder(HANA) is not None
        assert (cache.heard("b"), cache.heard("c")) == (None, Heard(6, 8, 3000))
        assert cache.told("a") == 5


def test_a_newer_cache_that_cannot_be_brought_back_stays_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path)
    make_newer(path)
    with monkeypatch.context() as full:
        full.setattr(roster_cache, "CACHE", replace(CACHE, disposable=Disposable(2, "INSERT INTO none VALUES (1)")))
        with pytest.raises(CacheError):
            RosterCache.open(path, boot=BOOT)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (CACHE.version + 1,)
        assert db.execute("SELECT face FROM seen").fetchall() == [("round",)]


def test_a_cache_from_before_answers_were_kept_goes_on_with_what_it_knows(path: Path) -> None:
    filled(path)
    make_older(path)
    after = RosterCache.open(path, boot=BOOT)
    assert after.contact() == Contact(7, 2000)
    assert after.heard(BOOT) is None
    assert after.find(HANAS_TOKEN.ref) is not None
    after.note_contact(8, 3000, Heard(7, 9, 3000))
    assert after.heard(BOOT) == Heard(7, 9, 3000)
    after.close()


def test_acknowledgements_are_kept_by_session_and_can_be_forgotten(cache: RosterCache) -> None:
    cache.store_acks([Head("a", 3, "x"), Head("b", 1, "y")])
    cache.store_acks([Head("a", 2, "w")])
    assert cache.acks() == [Head("a", 2, "w"), Head("b", 1, "y")]
    cache.store_acks([], forget=["a"])
    assert cache.acks() == [Head("b", 1, "y")]


def test_what_was_ever_acknowledged_is_remembered_until_its_session_is_let_go(cache: RosterCache) -> None:
    cache.store_acks([Head("a", 3, "x")])
    cache.store_acks([Head("a", 2, "w")])
    assert cache.told("a") == 3
    cache.store_acks([], forget=["a"])
    assert cache.told("a") == 3
    cache.store_acks([Head("a", 5, "z")])
    assert cache.told("a") == 5
    assert cache.told("b") == -1
    cache.drop_acks(["a"])
    assert cache.told("a") == -1


def test_a_damaged_cache_is_made_anew_and_its_reader_follows(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(CacheError):
        RosterCache.open(path, boot=BOOT, read_only=True)
    cache = RosterCache.open(path, boot=BOOT)
    reader = RosterCache.open(path, boot=BOOT, read_only=True)
    cache.store_state(state())
    assert reader.versions() == ("r1", "")
    assert "made anew" in caplog.text
    reader.close()
    cache.close()


def test_a_wiped_kiosk_knows_nobody_but_keeps_its_rules(cache: RosterCache, path: Path) -> None:
    card = HANAS_TOKEN.ref.card_hash
    cache.store_state(state(policy=Policy(undo_s=4), presence_part=presence()))
    cache.wipe_people()
    assert cache.versions() == ("", "")
    assert cache.sealed_names() is None
    assert cache.presence() is None
    assert cache.policy().undo_s == 4
    assert card.encode() not in b"".join(part.read_bytes() for part in path.parent.iterdir())


def test_a_folder_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CacheError):
        RosterCache.open(tmp_path / "file" / "cache.db", boot=BOOT)


def test_directions_of_the_presence_are_kept(cache: RosterCache) -> None:
    from attendance.presence import Movement

    cache.store_state(state(presence_part=presence(Movement("s:1", HANA, Direction.EXIT, 5))))
    told = cache.presence()
    assert told is not None
    assert told.movements[0].direction is Direction.EXIT


def test_a_cache_made_at_the_very_moment_a_door_looks_for_it_is_seen(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(schema: Schema) -> Database:
        writer = RosterCache.open(path, boot=BOOT)
        writer.store_state(state())
        writer.close()
        return empty_database(schema)

    with monkeypatch.context() as moment:
        moment.setattr(roster_cache, "empty_database", overtaken)
        door = RosterCache.open(path, boot=BOOT, read_only=True)
    assert door.find(HANAS_TOKEN.ref) is not None
    door.close()
