"""The rows of clocks that lie: random histories on all cores, and what breaks a bound when it is broken on purpose."""

import logging
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from unittest.mock import patch

from attendance.clock import ClockState
from bench.clocks.histories import EVENTS, play
from bench.clocks.world import World, world_on
from bench.figure import Counts, Row, proved
from bench.sync_model.machine import ground
from server.timeline import DRIFT_PPM, WAY_MS

CORES = 2
HISTORIES = 2_000
QUICK = 60
LONGEST = 40
_MONTH_S = 30 * 24 * 3600.0
_NIGHT_S = 8 * 3600.0


def rows(*, quick: bool) -> list[Row]:
    """Play the histories; with `quick` a few."""
    histories = QUICK if quick else HISTORIES
    with ProcessPoolExecutor(CORES) as pool:
        shares = [pool.submit(_share, histories // CORES, core * HISTORIES) for core in range(CORES)]
        found = [share.result() for share in shares]
    moved, wrong = sum(share[0] for share in found), sum(share[1] for share in found)
    counts = Counts(CORES * (histories // CORES), moved, 0, 0, wrong)
    return [proved("clocks that lie, any history", counts), *_controls()]


def _share(histories: int, seed: int) -> tuple[int, int]:
    """Return how many movements were dated, and in how many histories something did not hold."""
    logging.disable()
    moved, wrong = 0, 0
    with ground(sockets=False) as on:
        for number in range(histories):
            drawn = random.Random(seed + number)
            history = [(drawn.randrange(2), drawn.choice(EVENTS)) for _ in range(drawn.randrange(5, LONGEST))]
            with world_on(on) as world:
                faults = play(world, history)
                moved += len(world.rows())
                wrong += bool(faults)
                print(*(f"clocks, history {seed + number}: {fault}\n" for fault in faults), sep="", end="")
    return moved, wrong


def drifting(world: World) -> None:
    """A month without a network on a crystal that is twice as bad as any."""
    world.kiosks[0].boot(ClockState.SAVED, ppm=2 * DRIFT_PPM)
    world.kiosks[0].enters()
    world.live(_MONTH_S)


def slow_way(world: World) -> None:
    """A request that is on its way for seconds."""
    world.kiosks[0].boot(ClockState.SAVED)
    world.kiosks[0].enters()
    world.kiosks[0].way.there_s = 8.0


def asleep(world: World) -> None:
    """A night that the boot's clock did not count."""
    world.kiosks[0].boot(ClockState.SAVED)
    world.kiosks[0].enters()
    world.live(_NIGHT_S, uncounted=True)


Control = tuple[str, Callable[[World], None], Callable[[], AbstractContextManager[object]]]
CONTROLS: tuple[Control, ...] = (
    ("a crystal worse than any", drifting, nullcontext),
    ("a request's way taken for short", slow_way, lambda: patch("server.timeline.UNHEARD_MS", WAY_MS)),
    ("a clock that does not count sleep", asleep, nullcontext),
)


def _controls() -> Iterator[Row]:
    logging.disable()
    with ground(sockets=False) as on:
        for name, happens, broken in CONTROLS:
            with world_on(on) as world, broken():
                happens(world)
                world.kiosks[0].sync.step()
                yield proved(name, Counts(1, len(world.rows()), 0, 0, len(world.faults())), control=True)
    logging.disable(logging.NOTSET)
