"""A tap at the door: from a read to its committed record and the answer on the screen, beside a bare SQLite commit.

Everything is measured in turn, on one filesystem, in one run: a slow disk slows both sides of a ratio.
"""

import random
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attendance.cards import CardToken
from attendance.catalogue import Language
from attendance.names import seal
from attendance.policy import Policy
from attendance.records import Direction, MadeBy, Moved
from attendance.roster import Animal, Colour, Holder, Mark
from attendance.wire import RosterPart, StateResponse
from bench.figure import Row, measured
from hardware.errors import ReaderLost
from hardware.fake import FakeReader
from hardware.reader import Medium, RawRead, boot_ns
from kiosk.announce import Announcer
from kiosk.answer import Answer, DoorStatus
from kiosk.catalogues import catalogues
from kiosk.consumer import Consumer
from kiosk.door import Door
from kiosk.journal import Journal
from kiosk.name_book import NameBook
from kiosk.roster_cache import RosterCache
from kiosk.screen import Screen
from kiosk.timekeeping import KioskClock

DISK = Path("/var/tmp")
"""Never a tmpfs, where a commit costs nothing."""
SEED = 7
CHILDREN = 40
CONTROL_EVERY = 8
"""The controls are slow, and a p99 wants many samples of the rest."""
RUSH_SPACING_S = 0.004
POLL_S = 1.0
WAIT_S = 30.0
_ROW = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)"
_LINE = "x" * 480
"""As long as the line of a movement."""


def run(*, quick: bool) -> list[Row]:
    """Measure; with `quick` fewer taps of the same kinds."""
    seconds = 14.0 if quick else 60.0
    return [*_appends(seconds), *_answers(seconds), *_rush(taps=400 if quick else 10_000)]


def _appends(seconds: float) -> list[Row]:
    """The journal's append and a commit of the same bytes, in turn."""
    journal_ms: list[float] = []
    bare_ms: list[float] = []
    delete_ms: list[float] = []
    with _folder() as folder, _bare(folder / "bare.db", "WAL") as bare, _bare(folder / "delete.db", "DELETE") as delete:
        journal = _journal(folder)
        for number in _numbers_for(seconds):
            move = Moved(child=f"child-{number}", direction=Direction.ENTRY, by=MadeBy.CARD, card=None)
            bare_ms.append(_commit_ms(bare, number))
            began_ns = time.perf_counter_ns()
            journal.append(move)
            journal_ms.append((time.perf_counter_ns() - began_ns) / 1e6)
            if number % CONTROL_EVERY == 0:
                delete_ms.append(_commit_ms(delete, number))
        journal.close()
    bare_p99_ms = _p99(bare_ms)
    return [
        measured(f"bare sqlite3 commit, p99 of {len(bare_ms)}", bare_p99_ms, "ms"),
        measured("journal append to a bare sqlite3 commit, p50", _p50(journal_ms) / _p50(bare_ms), "x", bar=1.5),
        measured("journal append to a bare sqlite3 commit, p99", _p99(journal_ms) / bare_p99_ms, "x", bar=1.5),
        measured(
            "the same with a rollback journal in place of WAL, p50",
            _p50(delete_ms) / _p50(bare_ms),
            "x",
            bar=1.5,
            control=True,
        ),
    ]


def _answers(seconds: float) -> list[Row]:
    """A read handed to the door until its answer is on the screen, and a bare commit, in turn."""
    pushed_ms: list[float] = []
    bare_ms: list[float] = []
    with _folder() as folder, _bare(folder / "bare.db", "WAL") as bare, _door(folder, CHILDREN) as setup:
        polling = _Polling()
        setup.consumer.start()
        polling.start()
        for number in _numbers_for(seconds):
            bare_ms.append(_commit_ms(bare, number))
            setup.watch.settled.clear()
            read_at_ns = boot_ns()
            payload = setup.tokens[number % CHILDREN].text.encode()
            setup.consumer.take(RawRead(Medium.QR, payload, "front", read_at_ns))
            if not setup.watch.settled.wait(WAIT_S):
                raise RuntimeError("the door did not answer")
            pushed_ms.append((setup.watch.shown_at_ns - read_at_ns) / 1e6)
            polling.note(read_at_ns)
        polling.stop()
    bar_ms = 1.5 * _p99(bare_ms) + 5
    name = "read to committed record and answer on the screen, p99"
    return [
        measured(f"{name} of {len(pushed_ms)}", _p99(pushed_ms), "ms", bar=bar_ms),
        measured(
            "the same with a screen that asks once a second", _p99(polling.seen_ms), "ms", bar=bar_ms, control=True
        ),
    ]


