"""A tap at the door: until it is recorded and answered, beside a bare SQLite commit; until it is painted; in a rush.

Everything is measured in turn, on one filesystem, in one run: a slow disk slows both sides of a ratio.
"""

import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from attendance.policy import Policy
from attendance.records import Direction, MadeBy, Moved
from bench import painted, rush
from bench.figure import Row, measured, percentile
from bench.listener import Listener
from bench.practice_door import WAIT_S, PracticeDoor, disk_folder, feed, new_tokens, open_journal
from hardware.fake import FakeReader
from hardware.reader import Medium, RawRead, boot_ns
from kiosk.screen import ScreenServer

SEED = 7
CHILDREN = 40
CONTROL_EVERY = 8
"""The controls are slow, and a p99 wants many samples of the rest."""
QUEUE_SPACING_S = 0.004
POLL_S = 1.0
NO_REPEATS = Policy(repeat_window_s=0)
"""Every card is recorded each time it is shown."""
_ROW = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)"
_LINE = "x" * 480
"""As long as the line of a movement."""


def run(*, quick: bool) -> list[Row]:
    """Measure; with `quick` fewer taps of the same kinds."""
    seconds = 4.0 if quick else 60.0
    return [
        *_appends(seconds),
        *_answers(seconds),
        *_queue(taps=400 if quick else 10_000),
        *painted.rows(*((12, 4) if quick else (300, 30))),
        *rush.rows(*((80, 60) if quick else (10_000, 60))),
    ]


def _appends(seconds: float) -> list[Row]:
    """The journal's append and a commit of the same bytes, in turn."""
    journal_ms: list[float] = []
    bare_ms: list[float] = []
    delete_ms: list[float] = []
    with (
        disk_folder() as folder,
        _bare(folder / "bare.db", "WAL") as bare,
        _bare(folder / "delete.db", "DELETE") as delete,
    ):
        journal = open_journal(folder)
        for number in _numbers_for(seconds):
            move = Moved(child=f"child-{number}", direction=Direction.ENTRY, by=MadeBy.CARD, card=None)
            bare_ms.append(_commit_ms(bare, number))
            began_ns = time.perf_counter_ns()
            journal.append(move)
            journal_ms.append((time.perf_counter_ns() - began_ns) / 1e6)
            if number % CONTROL_EVERY == 0:
                delete_ms.append(_commit_ms(delete, number))
        journal.close()
    bare_p99_ms = percentile(bare_ms, 0.99)
    return [
        measured(f"bare sqlite3 commit, p99 of {len(bare_ms)}", bare_p99_ms, "ms"),
        measured(
            "journal append to a bare sqlite3 commit, p50",
            percentile(journal_ms, 0.5) / percentile(bare_ms, 0.5),
            "x",
            bar=1.5,
        ),
        measured(
            "journal append to a bare sqlite3 commit, p99", percentile(journal_ms, 0.99) / bare_p99_ms, "x", bar=1.5
        ),
        measured(
            "the same with a rollback journal in place of WAL, p50",
            percentile(delete_ms, 0.5) / percentile(bare_ms, 0.5),
            "x",
            bar=1.5,
            control=True,
        ),
    ]


