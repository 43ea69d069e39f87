"""The rows of the machine: examples over HTTP and without sockets on all cores, and each mutant that must be found."""

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from bench.figure import Counts, Row, proved
from bench.sync_model.events import EVENTS, live
from bench.sync_model.machine import Outcome, ground, try_out
from bench.sync_model.mutants import MUTANTS

CORES = 2
OVER_HTTP = 2_000
STRAIGHT = 8_000
ON_POSTGRESQL = 300
QUICK = 20
MOST_S = 1800.0
"""A slow machine does fewer."""


def rows(*, quick: bool) -> list[Row]:
    """Run the examples; with `quick` a few."""
    return [
        _row("kiosks and server over HTTP", _spread(QUICK if quick else OVER_HTTP, sockets=True)),
        _row("kiosks and server, no sockets", _spread(5 * QUICK if quick else STRAIGHT, sockets=False)),
        _row("kiosks and server on PostgreSQL", _spread(QUICK if quick else ON_POSTGRESQL, postgresql=True)),
        *(_row(name, found, control=True) for name, found in _mutants()),
    ]


def _spread(examples: int, *, sockets: bool = False, postgresql: bool = False) -> list[Outcome]:
    until_s = time.monotonic() + MOST_S
    with ProcessPoolExecutor(CORES) as pool:
        run = partial(_share, examples // CORES, sockets=sockets, postgresql=postgresql, until_s=until_s)
        shares = [pool.submit(run, core) for core in range(CORES)]
        return [share.result() for share in shares]


def _share(examples: int, core: int, *, sockets: bool, postgresql: bool, until_s: float) -> Outcome:
    logging.disable()
    return try_out(examples, sockets=sockets, postgresql=postgresql, seed=core * 1_000_000, until_s=until_s)


def _mutants() -> Iterator[tuple[str, list[Outcome]]]:
    logging.disable()
    with ground(sockets=False) as made:
        for name, broken in MUTANTS.items():
            fault = ""
            try:
                live(made, EVENTS[name], broken)
            except AssertionError as error:
                fault = str(error)
            yield name, [Outcome(1, 0, fault)]
    logging.disable(logging.NOTSET)


def _row(fault: str, found: Sequence[Outcome], *, control: bool = False) -> Row:
    if not control:
        for each in found:
            print(each.fault, end="\n" if each.fault else "")
    wrong = sum(each.fault != "" for each in found)
    counts = Counts(sum(each.examples for each in found), sum(each.acknowledged for each in found), 0, 0, wrong)
    return proved(fault, counts, control=control)
