"""What the doctor finds of the kiosk's two processes, door and sync, by what they last said of themselves."""

from collections.abc import Iterator
from pathlib import Path

from attendance.clock import NS_IN_S, Clock
from attendance.finding import Finding
from attendance.wire import DoorProblem, SyncProblem
from kiosk.beside import Known
from kiosk.config import KioskSettings
from kiosk.doctor.locks import WHOLE_FILE, Lock, write_locks
from kiosk.door_report import read_report
from kiosk.sync_report import SyncReport, read_sync_report

CONTACT_OLD_S = 300.0
_OF_SYNC = frozenset(SyncProblem)


def door_lock_held(data_dir: Path) -> Lock | None:
    """Return the lock by which a door process has the kiosk's folder, without touching it; None when no door runs."""
    return next((lock for lock in write_locks(data_dir) if lock.kind == WHOLE_FILE), None)


def check_door(settings: KioskSettings, clock: Clock) -> Iterator[Finding]:
    """Yield whether the door runs, and what it says of itself."""
    lock = door_lock_held(settings.data_dir)
    if lock is None:
        yield Finding("door_stopped", wrong=True)
        return
    report = read_report(settings.runtime_dir)
    problems = report.problems(clock.read().boot_ns, lock.began_boot_ns)
    if DoorProblem.DOOR_SILENT in problems:
        yield Finding("door_hangs", wrong=True)
        return
    if DoorProblem.JOURNAL_UNWRITABLE in problems:
        yield Finding("door_broken", wrong=True)
    if report.readers_down:
        yield Finding("door_readers", wrong=True, values={"names": ", ".join(report.readers_down)})
    if DoorProblem.JOURNAL_UNWRITABLE not in problems and not report.readers_down:
        yield Finding("door")


def check_sync(settings: KioskSettings, clock: Clock, known: Known) -> Iterator[Finding]:
    """Yield whether sync runs, what it says of itself, and when it last heard the server."""
    report, now_ns = read_sync_report(settings.runtime_dir), clock.read().boot_ns
    silent = report is None or report.silent_s(now_ns) > 0
    if report is None or silent:
        yield Finding("sync_silent", wrong=True)
    else:
        for problem in report.problems:
            if problem in _OF_SYNC:
                yield Finding(f"sync_{problem}", wrong=True)
        if report.quarantined:
            yield Finding("sync_quarantined", wrong=True, values={"entries": report.quarantined})
        if not report.problems and not report.quarantined:
            yield Finding("sync")
    yield from _contact(known, now_ns, None if silent else report)


def _contact(known: Known, now_ns: int, report: SyncReport | None) -> Iterator[Finding]:
    """How long ago the server was heard, and what sync says is in between; it may try what the doctor does not."""
    reason = "-" if report is None else report.fault or "-"
    if known.contact is not None:
        old_s = (now_ns - known.contact.at_boot_ns) / NS_IN_S
        if old_s > CONTACT_OLD_S:
            yield Finding("contact_old", wrong=True, values={"minutes": int(old_s // 60), "reason": reason})
    elif report is not None and known.error is None:
        yield Finding("contact_none", wrong=True, values={"reason": reason})
