"""What a kiosk does from its enrolment on, by its own code, each step told by a mark; runs in the guest."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlite_utils import Database, Migrations

from attendance.clock import ManualClock
from attendance.names import seal
from attendance.policy import Policy
from attendance.records import AttendanceRecord, Direction, MadeBy, Moved, write_line
from attendance.roster import Animal, Colour, DisplayName, Holder
from attendance.roster import Mark as ChildsMark
from attendance.wire import EnrolRequest, EnrolResponse, RosterPart, StateResponse, decode, encode
from bench.block_cuts.marks import (
    Appended,
    Began,
    Enrolled,
    Enrolling,
    LetGo,
    LettingGo,
    Mark,
    Phase,
    Storing,
    Told,
)
from kiosk.database import open_database
from kiosk.journal import Journal
from kiosk.roster_cache import RosterCache
from kiosk.schema import CACHE, JOURNAL
from provisioning.enrol import enrol

DATA, JOURNAL_FILE, CACHE_FILE = Path("kiosk"), "journal.db", "cache.db"
BOOT = "0" * 32
CHILDREN_OF_ROSTER = 40
COMMITS_OF_A_LOG = 40
"""After so many entries the journal's log begins anew."""
_NAMES_KEY = b"n" * 32
_DAYS_41_S = 41 * 24 * 3600

Tell = Callable[[Mark], None]


class Variant(StrEnum):
    """The kiosk as it is, and one that does not wait for the disk."""

    AS_BUILT = "as built"
    BROKEN = "broken on purpose"


BROKEN = {
    Phase.ENROLMENT: "key and identity without fsync",
    Phase.MAKING: "synchronous=NORMAL",
    Phase.UPDATE: "a cache with synchronous=OFF",
    Phase.APPENDING: "synchronous=NORMAL",
    Phase.RENEWAL: "synchronous=NORMAL",
}
"""What is broken in each phase. When it is over the disk is brought up to date, so that each stands by itself."""


def work(folder: Path, tell: Tell, *, commits: int, variant: Variant = Variant.AS_BUILT) -> None:
    """Live through all phases on a disk; as many children come as told."""
    data, clock = folder / DATA, ManualClock(datetime(2026, 4, 1, 5, 0, tzinfo=UTC))
    works: dict[Phase, Callable[[], None]] = {
        Phase.ENROLMENT: lambda: _enrol(data, clock, tell),
        Phase.MAKING: lambda: _make(data, clock, tell),
        Phase.UPDATE: lambda: _update(data, tell),
        Phase.APPENDING: lambda: _append(data, clock, commits, tell),
        Phase.RENEWAL: lambda: _renew(data, clock, tell),
    }
    for phase, does in works.items():
        tell(Began(phase))
        if variant is Variant.AS_BUILT:
            does()
        else:
            with _broken(phase):
                does()
            os.sync()


def open_journal(data: Path, clock: ManualClock) -> Journal:
    """Open the journal as the door does."""
    return Journal(data / JOURNAL_FILE, kiosk="kiosk-1", clock=clock, boot=BOOT, app="0", key_id="0" * 32).begin()


def child_of(number: int) -> str:
    """A child that comes once, so that a doubled entry shows; lengths differ."""
    return f"child-{number}-{'x' * (number % 40)}"


def kiosk_of(key: Ed25519PublicKey) -> str:
    """The kiosk that the server makes of a key, so that an identity tells which key belongs to it."""
    return f"kiosk-{hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]}"


def roster_version(number: int) -> str:
    """The version of a roster; it says how many children it has."""
    return f"roster-{number}"


def children_of_roster(number: int) -> int:
    """How many children a roster has: each differs from the one before."""
    return CHILDREN_OF_ROSTER + number


def _make(data: Path, clock: ManualClock, tell: Tell) -> None:
    for life in range(4):
        with closing(open_journal(data, clock)) as journal:
            _begun(journal, tell)
            _come(journal, clock, range(3 * life, 3 * life + 3), tell)


def _append(data: Path, clock: ManualClock, commits: int, tell: Tell) -> None:
    with closing(open_journal(data, clock)) as journal:
        _begun(journal, tell)
        for first in range(100, 100 + commits, COMMITS_OF_A_LOG):
            _come(journal, clock, range(first, min(first + COMMITS_OF_A_LOG, 100 + commits)), tell)
            _checkpoint(journal._db)


def _renew(data: Path, clock: ManualClock, tell: Tell) -> None:
    with closing(open_journal(data, clock)) as journal:
        _begun(journal, tell)
        for first in (10_000, 10_010, 10_020):
            _let_go(journal, clock, tell)
            _come(journal, clock, range(first, first + 5), tell)


