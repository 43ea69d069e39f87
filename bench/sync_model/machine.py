"""The Hypothesis state machine over a `World`, and how many of its examples are run."""

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as use_seed
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from requests.adapters import HTTPAdapter

from attendance.records import Direction
from bench.postgresql import Cluster
from bench.sync_model.database import Database, PostgresqlDatabase, SqliteFile
from bench.sync_model.server import CHILDREN, LATE, RealServer, Shortcut
from bench.sync_model.side import Enrolled
from bench.sync_model.way import Fate
from bench.sync_model.world import DAY_S, PRUNED_AFTER_S, SIDES, World, new_kiosk
from kiosk.loopback import LoopbackServer

MEMORY = Path("/dev/shm")
"""Where syncs cost nothing; what a disk does is tried elsewhere."""
STEPS = 25
DAYS_AWAY = 30
_AT_ONCE = 50
_HOUR_S = 3600.0

sides = st.integers(0, SIDES - 1)
which = st.integers(0, 99)
fates = st.lists(st.sampled_from(Fate), max_size=4)


@dataclass
class Tally:
    """What was done so far."""

    examples: int = 0
    acknowledged: int = 0


@dataclass(frozen=True)
class Ground:
    """What many examples are run on, one after another."""

    folder: Path
    server: RealServer
    url: str
    carrier: HTTPAdapter
    kiosks: list[Enrolled]
    """The two that every world begins with."""
    tally: Tally

    def world(self) -> World:
        """Return a new world on this ground."""
        self.tally.examples += 1
        folder = self.folder / str(self.tally.examples)
        folder.mkdir()
        return World(folder, self.server, self.url, self.carrier, self.kiosks)


