"""Each way to break the protocol is found out by what the machine checks; the same events end well without it."""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from attendance.records import Direction
from bench.sync_model.events import EVENTS, live
from bench.sync_model.machine import Ground, ground
from bench.sync_model.mutants import MUTANTS
from bench.sync_model.way import Fate
from bench.sync_model.world import World


@pytest.fixture(scope="module")
def on() -> Iterator[Ground]:
    with ground(sockets=False) as made:
        yield made


def test_every_mutant_has_events_that_it_shows_in() -> None:
    assert EVENTS.keys() == MUTANTS.keys()


@pytest.mark.parametrize("name", EVENTS)
def test_a_broken_rule_of_the_protocol_is_found_out(on: Ground, name: str) -> None:
    with pytest.raises(AssertionError):
        live(on, EVENTS[name], MUTANTS[name])


@pytest.mark.parametrize("name", EVENTS)
def test_the_same_events_end_well_when_nothing_is_broken(on: Ground, name: str) -> None:
    live(on, EVENTS[name], nullcontext)


def test_what_was_acknowledged_before_the_way_broke_is_told_to_a_restored_server(on: Ground) -> None:
    def events(world: World) -> None:
        world.tap(0, 0, Direction.ENTRY, 1)
        world.restart_door(0)
        world.tap(0, 1, Direction.ENTRY, 1)
        world.sides[0].way.fates.extend([Fate.ARRIVES, Fate.ARRIVES, Fate.LOST])
        world.sync(0)
        world.check()
        world.restore(0)

    live(on, events, nullcontext)