def _come(journal: Journal, clock: ManualClock, numbers: range, tell: Tell) -> None:
    for number in numbers:
        clock.advance(1)
        tell(_appended(journal.append(Moved(child_of(number), Direction.ENTRY, MadeBy.CARD, card=None))))


def _appended(record: AttendanceRecord) -> Appended:
    return Appended(record.session, record.seq, write_line(record).hash)


def _begun(journal: Journal, tell: Tell) -> None:
    """Tell of the session that the journal began."""
    assert journal.problem is None, journal.problem
    tell(Appended(*journal.heads()[-1]))


def _let_go(journal: Journal, clock: ManualClock, tell: Tell) -> None:
    """Begin a session 41 days later, and let go what the server has and is too old."""
    clock.advance(_DAYS_41_S)
    assert journal.renew()
    _begun(journal, tell)
    heads = journal.heads()
    for head in heads[:-2]:  # the session before the last may have gone on until today
        tell(LettingGo(head.session))
        assert journal.prune(heads, clock.read().wall_ms)
        tell(LetGo(head.session))


def _enrol(data: Path, clock: ManualClock, tell: Tell) -> None:
    with _office(clock) as server_url:
        for again in (False, True, True):
            tell(Enrolling())
            done = enrol(server_url, "GOODCODE23", data, clock=clock, replace=again)
            tell(Enrolled(done.identity.kiosk))


def _update(data: Path, tell: Tell) -> None:
    """Bring a cache of an earlier version up to date, then take in roster after roster."""
    first = replace(CACHE, migrations=_First("cache"), version=1)
    with closing(open_database(data / CACHE_FILE, first)) as db:
        db.execute("INSERT INTO ack (session, seq, hash) VALUES (?, ?, ?)", ("s", 7, "0" * 64))
        db.conn.commit()
    tell(Told("s", 7))
    with closing(RosterCache.open(data / CACHE_FILE, boot=BOOT)) as cache:
        for number in range(12):
            tell(Storing(number))
            cache.store_state(_state(number))
            if number % 4 == 3:
                _checkpoint(cache._db)


def _checkpoint(db: Database | None) -> None:
    """Do at once what SQLite does of itself once the log holds a thousand pages."""
    assert db is not None
    db.execute("PRAGMA wal_checkpoint").fetchall()


def _state(number: int) -> StateResponse:
    children = [child_of(each) for each in range(children_of_roster(number))]
    holders = tuple(Holder(child, ChildsMark(Animal.CAT, Colour.RED), cards=()) for child in children)
    names = seal({child: DisplayName(child, child) for child in children}, _NAMES_KEY)
    roster = RosterPart(version=roster_version(number), holders=holders, names=names)
    return StateResponse(policy=Policy(), names_key=_NAMES_KEY, roster=roster, presence=None)


class _First(Migrations):
    """The tables of the cache as they were before its last migration."""

    def apply(self, db: Database, *, stop_before: object = None) -> None:  # noqa: ARG002 - as its base
        CACHE.migrations.apply(db, stop_before="2 what was ever acknowledged")


@contextmanager
def _broken(phase: Phase) -> Iterator[None]:
    """Work as BROKEN says."""
    with ExitStack() as changed:
        if phase is Phase.ENROLMENT:
            changed.enter_context(patch.object(os, "fsync"))
        elif phase is Phase.UPDATE:
            cache = replace(CACHE, synchronous="OFF")
            changed.enter_context(patch("kiosk.roster_cache.CACHE", cache))
            changed.enter_context(patch(f"{__name__}.CACHE", cache))
        else:
            changed.enter_context(patch("kiosk.journal.JOURNAL", replace(JOURNAL, synchronous="NORMAL")))
        yield


class _Office(BaseHTTPRequestHandler):
    """The server's side of an enrolment: any code is good."""

    clock: ManualClock

    def do_POST(self) -> None:
        """Make a kiosk of a key."""
        asked = decode(self.rfile.read(int(self.headers["Content-Length"])), EnrolRequest)
        answer = encode(
            EnrolResponse(
                kiosk=kiosk_of(Ed25519PublicKey.from_public_bytes(asked.public_key)),
                site="site-1",
                site_name="Site",
                policy=Policy(),
                uid_key=b"u" * 32,
                time_ms=self.clock.read().wall_ms,
            )
        )
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its base
        """Say nothing."""


@contextmanager
def _office(clock: ManualClock) -> Iterator[str]:
    """Run a server that enrols, and return where it is."""
    _Office.clock = clock
    with HTTPServer(("127.0.0.1", 0), _Office) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
