"""Ingest: movements a second through the real signed endpoint of a running server, beside bare inserts into SQLite.

Both write to the same disk in the same run, turn about, with the same durability (WAL, synchronous FULL), one sender,
one request at a time. The server checks signature and chain, derives, finds times and queues a mail a movement; bare
SQLite only inserts the lines. Signing is done before the clock starts.
"""

import http.client
import re
import secrets
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Table, func, insert, select

from attendance.chain import place
from attendance.clock import ClockReading, ClockState, to_ms
from attendance.records import Body, Direction, Head, JournalLine, MadeBy, Moved, RecordDraft, SessionOpened
from attendance.signatures import sign
from attendance.wire import (
    ENROL_PATH,
    ENTRIES_PATH,
    EnrolRequest,
    EnrolResponse,
    EntriesRequest,
    Receipt,
    decode,
    encode,
)
from bench.figure import Row, measured, percentile
from server.config import ServerSettings
from server.enrolment import issue
from server.keys import make_secrets
from server.sites import add_site
from server.store import tables
from server.store.engine import Store, using_store
from server.store.ids import new_id
from server.store.migrations import migrate

BATCHES = {1: 60, 10: 30, 100: 10, 500: 3}
"""Entries a request, and how many requests are timed."""
CHILDREN = 60
_FULL = 8
"""How many times as many requests a full run times."""
_DERIVED = (tables.entry, tables.journal_session, tables.movement, tables.delivery)


def run(*, quick: bool) -> list[Row]:
    """Measure; with `quick` within 50 s."""
    with tempfile.TemporaryDirectory(prefix="tadaima-bench-") as folder, _server(Path(folder)) as server:
        sender = _Sender(server)
        with closing(_bare(Path(folder) / "bare.db")) as bare:
            rows = []
            for size, requests in BATCHES.items():
                rows += _compare(sender, bare, size, requests if quick else requests * _FULL)
            rows += _replay(server, sender, bare)
    return rows


@dataclass(frozen=True, slots=True)
class _Server:
    """A running server and what its tests know of it."""

    store: Store
    address: tuple[str, int]
    code: str
    children: tuple[str, ...]


