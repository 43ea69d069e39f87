"""The tables of a kiosk's two SQLite files, as migrations: `journal.db`, the record, and `cache.db`, disposable."""

from dataclasses import dataclass

from sqlite_utils import Database, Migrations


@dataclass(frozen=True, slots=True)
class Disposable:
    """What holds for a file that can be fetched again, so that no version of it stands in anybody's way."""

    read_from: int
    """The oldest version that has all that readers ask for; they take this, every later one, and newer ones too."""
    brought_back: str
    """The statement that follows once the writer has brought a newer file back: what was kept is fetched again."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What makes a SQLite file one of ours; `version` counts the migrations."""

    application_id: int
    migrations: Migrations
    version: int
    synchronous: str
    """FULL where an acknowledgement rests on the file, NORMAL where the file can be made again."""
    disposable: Disposable | None = None
    """None for a file that is read and written at its own version alone."""


_journal = Migrations("journal")
_cache = Migrations("cache")


@_journal(name="1 sessions and entries")
def _journal_1(db: Database) -> None:
    db.table("session").create({"id": str, "boot": str}, pk="id", not_null={"id", "boot"}, strict=True)
    db.table("entry").create(
        {"session": str, "seq": int, "boot_ns": int, "wall_ms": int, "line": str, "hash": str},
        pk=("session", "seq"),
        not_null={"session", "seq", "boot_ns", "wall_ms", "line", "hash"},
        foreign_keys=[("session", "session", "id")],
        strict=True,
    )
    db.table("entry").create_index(["wall_ms"])


@_cache(name="1 roster, presence, policy, sync")
def _cache_1(db: Database) -> None:
    db.table("holder").create(
        {"child": str, "animal": str, "colour": str},
        pk="child",
        not_null={"child", "animal", "colour"},
        strict=True,
    )
    db.table("card").create(
        {"card_hash": str, "child": str},
        pk="card_hash",
        not_null={"card_hash", "child"},
        foreign_keys=[("child", "holder", "child")],
        strict=True,
    )
    db.table("card").create_index(["child"])
    db.table("part").create(
        {"name": str, "version": str, "body": bytes}, pk="name", not_null={"name", "version", "body"}, strict=True
    )
    db.table("contact").create(
        {"boot": str, "at_boot_ns": int, "at_ms": int},
        pk="boot",
        not_null={"boot", "at_boot_ns", "at_ms"},
        strict=True,
    )
    db.table("ack").create(
        {"session": str, "seq": int, "hash": str}, pk="session", not_null={"session", "seq", "hash"}, strict=True
    )


@_cache(name="2 what was ever acknowledged")
def _cache_2(db: Database) -> None:
    db.execute("ALTER TABLE ack ADD COLUMN told INTEGER NOT NULL DEFAULT -1")
    db.execute("UPDATE ack SET told = seq")


@_cache(name="3 an answer of each boot")
def _cache_3(db: Database) -> None:
    db.table("heard").create(
        {"boot": str, "asked_ns": int, "answered_ns": int, "time_ms": int},
        pk="boot",
        not_null={"boot", "asked_ns", "answered_ns", "time_ms"},
        strict=True,
    )


JOURNAL = Schema(application_id=0x7464_6A31, migrations=_journal, version=1, synchronous="FULL")
CACHE = Schema(
    application_id=0x7464_6331,
    migrations=_cache,
    version=3,
    synchronous="NORMAL",
    # A version that the server never gave: it sends all of it, and a revoked kiosk still knows that it holds people.
    disposable=Disposable(read_from=2, brought_back="UPDATE part SET version = 'brought back'"),
)
