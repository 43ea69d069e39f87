"""Nothing lost, nothing doubled, nothing invented: faults brought about again and again, and what was promised."""

import errno
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from unittest.mock import patch

from bench import bad_network, cut_off, hostile, killing, two_doors
from bench.block_cuts import proofs as block_cuts
from bench.clocks import measure as clocks
from bench.disk_faults import FAULTS, Life, spoil_and_set_aside, suffer, suffer_in_turn
from bench.faulty_disk.faults import Fail
from bench.faulty_disk.operations import Operation
from bench.figure import Counts, Row, proved
from bench.journal_writer import Task, Variant
from bench.power_cuts import Tally, cut, record
from bench.sync_model import measure as sync_model

CORES = 2
SYNC = Fail(("sync",), errno.EIO)
FOLDER_SYNC = Fail(("sync_folder",), errno.EIO)
WRITE = Fail(("write",), errno.EIO)


def run(*, quick: bool) -> Iterator[Row]:
    """Measure, and yield each row as it is known; with `quick` fewer cycles of the same kinds."""
    yield from _power_cuts(quick=quick)
    yield from _failing_disks(quick=quick)
    yield from _damage()
    yield from block_cuts.rows(quick=quick)
    yield from killing.rows(quick=quick)
    yield from bad_network.rows()
    yield from two_doors.rows(quick=quick)
    yield from cut_off.rows(quick=quick)
    yield from sync_model.rows(quick=quick)
    yield from clocks.rows(quick=quick)
    yield from hostile.rows(quick=quick)


def _power_cuts(*, quick: bool) -> list[Row]:
    """A journal over three lives of the door whose log begins anew often; in full also one whose log runs full.

    Each cut opens a journal and reads it whole, so many short ones cost less than a long one.
    """
    tasks = [Task(first=0, commits=210, sessions=3, checkpoint_every=12)]
    if not quick:
        tasks = [*9 * tasks, Task(first=0, commits=360)]
    short = record(Task(first=0, commits=40))
    return [
        _row(
            "power cut at each operation", sum(map(_cut_on_all_cores, map(record, tasks), range(len(tasks))), Tally())
        ),
        *(
            _row(variant.value, cut(record(Task(first=0, commits=40, variant=variant)), seed=1), control=True)
            for variant in (Variant.NOT_SYNCED, Variant.TOO_EARLY)
        ),
        _row("a card that lies about syncs", cut(short, seed=1, lies=True), control=True),
    ]


def _cut_on_all_cores(operations: list[Operation], seed: int) -> Tally:
    shares = [range(first, len(operations), CORES) for first in range(CORES)]
    with ProcessPoolExecutor(CORES) as pool:
        tallies = [pool.submit(cut, operations, seed=CORES * seed + share.start, cuts=share) for share in shares]
    total = sum((tally.result() for tally in tallies), start=Tally())
    # Each share knows all promises.
    total.acknowledged //= CORES
    return total


def _failing_disks(*, quick: bool) -> list[Row]:
    """Faults that stay until the disk is healed, and each of the first operations failing once."""
    rows = [
        _row(f"{name}, power cut after", sum((suffer(fault, life).tally for life in Life), start=Tally()))
        for name, fault in FAULTS.items()
    ]
    turns = 1 if quick else 6
    once = sum((suffer_in_turn(fault, life, turns) for fault in (SYNC, FOLDER_SYNC, WRITE) for life in Life), Tally())
    rows.append(_row("one sync or write fails, power cut after", once))
    with patch("kiosk.database._rewrite_log"):
        rows.append(_row("log not written again at opening", suffer(SYNC, Life.REOPENS).tally, control=True))
    return rows


def _damage() -> list[Row]:
    rows = [_row("power cut while a damaged journal is set aside", spoil_and_set_aside())]
    with patch("kiosk.database._finish_setting_aside"):
        rows.append(_row("log does not follow its file", spoil_and_set_aside(), control=True))
    return rows


def _row(fault: str, tally: Tally, *, control: bool = False) -> Row:
    counts = Counts(tally.cuts, tally.acknowledged, tally.lost, tally.doubled, tally.wrong)
    return proved(fault, counts, control=control)
