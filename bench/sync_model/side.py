"""One kiosk at the door: its real journal, cache and sync, its clock, and what its disk is known to hold."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attendance.clock import ClockState, ManualClock, from_ms
from attendance.presence import Presence
from attendance.records import AttendanceRecord, Body, Head, JournalLine, Moved, read_line, write_line
from attendance.signatures import key_id, sign
from attendance.wire import ENTRIES_PATH, EntriesRequest, encode
from bench.sync_model.way import Way
from kiosk.door_report import DoorReport
from kiosk.identity import Identity
from kiosk.journal import Journal
from kiosk.journal_reader import JournalReader
from kiosk.own_records import OwnRecords
from kiosk.roster_cache import RosterCache
from kiosk.sync import Sync
from kiosk.today import Today, best_now
from kiosk.uplink import Uplink

Sessions = dict[str, list[JournalLine]]
LONG_AGO = datetime(1970, 1, 1, 9, tzinfo=UTC)
_JOURNAL, _CACHE = "journal.db", "cache.db"


@dataclass(frozen=True)
class Enrolled:
    """Who a kiosk is to the server."""

    name: str
    key: Ed25519PrivateKey


@dataclass(frozen=True)
class Disk:
    """A copy of a kiosk's files, and what is known of them."""

    journal: bytes
    cache: bytes
    enrolled: Enrolled
    held: Sessions
    knows: dict[str, int]