@contextmanager
def ground(*, sockets: bool, postgresql: bool = False) -> Iterator[Ground]:
    """Give the ground; with `sockets` every request goes over HTTP, without them straight to the server's app."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY, prefix="tadaima-")))
        database: Database = SqliteFile(folder)
        if postgresql:
            cluster = stack.enter_context(closing(Cluster()))
            database = PostgresqlDatabase(stack.enter_context(cluster.database()))
        server = stack.enter_context(closing(RealServer(folder, database)))
        if sockets:
            web = LoopbackServer(server.app, "127.0.0.1", 0, name="server", threads=2)
            web.start()
            stack.callback(web.stop)
            carrier, url = HTTPAdapter(), web.url
        else:
            carrier, url = Shortcut(server.app), "http://server.invalid/"
        stack.callback(carrier.close)
        kiosks = [new_kiosk(server) for _ in range(SIDES)]
        server.beginning = server.backup()
        yield Ground(folder, server, url.rstrip("/"), carrier, kiosks, Tally())


class Meeting(RuleBasedStateMachine):
    """Two kiosks, one server, and everything that happens to them."""

    ground: Ground

    def __init__(self) -> None:
        super().__init__()
        self.world = self.ground.world()

    @rule(
        side=sides, child=st.integers(0, CHILDREN + LATE - 1), way=st.sampled_from(Direction), count=st.integers(1, 3)
    )
    def tap(self, side: int, child: int, way: Direction, count: int) -> None:
        self.world.tap(side, child, way, count)

    @rule(side=sides)
    def undo(self, side: int) -> None:
        self.world.undo(side)

    @rule(side=sides, seconds=st.sampled_from([-_HOUR_S, -2.0, 2.0, _HOUR_S]))
    def step_clock(self, side: int, seconds: float) -> None:
        self.world.step_clock(side, seconds)

    @rule(side=sides)
    def restart_door(self, side: int) -> None:
        self.world.restart_door(side)

    @rule(side=sides)
    def restart_sync(self, side: int) -> None:
        self.world.restart_sync(side)

    @rule(side=sides, days_off=st.sampled_from([None, 0.0, -30.0]))
    def reboot(self, side: int, days_off: float | None) -> None:
        self.world.reboot(side, days_off=days_off)

    @rule(side=sides)
    def throw_cache_away(self, side: int) -> None:
        self.world.throw_cache_away(side)

    @rule(side=sides)
    def copy_disk(self, side: int) -> None:
        self.world.copy_disk(side)

    @rule(which=which, cache=st.booleans())
    def put_disk_back(self, which: int, cache: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        self.world.put_disk_back(which, cache=cache)

    @rule(side=sides)
    def lose_disk(self, side: int) -> None:
        self.world.lose_disk(side)

    @rule(side=sides)
    def enrol_anew(self, side: int) -> None:
        self.world.enrol_anew(side)

    @rule(side=sides, page=which, seed=which)
    def damage(self, side: int, page: int, seed: int) -> None:
        self.world.damage(side, page, seed)

    @rule(side=sides)
    def upkeep(self, side: int) -> None:
        self.world.upkeep(side)

    @rule(side=sides)
    def sync(self, side: int) -> None:
        self.world.sync(side)

    @rule(side=sides, fates=fates)
    def sync_over_a_bad_way(self, side: int, fates: list[Fate]) -> None:
        self.world.sides[side].way.fates.extend(fates)
        self.world.sync(side)

    @rule(side=sides, which=which)
    def deliver_late(self, side: int, which: int) -> None:
        self.world.deliver_late(side, which)

    @rule(side=sides, which=which)
    def replay(self, side: int, which: int) -> None:
        self.world.replay(side, which)

    @rule(side=sides, which=which)
    def poison(self, side: int, which: int) -> None:
        self.world.poison(side, which)

    @rule(side=sides, which=which)
    def rewrite_history(self, side: int, which: int) -> None:
        self.world.rewrite_history(side, which)

    @rule()
    def heal(self) -> None:
        self.world.heal()

    @rule()
    def back_up(self) -> None:
        self.world.back_up()

    @rule(which=which)
    def restore(self, which: int) -> None:
        self.world.restore(which)

    @rule(seconds=st.sampled_from([20.0, 600.0, _HOUR_S, 12 * _HOUR_S, 2 * DAY_S, PRUNED_AFTER_S]))
    def pass_time(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule()
    def import_roster(self) -> None:
        self.world.import_roster()

    @rule(
        side=sides,
        hours=st.sampled_from([0.1, 9, 62]),
        step=st.sampled_from([0.0, -_HOUR_S, 9.0]),
        asking=st.booleans(),
    )
    def suspend(self, side: int, hours: float, step: float, asking: bool) -> None:  # noqa: FBT001 - drawn by Hypothesis
        self.world.suspend(side, hours * _HOUR_S, step, asking=asking)

    @precondition(lambda self: not self.world.was_away)  # once costs as much as all the rest
    @rule(side=sides)
    def go_without_network(self, side: int) -> None:
        self.world.go_without_network(side, DAYS_AWAY)

    @rule()
    def settle(self) -> None:
        self.world.settle()

    @invariant()
    def nothing_is_lost_or_invented(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        try:
            self.world.settle()
            self.ground.tally.acknowledged += self.world.acknowledged()
        finally:
            self.world.close()


@dataclass(frozen=True)
class Outcome:
    """What came of some examples."""

    examples: int
    acknowledged: int
    """Entries that a server held in the end, all examples together."""
    fault: str = ""
    """What did not hold; empty for nothing."""


def try_out(
    examples: int,
    *,
    sockets: bool,
    seed: int,
    postgresql: bool = False,
    steps: int = STEPS,
    until_s: float = math.inf,
    broken: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Outcome:
    """Run examples until something does not hold, or `until_s` of the monotonic clock; `broken` makes mutants of parts.

    Thread: the main one of a process that tries nothing else.
    """
    done = settings(
        database=None,
        deadline=None,
        max_examples=min(examples, _AT_ONCE),
        phases=(Phase.generate,),
        print_blob=False,
        report_multiple_bugs=False,
        stateful_step_count=steps,
        suppress_health_check=list(HealthCheck),
    )
    with ground(sockets=sockets, postgresql=postgresql) as made:
        while made.tally.examples < examples and time.monotonic() < until_s:
            on_ground = type("MeetingOnGround", (Meeting,), {"ground": made})
            seed += 1
            try:
                with broken():
                    run_state_machine_as_test(use_seed(seed)(on_ground), settings=done)
            except Exception as error:  # noqa: BLE001 - whatever it is, it did not hold
                return Outcome(made.tally.examples, made.tally.acknowledged, f"seed {seed}: {error!r}")
        return Outcome(made.tally.examples, made.tally.acknowledged)
