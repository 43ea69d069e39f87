"""A whole kiosk for the doctor's tests, well in every way until a test brings trouble about."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from attendance.clock import ClockState, ManualClock
from attendance.finding import Finding
from attendance.signatures import key_id
from kiosk.answer import DoorStatus
from kiosk.catalogues import catalogues
from kiosk.config import KioskSettings, ReaderKind, ReaderSettings, SyncSettings
from kiosk.doctor import examine
from kiosk.door_report import ReportingDisplay, read_report
from kiosk.identity import load_key
from kiosk.journal import Journal
from kiosk.journal_reader import JournalReader
from kiosk.only_one import door_lock
from kiosk.roster_cache import RosterCache
from kiosk.sync import Sync
from kiosk.sync_report import report_file
from tests.kiosk.enrolled import NOWHERE, enrol
from tests.kiosk.sync_parts import BOOT, QUICK, moved, uplink_to
from tests.model_server import NOON, ModelServer

UP_NS = 3600 * 1_000_000_000


def settings(folder: Path, **changes: object) -> KioskSettings:
    parts: dict[str, object] = {
        "data_dir": folder / "data",
        "runtime_dir": folder / "run",
        "readers": (ReaderSettings(name="front", kind=ReaderKind.FAKE),),
        "sync": SyncSettings(timeout_s=5),
    }
    return KioskSettings(**{**parts, **changes})  # type: ignore[arg-type]


def running_clock(state: ClockState = ClockState.NTP) -> ManualClock:
    """A clock that stands later than this process began, by which the doctor judges how long a door has run."""
    return ManualClock(NOON, boot_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME) + UP_NS, state=state)


def examined(wanted: KioskSettings, clock: ManualClock | None = None, boot: str = BOOT) -> dict[str, Finding]:
    """What the doctor finds, by code; each must have a sentence in every language, and a remedy when it is wrong."""
    findings = {finding.code: finding for finding in examine(wanted, clock or running_clock(), boot)}
    for finding in findings.values():
        for words in catalogues().values():
            assert len(finding.sentences(words)) == 1 + finding.wrong
    return findings


def wrong_of(findings: dict[str, Finding]) -> set[str]:
    return {code for code, finding in findings.items() if finding.wrong}


def open_journal(wanted: KioskSettings, clock: ManualClock, boot: str = BOOT) -> Journal:
    """The door's journal, of the kiosk and key that are enrolled."""
    return Journal(
        wanted.journal_path,
        kiosk="kiosk-1",
        clock=clock,
        boot=boot,
        app="test",
        key_id=key_id(load_key(wanted.data_dir).public_key()),
        busy_timeout_s=0.2,
    ).begin()


@dataclass
class House:
    """A kiosk whose door and sync this test is."""

    settings: KioskSettings
    clock: ManualClock
    journal: Journal
    reader: JournalReader
    cache: RosterCache
    server: ModelServer | None
    sync: Sync

    def findings(self) -> dict[str, Finding]:
        return examined(self.settings, self.clock)

    def wrong(self) -> set[str]:
        return wrong_of(self.findings())

    def let_go(self) -> None:
        """Close the journal everywhere, so that its log is emptied into the file."""
        self.reader.close()
        self.journal.close()

    def step(self) -> None:
        """One step of sync, and its word."""
        report_file(self.settings.runtime_dir).write(self.sync.report(self.sync.step()))

    def report(self, *, readers_down: tuple[str, ...] = (), broken: bool = False) -> None:
        """The door's word."""
        status = DoorStatus(0, 0, connected=True, readers_down=readers_down, broken=broken)
        ReportingDisplay(self.settings.runtime_dir, self.clock).status(status)


@contextmanager
def house(
    folder: Path,
    server: ModelServer | None,
    *,
    data_dir: Path | None = None,
    clock: ManualClock | None = None,
    door_runs: bool = True,
) -> Iterator[House]:
    """A kiosk with everything: enrolled, running, all sent, roster here. Without a server, sync was never heard."""
    clock = clock or running_clock()
    wanted = settings(folder, data_dir=data_dir or folder / "data")
    wanted.runtime_dir.mkdir(mode=0o700, parents=True)
    enrol(wanted.data_dir, server_url=server.url if server else NOWHERE)
    key = load_key(wanted.data_dir)
    with ExitStack() as stack:
        if door_runs:
            assert stack.enter_context(door_lock(wanted.data_dir))
        journal = open_journal(wanted, clock)
        stack.callback(journal.close)
        journal.lay_ballast()
        journal.append(moved())
        reader = JournalReader(wanted.journal_path)
        stack.callback(reader.close)
        cache = RosterCache.open(wanted.cache_path, boot=BOOT)
        stack.callback(cache.close)
        sync = Sync(
            reader,
            cache,
            stack.enter_context(uplink_to(server.url if server else NOWHERE, key=key, clock=clock, timeout=QUICK)),
            clock,
            names_key_path=wanted.names_key_path,
            door=lambda: read_report(wanted.runtime_dir),
            boot=BOOT,
            app="test",
            interval_s=2.0,
            jitter=lambda: 0.5,
        )
        built = House(wanted, clock, journal, reader, cache, server, sync)
        stack.callback(lambda: built.journal.close())  # a test may have begun another
        if server is not None:
            server.trust(key.public_key())
            built.step()
            built.step()
        built.report()
        yield built
