"""The rows of the machine: examples over HTTP and without sockets on all cores, and each mutant that must be found."""

import io
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout

from bench.figure import Counts, Row, proved
from bench.sync_model.machine import Outcome, try_out
from bench.sync_model.mutants import MUTANTS

CORES = 2
OVER_HTTP = 2_000
STRAIGHT = 8_000
QUICK = 20
MOST_S = 1800.0
"""A slow machine does fewer."""
MUTANT_EXAMPLES = 400


def rows(*, quick: bool) -> list[Row]:
    """Run the examples; with `quick` a few."""
    return [
        _row("kiosks and server over HTTP", _spread(QUICK if quick else OVER_HTTP, sockets=True)),
        _row("kiosks and server, no sockets", _spread(5 * QUICK if quick else STRAIGHT, sockets=False)),
        *(_row(name, found, control=True) for name, found in _mutants()),
    ]


def _spread(examples: int, *, sockets: bool) -> list[Outcome]:
    until_s = time.monotonic() + MOST_S
    with ProcessPoolExecutor(CORES) as pool:
        shares = [pool.submit(_share, examples // CORES, sockets, core, until_s) for core in range(CORES)]
        return [share.result() for share in shares]


def _share(examples: int, sockets: bool, core: int, until_s: float) -> Outcome:  # noqa: FBT001 - over to a process
    logging.disable()
    return try_out(examples, sockets=sockets, seed=core * 1_000_000, until_s=until_s)


def _mutants() -> list[tuple[str, list[Outcome]]]:
    with ProcessPoolExecutor(CORES) as pool:
        return [(name, [found]) for name, found in zip(MUTANTS, pool.map(_mutant, MUTANTS), strict=True)]


def _mutant(name: str) -> Outcome:
    logging.disable()
    with redirect_stdout(io.StringIO()):
        return try_out(MUTANT_EXAMPLES, sockets=False, seed=0, broken=MUTANTS[name])


def _row(fault: str, found: Sequence[Outcome], *, control: bool = False) -> Row:
    if not control:
        for each in found:
            print(each.fault, end="\n" if each.fault else "")
    wrong = sum(each.fault != "" for each in found)
    counts = Counts(sum(each.examples for each in found), sum(each.acknowledged for each in found), 0, 0, wrong)
    return proved(fault, counts, control=control)
