"""A process that appends to a journal and writes what was acknowledged to the same disk, in order with all else.

Usage: python -m bench.journal_writer FOLDER TASK. It ends without closing, as if the power went.
"""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlite_utils import Database

from attendance.cards import CardToken
from attendance.clock import SystemClock
from attendance.records import AttendanceRecord, Body, Direction, Head, MadeBy, Moved, write_line
from bench.faulty_disk.nodes import ACKNOWLEDGED
from kiosk.errors import JournalError
from kiosk.journal import Journal

JOURNAL = Path("kiosk/journal.db")
"""In a folder that the journal makes."""


class Variant(StrEnum):
    """The journal as it is, and two that are broken on purpose."""

    AS_BUILT = "as built"
    NOT_SYNCED = "synchronous=NORMAL"
    TOO_EARLY = "acknowledged before COMMIT"


class Task(msgspec.Struct, frozen=True):
    """What to append; of several sessions all but the last are closed."""

    first: int
    commits: int
    sessions: int = 1
    checkpoint_every: int = 0
    """After so many entries the log begins anew; 0: when SQLite sees fit, at a thousand pages."""
    variant: Variant = Variant.AS_BUILT


class Promise(NamedTuple):
    """One entry that was acknowledged."""

    session: str
    seq: int
    hash: str


class Acknowledgements:
    """The file of what was promised. Thread: one."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / ACKNOWLEDGED, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def promise(self, record: AttendanceRecord) -> None:
        """Say "ok" for a record."""
        self.promise_head(Head(record.session, record.seq, write_line(record).hash))

    def promise_head(self, head: Head) -> None:
        """Say "ok" for the last entry of a session."""
        os.write(self._file, f"{head.session} {head.seq} {head.hash}\n".encode())

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def promises(written: bytes) -> list[Promise]:
    """What a stretch of the file says."""
    lines = (line.split() for line in written.decode().splitlines())
    return [Promise(session, int(seq), digest) for session, seq, digest in lines]


class LooseJournal(Journal):
    """Does not wait for the disk."""

    def _opened(self) -> Database:
        db = super()._opened()
        db.execute("PRAGMA synchronous=NORMAL")
        return db


class HastyJournal(Journal):
    """Says "ok" when the row is inserted, before it is committed."""

    acknowledgements: Acknowledgements

    def _insert(self, db: Database, body: Body, session: str, after: Head | None) -> AttendanceRecord:
        record = super()._insert(db, body, session, after)
        if after is not None:
            self.acknowledgements.promise(record)
        return record


KINDS = {Variant.AS_BUILT: Journal, Variant.NOT_SYNCED: LooseJournal, Variant.TOO_EARLY: HastyJournal}


def open_journal(folder: Path, variant: Variant = Variant.AS_BUILT) -> Journal:
    """Open the journal on a disk as the door does."""
    journal = KINDS[variant](
        folder / JOURNAL, kiosk="kiosk-1", clock=SystemClock(), boot="0" * 32, app="0", key_id="0" * 32
    )
    return journal.begin()


def append(journal: Journal, numbers: Iterable[int], acknowledgements: Acknowledgements) -> int:
    """Append entries, promise those that were taken, and return how many were."""
    taken = 0
    for number in numbers:
        with suppress(JournalError):
            record = journal.append(body(number))
            if not isinstance(journal, HastyJournal):
                acknowledgements.promise(record)
            taken += 1
    return taken


def write(folder: Path, task: Task) -> None:
    """Do a task."""
    acknowledgements = Acknowledgements(folder)
    HastyJournal.acknowledgements = acknowledgements
    end = task.first + task.commits
    for session in range(task.sessions):
        journal = open_journal(folder, task.variant)
        numbers = range(task.first + session, end, task.sessions)
        step = task.checkpoint_every or len(numbers)
        for start in range(0, len(numbers), step):
            append(journal, numbers[start : start + step], acknowledgements)
            if task.checkpoint_every:
                checkpoint(journal)
        if session < task.sessions - 1:
            journal.close()


def checkpoint(journal: Journal) -> None:
    """Do at once what SQLite does of itself once the log holds a thousand pages."""
    assert journal._db is not None
    journal._db.execute("PRAGMA wal_checkpoint").fetchall()


def body(number: int) -> Moved:
    """An entry that is like no other, so that a doubled one shows; lengths differ."""
    card = CardToken(number.to_bytes(16, "big")).ref if number % 2 else None
    return Moved(child=f"child-{number}-{'x' * (number % 40)}", direction=Direction.ENTRY, by=MadeBy.CARD, card=card)


def number_of(record: AttendanceRecord) -> int | None:
    """The number of an entry, or None when it is none of ours, to the last byte."""
    entry = record.body
    if not isinstance(entry, Moved):
        return None
    name = entry.child.split("-")
    return int(name[1]) if len(name) == 3 and name[1].isdecimal() and body(int(name[1])) == entry else None


if __name__ == "__main__":
    write(Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Task))
    os._exit(0)