class _Sender:
    """A kiosk with a journal, that sends over one connection."""

    def __init__(self, server: _Server) -> None:
        self._key = Ed25519PrivateKey.generate()
        self._http = http.client.HTTPConnection(*server.address, timeout=60)
        self._children = server.children
        public = self._key.public_key().public_bytes_raw()
        answer = self.post(*self.signed(ENROL_PATH, encode(EnrolRequest(server.code, public, "bench"))))
        self._kiosk = decode(answer, EnrolResponse).kiosk
        self.session = secrets.token_hex(16)
        self._head: Head | None = None
        self._made = 0
        self.sent: list[EntriesRequest] = []
        self.write([SessionOpened(boot="b" * 32, app="bench", key="k" * 32, heads=())])

    def write(self, bodies: list[Body]) -> EntriesRequest:
        """Append entries to the journal and return the request that brings them."""
        lines: list[JournalLine] = []
        from_seq = 0 if self._head is None else self._head.seq + 1
        for body in bodies:
            record, line = place(
                RecordDraft(body, self._reading()), kiosk=self._kiosk, session=self.session, after=self._head
            )
            self._head = Head(self.session, record.seq, line.hash)
            lines.append(line)
        request = EntriesRequest(self.session, from_seq, tuple(lines))
        self.sent.append(request)
        return request

    def movements(self, count: int) -> EntriesRequest:
        """Return a request with the next movements: each child comes and goes once a day, day after day."""
        bodies: list[Body] = []
        for _ in range(count):
            turn, number = divmod(self._made + len(bodies), CHILDREN)
            way = Direction.EXIT if turn % 2 else Direction.ENTRY
            bodies.append(Moved(self._children[number], way, MadeBy.CARD, None))
        request = self.write(bodies)
        self._made += count
        return request

    def signed(self, path: str, body: bytes) -> tuple[str, bytes, dict[str, str]]:
        """Return a request that is ready to go."""
        return path, body, sign("POST", path, body, key=self._key, created=datetime.now(UTC))

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        """Send a request and return the answer's body."""
        self._http.request("POST", path, body, headers)
        answer = self._http.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"status {answer.status}: {said[:200]!r}")
        return said

    def _reading(self) -> ClockReading:
        """Noon and five o'clock in Japan, one day after another from 2020 on."""
        turn, number = divmod(self._made, CHILDREN)
        day = datetime(2020, 4, 1, 3, tzinfo=UTC) + timedelta(days=turn // 2, hours=5 * (turn % 2), seconds=number)
        return ClockReading(to_ms(day), 20, 1_000_000_000 + self._made, ClockState.NTP)


def _compare(sender: _Sender, bare: sqlite3.Connection, size: int, requests: int) -> list[Row]:
    if len(sender.sent) == 1:
        sender.post(*sender.signed(ENTRIES_PATH, encode(sender.sent[0])))
    ours_s, bare_s = [], []
    for _ in range(requests):
        request = sender.movements(size)
        ready = sender.signed(ENTRIES_PATH, encode(request))
        began = time.perf_counter()
        answer = sender.post(*ready)
        ours_s.append(time.perf_counter() - began)
        receipt = decode(answer, Receipt)
        if receipt.through != request.from_seq + size - 1 or receipt.quarantined:
            raise RuntimeError(f"not all was taken: {receipt}")
        began = time.perf_counter()
        _insert(bare, request)
        bare_s.append(time.perf_counter() - began)
    ours, beside = size / statistics.median(ours_s), size / statistics.median(bare_s)
    name = f"ingest, {size} a request"
    return [
        measured(f"{name}: movements accepted", ours, "1/s", better="higher"),
        measured(f"{name}: bare SQLite inserts", beside, "1/s", better="higher"),
        measured(f"{name}: share of bare SQLite", ours / beside, "ratio", better="higher"),
        measured(f"{name}: request p99", percentile(ours_s, 0.99) * 1000, "ms"),
    ]


def _replay(server: _Server, sender: _Sender, bare: sqlite3.Connection) -> list[Row]:
    """Send some of what was sent once more: nothing may be added. Bare inserts show what would be."""
    again = sender.sent[:: max(len(sender.sent) // 50, 1)]
    before = {table.name: _count(server.store, table) for table in _DERIVED}
    bare_before = bare.execute("SELECT count(*) FROM line").fetchone()[0]
    for request in again:
        sender.post(*sender.signed(ENTRIES_PATH, encode(request)))
        _insert(bare, request)
    added = sum(_count(server.store, table) - before[table.name] for table in _DERIVED)
    bare_added = bare.execute("SELECT count(*) FROM line").fetchone()[0] - bare_before
    return [
        measured("ingest, replayed requests: rows added", added, "rows", bar=0),
        measured("ingest, replayed bare inserts: rows added", bare_added, "rows", bar=0, control=True),
    ]


def _count(store: Store, table: Table) -> int:
    with store.read() as conn:
        return int(conn.execute(select(func.count()).select_from(table)).scalar_one())


def _bare(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE line (session TEXT, seq INTEGER, line TEXT, hash TEXT)")
    return connection


def _insert(bare: sqlite3.Connection, request: EntriesRequest) -> None:
    rows = [
        (request.session, seq, line.line, line.hash) for seq, line in enumerate(request.entries, start=request.from_seq)
    ]
    bare.execute("BEGIN IMMEDIATE")
    bare.executemany("INSERT INTO line VALUES (?, ?, ?, ?)", rows)
    bare.execute("COMMIT")


@contextmanager
def _server(folder: Path) -> Iterator[_Server]:
    settings = ServerSettings(data_dir=str(folder))
    make_secrets(folder)
    with using_store(settings.store_url) as store:
        migrate(store)
        code, children = _populate(store)
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", "from server.cli import main; main()", "--set", f"data_dir={folder}"),
                *("--set", "bind.port=0", "run", "--only", "web"),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout
            found = re.search(r"web=http://([0-9.]+):(\d+)", process.stdout.readline())
            if found is None:
                raise RuntimeError("the server does not start; see above")
            yield _Server(store, (found[1], int(found[2])), code, children)
        finally:
            process.terminate()
            process.communicate(timeout=30)


def _populate(store: Store) -> tuple[str, tuple[str, ...]]:
    """Make a site, and children each with a guardian who wants mail; return a code and the children."""
    children = tuple(new_id() for _ in range(CHILDREN))
    now_ms = to_ms(datetime.now(UTC))
    with store.write() as conn:
        add_site(conn, "BENCH", "Bench", now_ms, who="bench")
        for number, child in enumerate(children):
            guardian = new_id()
            conn.execute(
                insert(tables.child).values(
                    id=child, number=str(number), name="Child", kana="k", animal="cat", colour="blue"
                )
            )
            conn.execute(
                insert(tables.guardian).values(
                    id=guardian, email=f"g{number}@example.jp", language="ja", consented_at_ms=now_ms
                )
            )
            conn.execute(insert(tables.guardianship).values(guardian_id=guardian, child_id=child))
        return issue(conn, "BENCH", "Bench", now_ms, who="bench").code, children