class Side:
    """A kiosk. Thread: one."""

    def __init__(self, folder: Path, url: str, way: Way, enrolled: Enrolled, clock: ManualClock) -> None:
        self._folder = folder
        self.url = url
        self.way = way
        self.enrolled = enrolled
        self.clock = clock
        self.held: Sessions = {}
        """What must be on the disk."""
        self.knows: dict[str, int] = {}
        """How far the server acknowledged each session to this cache, at least."""
        self._boots = 0
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount(url, way)  # more of an address than what an uplink mounts
        self.boot_up()

    @property
    def path(self) -> Path:
        return self._folder / _JOURNAL

    def boot_up(self) -> None:
        """Begin to live: a boot of its own, a session of its own, nothing in memory."""
        was = self.clock.read()
        self.clock = ManualClock(from_ms(was.wall_ms), boot_ns=0, state=was.state)
        self._boots += 1
        self.boot = f"{self._boots:032x}"
        self.cache = RosterCache.open(self._folder / _CACHE, boot=self.boot)
        self.reader = JournalReader(self.path)
        self.open_door()
        self.start_sync()

    def shut_down(self) -> None:
        self.journal.close()
        self.reader.close()
        self.cache.close()

    def close(self) -> None:
        self.shut_down()
        self._session.close()

    def open_door(self) -> None:
        """The door's process begins."""
        self.journal = Journal(
            self.path,
            kiosk=self.enrolled.name,
            clock=self.clock,
            boot=self.boot,
            app="bench",
            key_id=key_id(self.enrolled.key.public_key()),
        ).begin()
        self.note_session()

    def start_sync(self) -> None:
        """The process that sends begins."""
        identity = Identity(kiosk=self.enrolled.name, site="", site_name="", server_url=self.url, uid_key=bytes(32))
        self.sync = Sync(
            self.reader,
            self.cache,
            Uplink(identity, self.enrolled.key, self._session, self.clock),
            self.clock,
            names_key_path=self._folder / "run" / "names.key",
            door=lambda: DoorReport(self.clock.read().boot_ns, (), broken=False),
            boot=self.boot,
            app="bench",
            interval_s=5.0,
            jitter=lambda: 0.5,
        )

    def note_session(self) -> None:
        """Note the header of the running session, if it was begun just now."""
        session = self.journal.session
        if session is not None and session not in self.held:
            self.held[session] = self.reader.read(session, 0, 1)

    def append(self, body: Body) -> JournalLine:
        """Record something at the door; what comes back is on the disk."""
        record = self.journal.append(body)
        self.note_session()
        line = write_line(record)
        self.held[record.session].append(line)
        return line

    def send_unasked(self, record: AttendanceRecord, created: datetime) -> None:
        """Send the server an entry, well signed, that no step of sync sends."""
        body = encode(EntriesRequest(session=record.session, from_seq=record.seq, entries=(write_line(record),)))
        headers = sign("POST", ENTRIES_PATH, body, key=self.enrolled.key, created=created)
        self.way.repeat(requests.Request("POST", f"{self.url}{ENTRIES_PATH}", data=body, headers=headers).prepare())

    def last_moved(self) -> int | None:
        """Return the number of the last movement of the running session."""
        lines = self.held[self.journal.session or ""]
        return next((seq for seq in reversed(range(len(lines))) if isinstance(read_line(lines[seq]).body, Moved)), None)

    def image(self) -> Disk:
        """Copy the disk."""
        journal, cache = _whole(self.path), _whole(self._folder / _CACHE)
        held = {session: [*lines] for session, lines in self.held.items()}
        return Disk(journal, cache, self.enrolled, held, dict(self.knows))

    def put_back(self, disk: Disk, *, cache: bool) -> None:
        """Write an older copy to the disk and boot from it; without its cache, and identity, only the journal."""
        self.shut_down()
        self._write(_JOURNAL, disk.journal)
        self.held = {key: [*lines] for key, lines in disk.held.items()}
        if cache:
            self._write(_CACHE, disk.cache)
            self.knows, self.enrolled = dict(disk.knows), disk.enrolled
        self.boot_up()

    def lose_disk(self) -> None:
        """Begin with an empty disk, but the same identity."""
        self.shut_down()
        self._write(_JOURNAL, None)
        self._write(_CACHE, None)
        self.held, self.knows = {}, {}
        self.boot_up()

    def lose_cache(self) -> None:
        self.cache.close()
        self._write(_CACHE, None)
        self.knows = {}

    def enrol_anew(self, enrolled: Enrolled) -> None:
        """Take another identity and keep the journal."""
        self.shut_down()
        self.enrolled = enrolled
        self.boot_up()

    def set_clock(self, at: datetime, state: ClockState) -> None:
        """The clock as it is at the next boot."""
        self.clock = ManualClock(at, state=state)

    def damage(self, page: int, garbage: bytes) -> None:
        """Spoil a page of the closed journal; the door finds out as it opens it again."""
        self.reader.close()
        self.journal.close()  # the last one, if it may write, brings the log into the file
        with self.path.open("r+b") as file:
            pages = self.path.stat().st_size // len(garbage)
            file.seek(page % pages * len(garbage))
            file.write(garbage)
        self.open_door()
        self.journal.salvage()

    def presence(self) -> dict[str, Presence]:
        """Return today as the door sees it."""
        now = best_now(self.clock.read(), self.cache.contact())
        own = OwnRecords(self.journal)
        own.load(now)
        return Today(now, own.this_boot, own.earlier, self.cache.presence()).presence()

    def heads(self) -> list[Head]:
        """Return the heads that must be on the disk."""
        return sorted(Head(session, len(lines) - 1, lines[-1].hash) for session, lines in self.held.items())

    def lines(self) -> Iterator[tuple[str, list[JournalLine]]]:
        """Return each session as it is on the disk."""
        for head in self.reader.heads():
            yield head.session, self.reader.read(head.session, 0, -1)

    def _write(self, name: str, content: bytes | None) -> None:
        for path in self._folder.glob(f"{name}*"):
            if "damaged" not in path.name or content is None:
                path.unlink()
        if content is not None:
            (self._folder / name).write_bytes(content)


def _whole(path: Path) -> bytes:
    """The bytes of a database that others have open."""
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(":memory:")) as copy:
        source.backup(copy)
        return copy.serialize()
