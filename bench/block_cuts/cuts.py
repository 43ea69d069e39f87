"""Cuts the power between the writes of a recorded disk, and counts by phase what was lost by it."""

import random
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

from bench.block_cuts.block_log import Entry
from bench.block_cuts.disk import Disk, Loss
from bench.block_cuts.machine import MEMORY, Recording
from bench.block_cuts.marks import PROMISES, Began, Phase, mark_in
from bench.block_cuts.promised import Promised
from bench.block_cuts.recovery import Broken, mount_alone, recover
from bench.power_cuts import Tally

CORES = 2


def cut(recording: Recording, points: Mapping[Phase, int]) -> dict[Phase, Tally]:
    """Cut the power at so many points of each phase, spread evenly, in three ways each."""
    chosen = choose(recording.entries, points)
    shares = [frozenset(chosen[first::CORES]) for first in range(CORES)]
    with ProcessPoolExecutor(CORES, initializer=mount_alone) as pool:
        tallies = list(pool.map(_cut_at, [recording] * CORES, shares))
    total = {phase: sum((tally[phase] for tally in tallies), Tally()) for phase in points}
    for phase, promises in _promises(recording.entries).items():
        if phase in total:
            total[phase].acknowledged = promises
    return total


def choose(entries: Sequence[Entry], points: Mapping[Phase, int]) -> list[int]:
    """Return the numbers of entries after which to cut: of each phase so many, spread evenly, up to the last mark."""
    of_phase: dict[Phase, list[int]] = defaultdict(list)
    phase: Phase | None = None
    marks = [mark_in(entry) for entry in entries]
    end = max(number for number, mark in enumerate(marks) if mark is not None)
    for number, mark in enumerate(marks[: end + 1]):
        if isinstance(mark, Began):
            phase = mark.phase
        if phase is not None:
            of_phase[phase].append(number)
    return sorted(number for phase, wanted in points.items() for number in _spread(of_phase[phase], wanted))


def _spread(numbers: Sequence[int], wanted: int) -> Iterable[int]:
    """Of many so many, the last among them."""
    count = min(wanted, len(numbers))
    return (numbers[(place + 1) * len(numbers) // count - 1] for place in range(count))


def _cut_at(recording: Recording, points: frozenset[int]) -> dict[Phase, Tally]:
    tallies: dict[Phase, Tally] = {phase: Tally() for phase in Phase}
    disk, promised, phase = Disk(recording.content), Promised(), Phase.ENROLMENT
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="tadaima-") as scratch:
        for number, entry in enumerate(islice(recording.entries, max(points) + 1)):
            disk.apply(entry)
            mark = mark_in(entry)
            if mark is not None:
                promised.note(mark)
            if isinstance(mark, Began):
                phase = mark.phase
            if number in points:
                for loss in Loss:
                    left = disk.after(loss, random.Random(number))
                    _judge(tallies[phase], promised, left, Path(scratch), f"{loss} at {number}")
    return tallies


def _judge(tally: Tally, promised: Promised, content: bytes, scratch: Path, where: str) -> None:
    tally.cuts += 1
    try:
        harm = promised.harm(recover(content, scratch, promised.told))
    except Broken as error:
        tally.wrong += 1
        tally.note(str(error), where)
        return
    tally.lost += harm.lost is not None
    tally.doubled += harm.doubled is not None
    tally.wrong += harm.wrong is not None
    for what in filter(None, harm):
        tally.note(what, where)


def _promises(entries: Iterable[Entry]) -> dict[Phase, int]:
    """How many promises each phase holds."""
    counts: dict[Phase, int] = defaultdict(int)
    phase: Phase | None = None
    for mark in map(mark_in, entries):
        if isinstance(mark, Began):
            phase = mark.phase
        elif phase is not None and isinstance(mark, PROMISES):
            counts[phase] += 1
    return counts