def _rush(taps: int) -> list[Row]:
    """Every card once on each of two readers, close together: one movement a card."""
    spacing = random.Random(SEED)
    with _folder() as folder, _door(folder, taps // 2, Policy()) as setup:
        setup.consumer.start()
        for token in setup.tokens:
            for reader in setup.readers:
                _feed(reader, f"nfc_text {token.text}")
                time.sleep(spacing.uniform(0, 2 * RUSH_SPACING_S))
        setup.watch.wait_for(taps)
        wrong = setup.lost_or_doubled()
    with _folder() as folder, _door(folder, CHILDREN, Policy(repeat_window_s=0)) as setup:
        setup.consumer.start()
        for number, token in enumerate(setup.tokens):
            for second, reader in enumerate(setup.readers):
                _feed(reader, f"nfc_text {token.text}")
                setup.watch.wait_for(2 * number + second + 1)
        doubled = setup.lost_or_doubled()
    return [
        measured(f"reads lost or doubled, {taps} taps over two readers", wrong, "", bar=0),
        measured("the same at a door without a repeat window", doubled, "", bar=0, control=True),
    ]


class _Watch:
    """Stands behind the screen: knows when it had the answer, and when the door is idle again."""

    def __init__(self, screen: Screen) -> None:
        self.settled = threading.Event()
        self.shown_at_ns = 0
        self._screen = screen
        self._shown = 0

    def show(self, answer: Answer) -> None:
        self._screen.show(answer)
        self.shown_at_ns = boot_ns()
        self._shown += 1

    def status(self, status: DoorStatus) -> None:
        self._screen.status(status)
        if self.shown_at_ns:
            self.settled.set()

    def wait_for(self, answers: int) -> None:
        until_s = time.monotonic() + WAIT_S
        while self._shown < answers:
            if time.monotonic() > until_s:
                raise RuntimeError(f"{answers - self._shown} reads were not answered")
            time.sleep(0.002)


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


class _Setup:
    """A whole door with two fake readers and a roster of its own."""

    def __init__(self, folder: Path, children: int, policy: Policy) -> None:
        clock = KioskClock()
        self.tokens = [CardToken.new() for _ in range(children)]
        self.children = [f"child-{number}" for number in range(children)]
        self.readers = [FakeReader("left"), FakeReader("right")]
        self.journal = _journal(folder)
        self.announcer = Announcer()
        self._cache = RosterCache.open(folder / "cache.db")
        self._cache.store_state(_state(self.children, self.tokens, policy))
        door = Door(
            journal=self.journal,
            cache=self._cache,
            clock=clock,
            uid_key=bytes(32),
            names=NameBook(self._cache, folder / "names.key"),
            display=self.announcer,
        )
        self.watch = _Watch(Screen(door, catalogues(), clock, language=Language.JA_EASY))
        self.announcer.add(self.watch)
        self.consumer = Consumer(door, self.readers, self.announcer)

    def lost_or_doubled(self) -> int:
        """How many movements there are too few or too many, if each child walked once."""
        records = self.journal.records_of_boot(0)
        moved = Counter(record.body.child for record in records if isinstance(record.body, Moved))
        return sum(abs(moved[child] - 1) for child in self.children)

    def close(self) -> None:
        self.consumer.stop()
        self.journal.close()
        self._cache.close()


@contextmanager
def _door(folder: Path, children: int, policy: Policy = Policy(repeat_window_s=0)) -> Iterator[_Setup]:  # noqa: B008
    setup = _Setup(folder, children, policy)
    try:
        yield setup
    finally:
        setup.close()


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tadaima-bench-", dir=DISK) as name:
        yield Path(name)


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


def _journal(folder: Path) -> Journal:
    return Journal.open(
        folder / "journal.db", kiosk="bench", clock=KioskClock(), boot="bench", app="bench", key_id="0" * 32
    )


def _state(children: list[str], tokens: list[CardToken], policy: Policy) -> StateResponse:
    mark = Mark(Animal.CAT, Colour.RED)
    holders = tuple(Holder(child, mark, (token.ref.card_hash,)) for child, token in zip(children, tokens, strict=True))
    roster = RosterPart(version="1", holders=holders, names=seal({}, bytes(32)))
    return StateResponse(policy=policy, names_key=bytes(32), roster=roster)


def _feed(reader: FakeReader, line: str) -> None:
    until_s = time.monotonic() + WAIT_S
    while True:
        try:
            return reader.feed(line)
        except ReaderLost:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.01)


def _numbers_for(seconds: float) -> Iterator[int]:
    """0, 1, 2 ... until the time is up; the first few warm the caches and count all the same."""
    until_s = time.monotonic() + seconds
    number = 0
    while time.monotonic() < until_s:
        yield number
        number += 1


def _p50(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _p99(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, round(len(values) * 0.99))]
