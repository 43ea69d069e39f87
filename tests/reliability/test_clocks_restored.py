"""A server that was restored dates again, with the bounds it had, what was done in boots that are over.

The site has no NTP and its kiosk is switched off at night: nothing but the answers it had ties its clock to true time.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Row

from attendance.clock import ClockState
from bench.clocks.kiosk import Kiosk
from bench.clocks.world import World, world_on
from bench.sync_model.machine import Ground, ground
from server.timeline import WAY_MS, TimeSource

HOUR_S = 3600.0
DAYS = 5


@pytest.fixture(scope="module")
def on() -> Iterator[Ground]:
    with ground(sockets=False) as made:
        yield made


@pytest.fixture
def world(on: Ground) -> Iterator[World]:
    with world_on(on) as made:
        yield made


@pytest.fixture
def door(world: World) -> Kiosk:
    return world.kiosks[0]


def a_day(world: World, door: Kiosk, day: int, *, met: bool = True) -> None:
    """A boot whose clock stood still over night, and so is behind by more each day; `met`: with a network."""
    door.boot(ClockState.SAVED, off=timedelta(hours=-20 * (day + 1)))
    door.way.cut = not met
    world.live(60)
    door.enters()
    door.sync_all()
    world.live(4 * HOUR_S)
    door.leaves()
    door.strange_card()
    world.live(60)
    door.sync_all()
    door.way.cut = False
    door.power_off()
    world.live(20 * HOUR_S)


def again(world: World, door: Kiosk, backup: bytes) -> dict[str, Row[Any]]:
    """Restore the server and return what it makes of all that the kiosk brings the next morning."""
    world.server.restore(backup)
    door.boot(ClockState.SAVED, off=timedelta(hours=-20 * DAYS))
    world.settle()
    return world.rows()


def test_boots_that_ended_since_the_backup_have_their_times_again(world: World, door: Kiosk) -> None:
    backup = world.server.backup()
    for day in range(DAYS):
        a_day(world, door, day)
    before, strange = world.rows(), world.unknown_cards()
    after = again(world, door, backup)
    assert world.faults() == []
    assert len(after) == 2 * DAYS
    assert {row.at_source for row in after.values()} == {TimeSource.ANCHOR}
    assert max(row.at_err_ms for row in after.values()) <= WAY_MS + 1_000
    assert {each: row.day for each, row in after.items()} == {each: row.day for each, row in before.items()}
    assert all(abs(world.unknown_cards()[each].at_ms - row.at_ms) <= WAY_MS for each, row in strange.items())


def test_a_boot_that_was_going_on_at_the_backup_has_its_bounds_again(world: World, door: Kiosk) -> None:
    door.boot(ClockState.SAVED, off=timedelta(hours=-20))
    world.live(60)
    came = door.enters()
    door.sync.step()
    backup = world.server.backup()
    world.live(4 * HOUR_S)
    left = door.leaves()
    door.sync_all()
    door.power_off()
    world.live(20 * HOUR_S)
    after = again(world, door, backup)
    assert world.faults() == []
    assert all(after[each].at_source == TimeSource.ANCHOR for each in (came, left))
    assert all(after[each].at_err_ms <= WAY_MS + 1_000 for each in (came, left))


def test_of_a_boot_without_a_network_no_more_is_stated_than_is_known(world: World, door: Kiosk) -> None:
    backup = world.server.backup()
    for day in range(DAYS):
        a_day(world, door, day, met=day != 2)
    before = world.rows()
    after = again(world, door, backup)
    assert world.faults() == []
    assert before.keys() <= after.keys()
    unsettled = [row for row in after.values() if row.at_source == TimeSource.UNSETTLED]
    assert len(unsettled) == 2
    assert all(row.at_err_ms is not None and row.at_err_ms <= DAYS * 24 * HOUR_S * 1000 for row in unsettled)


def test_a_kiosk_whose_cache_was_lost_too_states_no_time_it_does_not_know(world: World, door: Kiosk) -> None:
    backup = world.server.backup()
    a_day(world, door, 0)
    for path in door._folder.glob("cache.db*"):
        path.unlink()
    after = again(world, door, backup)
    assert world.faults() == []
    assert {row.at_source for row in after.values()} == {TimeSource.UNSETTLED}