def _answers(seconds: float) -> list[Row]:
    """A read handed to the door until its answer has come to a page's connection, and a bare commit, in turn."""
    sent_ms: list[float] = []
    bare_ms: list[float] = []
    tokens = new_tokens(CHILDREN)
    with (
        disk_folder() as folder,
        _bare(folder / "bare.db", "WAL") as bare,
        closing(PracticeDoor(folder, tokens, NO_REPEATS)) as door,
        _served(door) as page,
    ):
        polling = _Polling()
        door.consumer.start()
        polling.start()
        for number in _numbers_for(seconds):
            bare_ms.append(_commit_ms(bare, number))
            door.watch.expect()
            read_at_ns = boot_ns()
            payload = tokens[number % CHILDREN].text.encode()
            door.consumer.take(RawRead(Medium.QR, payload, "front", read_at_ns))
            if not door.watch.settled.wait(WAIT_S):
                raise RuntimeError("the door did not answer")
            sent_ms.append((page.came_at_ns(door.watch.answer_id) - read_at_ns) / 1e6)
            polling.note(read_at_ns)
        polling.stop()
    bar_ms = 1.5 * percentile(bare_ms, 0.99) + 5
    name = "RawRead to committed record and answer sent to the screen's page"
    return [
        measured(f"{name}, p50", percentile(sent_ms, 0.5), "ms"),
        measured(f"{name}, p99 of {len(sent_ms)}", percentile(sent_ms, 0.99), "ms", bar=bar_ms),
        measured(
            "the same with a screen that asks once a second",
            percentile(polling.seen_ms, 0.99),
            "ms",
            bar=bar_ms,
            control=True,
        ),
    ]


def _queue(taps: int) -> list[Row]:
    """Every card once on each of two fake readers, closer together than any reader could: one movement a card."""
    spacing = random.Random(SEED)
    readers = [FakeReader("left"), FakeReader("right")]
    tokens = new_tokens(taps // 2)
    with disk_folder() as folder, closing(PracticeDoor(folder, tokens, Policy(), readers)) as door:
        door.consumer.start()
        for token in tokens:
            for reader in readers:
                feed(reader, f"nfc_text {token.text}")
                time.sleep(spacing.uniform(0, 2 * QUEUE_SPACING_S))
        door.watch.wait_for(taps)
        wrong = door.lost_or_doubled()
    return [measured(f"reads lost or doubled, {taps} handed straight to the queue", wrong, "", bar=0)]


@contextmanager
def _served(door: PracticeDoor) -> Iterator[Listener]:
    """The door's screen, served, and a page that listens."""
    server = ScreenServer(door.screen, "127.0.0.1", 0)
    server.start()
    try:
        with Listener(server.port) as page:
            yield page
    finally:
        server.stop()


class _Polling:
    """A screen that fetches the newest answer at fixed times, as pages without a push do."""

    def __init__(self) -> None:
        self.seen_ms: list[float] = []
        self._waiting_ns: list[int] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        time.sleep(1.5 * POLL_S)
        self._ended.set()
        self._thread.join()

    def note(self, read_at_ns: int) -> None:
        """An answer to that read is there to be fetched."""
        with self._lock:
            self._waiting_ns.append(read_at_ns)

    def _poll(self) -> None:
        while not self._ended.wait(POLL_S):
            with self._lock:
                waiting_ns, self._waiting_ns = self._waiting_ns, []
            self.seen_ms += [(boot_ns() - read_at_ns) / 1e6 for read_at_ns in waiting_ns]


@contextmanager
def _bare(path: Path, journal_mode: str) -> Iterator[sqlite3.Connection]:
    """A table like the journal's, through nothing but Python's sqlite3."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode={journal_mode}")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(
        "CREATE TABLE entry (session TEXT, seq INTEGER, boot_ns INTEGER, wall_ms INTEGER, line TEXT, hash TEXT, "
        "PRIMARY KEY (session, seq)) STRICT"
    )
    connection.execute("CREATE INDEX entry_wall_ms ON entry (wall_ms)")
    try:
        yield connection
    finally:
        connection.close()


def _commit_ms(connection: sqlite3.Connection, number: int) -> float:
    began_ns = time.perf_counter_ns()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(_ROW, ("session", number, number, number, _LINE, "h" * 64))
    connection.execute("COMMIT")
    return (time.perf_counter_ns() - began_ns) / 1e6


def _numbers_for(seconds: float) -> Iterator[int]:
    """0, 1, 2 ... until the time is up; the first few warm the caches and count all the same."""
    until_s = time.monotonic() + seconds
    number = 0
    while time.monotonic() < until_s:
        yield number
        number += 1
