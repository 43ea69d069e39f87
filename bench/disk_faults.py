"""A journal on a disk that fails, is well again, and loses its power at any moment: what was acknowledged is there."""

import errno
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from msgspec.structs import replace

from bench.faulty_disk.faults import CHANGES, SYNCS, Fail
from bench.faulty_disk.mount import FaultyDisk
from bench.journal_writer import JOURNAL, Acknowledgements, Task, append, open_journal
from bench.power_cuts import Tally, cut, disk_in_memory, run_writer

FAULTS = {
    "sync fails": Fail(SYNCS, errno.EIO),
    "sync fails and takes back what was written": Fail(SYNCS, errno.EIO, drops=True),
    "write fails": Fail(("write",), errno.EIO),
    "disk full": Fail(("write", "make", "resize"), errno.ENOSPC),
    "read-only": Fail((*CHANGES, "open"), errno.EROFS),
}
"""What no entry can be made with."""
BEFORE = range(5)
MEANWHILE = range(5, 8)
AFTERWARDS = range(8, 12)


LONG = 150
"""So many entries have an index of several pages."""
PAGE_BYTES, LOG_HEADER_BYTES, FRAME_BYTES, INDEX_LEAF = 4096, 32, 24 + 4096, 0x0A
"""Source: sqlite.org/fileformat2.html, 1.6 and 4.1."""


class Life(StrEnum):
    """What becomes of the door's process while the disk fails."""

    GOES_ON = "goes on"
    REOPENS = "closes the journal and opens it again"
    IS_KILLED = "is killed"
    BEGINS = "begins on the failing disk"


@dataclass(frozen=True, slots=True)
class Suffered:
    """What came of one fault."""

    meanwhile: int
    """Entries acknowledged while the disk failed."""
    afterwards: int
    """And once it was well again."""
    tally: Tally


def suffer(fault: Fail, life: Life, *, seed: int = 1) -> Suffered:
    """Let a journal meet a fault, heal the disk, and cut the power after each operation from then on."""
    with disk_in_memory() as disk, closing(Acknowledgements(disk.folder)) as acknowledgements:
        before, meanwhile, afterwards = _LIVES[life](disk, fault, acknowledgements)
        operations = disk.record()
    tally = cut(operations, seed=seed, cuts=range(before, len(operations)))
    return Suffered(meanwhile, afterwards, tally)


def suffer_in_turn(fault: Fail, life: Life, turns: int) -> Tally:
    """Let each of the first operations that the fault means fail once, one in each run."""
    return sum(
        (suffer(replace(fault, after=turn, times=1), life, seed=turn).tally for turn in range(turns)), start=Tally()
    )


_Counts = tuple[int, int, int]
"""Operations before the fault, entries acknowledged meanwhile and afterwards."""


def _break(disk: FaultyDisk, fault: Fail) -> int:
    before = len(disk.record())
    disk.fail(fault)
    return before


def spoil_and_set_aside(*, seed: int = 1) -> Tally:
    """Spoil a page of a journal that others make up for, and cut the power while it is set aside and begun anew."""
    with disk_in_memory() as disk, closing(Acknowledgements(disk.folder)) as acknowledgements:
        with closing(open_journal(disk.folder)) as journal:
            append(journal, range(LONG), acknowledgements)
        run_writer(disk.folder, Task(first=LONG, commits=len(BEFORE)))
        before = len(disk.record())
        _spoil_index(disk.folder / JOURNAL)
        with closing(open_journal(disk.folder)) as journal:
            append(journal, range(LONG + len(BEFORE), LONG + 2 * len(BEFORE)), acknowledgements)
            after = len(disk.record())
        operations = disk.record()
    return cut(operations, seed=seed, cuts=range(before, after), mends=True)


def _spoil_index(path: Path) -> None:
    """Overwrite the beginning of a page of an index that the log does not hold."""
    content, log = path.read_bytes(), path.with_name(f"{path.name}-wal").read_bytes()
    in_log = {int.from_bytes(log[at : at + 4], "big") for at in range(LOG_HEADER_BYTES, len(log), FRAME_BYTES)}
    page = next(
        number
        for number in range(2, len(content) // PAGE_BYTES + 1)
        if content[(number - 1) * PAGE_BYTES] == INDEX_LEAF and number not in in_log
    )
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE_BYTES)
        file.write(b"\xff" * 64)


def _go_on(disk: FaultyDisk, fault: Fail, acknowledgements: Acknowledgements) -> _Counts:
    with closing(open_journal(disk.folder)) as journal:
        append(journal, BEFORE, acknowledgements)
        before = _break(disk, fault)
        meanwhile = append(journal, MEANWHILE, acknowledgements)
        disk.heal()
        return before, meanwhile, append(journal, AFTERWARDS, acknowledgements)


def _reopen(disk: FaultyDisk, fault: Fail, acknowledgements: Acknowledgements) -> _Counts:
    with closing(open_journal(disk.folder)) as journal:
        append(journal, BEFORE, acknowledgements)
        before = _break(disk, fault)
        meanwhile = append(journal, MEANWHILE, acknowledgements)
    disk.heal()
    with closing(open_journal(disk.folder)) as journal:
        return before, meanwhile, append(journal, AFTERWARDS, acknowledgements)


def _be_killed(disk: FaultyDisk, fault: Fail, acknowledgements: Acknowledgements) -> _Counts:
    run_writer(disk.folder, Task(first=BEFORE.start, commits=len(BEFORE)))
    before = _break(disk, fault)
    run_writer(disk.folder, Task(first=MEANWHILE.start, commits=len(MEANWHILE)))
    disk.heal()
    with closing(open_journal(disk.folder)) as journal:
        return before, 0, append(journal, AFTERWARDS, acknowledgements)


def _begin(disk: FaultyDisk, fault: Fail, acknowledgements: Acknowledgements) -> _Counts:
    before = _break(disk, fault)
    with closing(open_journal(disk.folder)) as journal:
        meanwhile = append(journal, MEANWHILE, acknowledgements)
        disk.heal()
        return before, meanwhile, append(journal, AFTERWARDS, acknowledgements)


_LIVES = {Life.GOES_ON: _go_on, Life.REOPENS: _reopen, Life.IS_KILLED: _be_killed, Life.BEGINS: _begin}
