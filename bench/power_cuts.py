"""Cuts the power after every operation of a recorded disk, in three ways, and counts what a journal lost by it."""

import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from attendance.records import AttendanceRecord, JournalLine, SessionOpened, read_line
from bench.faulty_disk.mount import ROOT, FaultyDisk, faulty_disk
from bench.faulty_disk.nodes import ACKNOWLEDGED
from bench.faulty_disk.operations import Make, Operation, Write
from bench.faulty_disk.power_cut import Disk, Image
from bench.journal_writer import JOURNAL, Promise, Task, number_of, open_journal, promises
from kiosk.database import asides_of
from kiosk.errors import JournalError
from kiosk.journal_reader import JournalReader

MEMORY = Path("/dev/shm")
"""Where syncs cost nothing."""
Rows = dict[tuple[str, int], JournalLine]
"""Entries by session and number."""
Identify = Callable[[AttendanceRecord], Hashable]
"""What tells an entry from all others, or None for one that nobody wrote; not asked about headers."""
_EXAMPLES = 10


@dataclass
class Tally:
    """What came of all cuts."""

    cuts: int = 0
    acknowledged: int = 0
    lost: int = 0
    """Cuts after which an acknowledged entry was missing, or not what it was."""
    doubled: int = 0
    """Cuts after which an entry was there twice."""
    wrong: int = 0
    """Cuts after which the journal was damaged, or held what nobody wrote."""
    examples: list[str] = field(default_factory=list)

    def note(self, what: str, where: str) -> None:
        """Keep the first few for whoever looks into it."""
        if len(self.examples) < _EXAMPLES:
            self.examples.append(f"{what} {where}")

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.cuts + other.cuts,
            self.acknowledged + other.acknowledged,
            self.lost + other.lost,
            self.doubled + other.doubled,
            self.wrong + other.wrong,
            (self.examples + other.examples)[:_EXAMPLES],
        )


@contextmanager
def disk_in_memory() -> Iterator[FaultyDisk]:
    """Mount a faulty disk somewhere of its own."""
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="tadaima-") as scratch, faulty_disk(Path(scratch)) as disk:
        yield disk


def record(task: Task) -> list[Operation]:
    """Let a process append to a journal on a disk of our own, and return what the disk was asked."""
    with disk_in_memory() as disk:
        run_writer(disk.folder, task)
        return disk.record()


def run_writer(folder: Path, task: Task) -> None:
    """Let a process do a task and lose its power."""
    command = [sys.executable, "-m", "bench.journal_writer", str(folder), msgspec.json.encode(task).decode()]
    subprocess.run(command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL)


def cut(
    operations: Sequence[Operation],
    *,
    seed: int,
    lies: bool = False,
    identify: Identify = number_of,
    cuts: range | None = None,
    mends: bool = False,
) -> Tally:
    """Cut the power after each operation in three ways, or after some only, and look at what is left.

    With `lies` the disk did nothing when it was asked to sync; with `mends` a journal may be set aside, and what it
    holds is taken in. What is left twice in the same bytes is opened once.
    """
    tally = Tally()
    chance = random.Random(seed)
    disk = Disk(lies=lies)
    lines = _Lines(identify)
    promised: list[Promise] = []
    acknowledged = -1
    before: dict[str, tuple[Image, Rows | None]] = {}
    for boundary, operation in enumerate(operations):
        disk.apply(operation)
        if isinstance(operation, Make) and operation.path == f"/{ACKNOWLEDGED}":
            acknowledged = operation.file
        if isinstance(operation, Write) and operation.file == acknowledged:
            promised += promises(operation.data)
        if cuts is not None and boundary not in cuts:
            continue
        for loss, image in (("lost", disk.lost()), ("torn", disk.torn(chance)), ("kept", disk.kept())):
            image.pop(f"/{ACKNOWLEDGED}", None)
            same, rows = before.get(loss, (None, None))
            if image != same:
                rows = _recovered(image, lines, mends=mends)
                before[loss] = image, rows
            tally.cuts += 1
            _judge(tally, rows, promised, lines, f"{loss} at {boundary}")
    tally.acknowledged = len(promised)
    return tally


def lay_out(image: Image, folder: Path) -> None:
    """Write the files of a disk."""
    for path, content in image.items():
        file = folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


class _Lines:
    """Remembers what is known of lines and of sets of them, since each is met after thousands of cuts."""

    def __init__(self, identify: Identify) -> None:
        self._sound: set[frozenset[str]] = set()
        """By their hashes, sets of entries whose chains were verified."""
        self._identify = identify
        self._identities: dict[JournalLine, Hashable] = {}

    def verify(self, rows: Rows, reader: JournalReader) -> None:
        """Check file and chains, once for each set of entries. Raises: JournalError."""
        found = frozenset(line.hash for line in rows.values())
        if found not in self._sound:
            reader.verify()
            self._sound.add(found)

    def identities(self, rows: Rows) -> list[Hashable]:
        """What each entry is, without headers; None for those that nobody wrote."""
        for line in rows.values():
            if line not in self._identities:
                entry = read_line(line)
                self._identities[line] = () if isinstance(entry.body, SessionOpened) else self._identify(entry)
        found = (self._identities[line] for line in rows.values())
        return [each for each in found if each != ()]


def _recovered(image: Image, lines: _Lines, *, mends: bool) -> Rows | None:
    """Open a journal after a cut as the door does, and return its entries; None when it is not sound."""
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="tadaima-") as folder:
        lay_out(image, Path(folder))
        # Opening checks the file, begins a session, and sets aside what is damaged.
        journal = open_journal(Path(folder))
        with closing(journal), closing(JournalReader(Path(folder) / JOURNAL)) as reader:
            if journal.problem is not None or (asides_of(Path(folder) / JOURNAL) and not mends):
                return None
            try:
                journal.salvage()
                rows = {
                    (head.session, seq): line
                    for head in reader.heads()
                    if head.session != journal.session
                    for seq, line in enumerate(reader.read(head.session, 0, -1))
                }
                lines.verify(rows, reader)
            except JournalError:
                return None
            return rows


def _judge(tally: Tally, rows: Rows | None, promised: Sequence[Promise], lines: _Lines, where: str) -> None:
    if rows is None:
        tally.wrong += 1
        tally.note("damaged", where)
        return
    hashes = {key: line.hash for key, line in rows.items()}
    missing = sum(hashes.get((each.session, each.seq)) != each.hash for each in promised)
    if missing:
        tally.lost += 1
        tally.note(f"{missing} lost,", where)
    identities = lines.identities(rows)
    if None in identities:
        tally.wrong += 1
        tally.note("invented,", where)
    if len(identities) > len(set(identities)):
        tally.doubled += 1
        tally.note("doubled,", where)
