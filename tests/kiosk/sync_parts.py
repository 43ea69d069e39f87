"""A kiosk's sync side for tests: a real journal, a real cache and a real uplink to the model server."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attendance.clock import Clock, ManualClock
from attendance.records import Body, Direction, JournalLine, MadeBy, Moved
from kiosk.door_report import NO_REPORT, DoorReport, read_report
from kiosk.identity import Identity
from kiosk.journal import Journal
from kiosk.journal_reader import JournalReader
from kiosk.offers import ALL_HEADS_S
from kiosk.roster_cache import RosterCache
from kiosk.sync import Sync
from kiosk.uplink import Timeout, Uplink
from tests.model_server import NOON, ModelServer

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
BOOT = "b007" * 8
QUICK = Timeout(connect_s=2.0, read_s=10.0, whole_s=20.0)


def identity(server_url: str) -> Identity:
    return Identity(kiosk="kiosk-1", site="site-1", site_name="x", server_url=server_url, uid_key=bytes(32))


def moved(*, child: str = "child-1", direction: Direction = Direction.ENTRY) -> Moved:
    return Moved(child=child, direction=direction, by=MadeBy.BUTTON, card=None)


@contextmanager
def uplink_to(
    url: str, *, key: Ed25519PrivateKey = KEY, clock: Clock | None = None, timeout: Timeout = QUICK
) -> Iterator[Uplink]:
    with requests.Session() as session:
        yield Uplink(identity(url), key, session, clock or ManualClock(NOON), timeout)


@dataclass
class Kiosk:
    """Everything of one kiosk that sync has to do with."""

    name: str
    folder: Path
    boot: str
    clock: ManualClock
    journal: Journal
    reader: JournalReader
    cache: RosterCache
    sync: Sync

    @property
    def names_key(self) -> Path:
        return self.folder / "run" / "names.key"

    def append(self, *bodies: Body) -> None:
        for body in bodies or (moved(),):
            self.journal.append(body)

    def reopen(self) -> None:
        """The door process dies and begins a new session."""
        self.journal.close()
        self.journal = open_journal(self.folder, self.clock, kiosk=self.name, boot=self.boot)

    def held(self) -> dict[str, list[JournalLine]]:
        return {head.session: self.reader.read(head.session, 0, -1) for head in self.reader.heads()}

    def settle(self) -> None:
        """Let all heads become due, and step until there is nothing more to do at once."""
        self.clock.advance(ALL_HEADS_S)
        for _ in range(200):
            if not self.sync.step():
                return
        raise AssertionError("sync does not come to rest")


def open_journal(folder: Path, clock: Clock, *, kiosk: str = "kiosk-1", boot: str = BOOT) -> Journal:
    return Journal(folder / "journal.db", kiosk=kiosk, clock=clock, boot=boot, app="test", key_id="k" * 32).begin()


def door_report(folder: Path, clock: Clock) -> DoorReport:
    """The door's word as a test wrote it below `run`, else of a door that is well."""
    written = read_report(folder / "run")
    return DoorReport(clock.read().boot_ns, (), broken=False) if written == NO_REPORT else written


@contextmanager
def kiosk_at(
    folder: Path,
    url: str,
    *,
    name: str = "kiosk-1",
    key: Ed25519PrivateKey = KEY,
    at: datetime = NOON,
    boot: str = BOOT,
) -> Iterator[Kiosk]:
    clock = ManualClock(at)
    journal, reader = open_journal(folder, clock, kiosk=name, boot=boot), JournalReader(folder / "journal.db")
    cache = RosterCache.open(folder / "cache.db", boot=boot)
    with uplink_to(url, key=key, clock=clock) as uplink:
        sync = Sync(
            reader,
            cache,
            uplink,
            clock,
            names_key_path=folder / "run" / "names.key",
            door=lambda: door_report(folder, clock),
            boot=boot,
            app="test",
            interval_s=5.0,
            jitter=lambda: 0.5,
        )
        kiosk = Kiosk(name, folder, boot, clock, journal, reader, cache, sync)
        try:
            yield kiosk
        finally:
            kiosk.journal.close()
            reader.close()
            cache.close()


@contextmanager
def model() -> Iterator[ModelServer]:
    with ModelServer() as server:
        server.trust(KEY.public_key())
        yield server
