"""Clocks that lie, between kiosk and server: slow ways, kiosks that disagree, a server whose own clock is wrong."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attendance.clock import ClockState
from bench.clocks.histories import EVENTS, Event, play
from bench.clocks.kiosk import Kiosk
from bench.clocks.world import World, world_on
from bench.sync_model.machine import Ground, ground
from server.timeline import WAY_MS, TimeSource

HOUR_S = 3600.0
HOUR_MS = 3_600_000


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
    """One of the site's kiosks, in a boot whose clock nothing keeps."""
    world.kiosks[0].boot(ClockState.SAVED, off=timedelta(days=-30))
    return world.kiosks[0]


def told(world: World, made: str) -> tuple[str, int]:
    row = world.rows()[made]
    return row.at_source, row.at_err_ms


# The way


@pytest.mark.parametrize(("there_s", "back_s"), [(8.0, 0.0), (0.0, 8.0), (12.0, 12.0), (20.0, 40.0)])
def test_a_slow_way_widens_the_bound_and_a_quick_one_narrows_it(
    world: World, door: Kiosk, there_s: float, back_s: float
) -> None:
    world.live(60)
    came, strange = door.enters(), door.strange_card()
    door.way.there_s, door.way.back_s = there_s, back_s
    way_ms = (there_s + back_s) * 1000
    for _ in range(2):
        door.sync.step()
        assert world.faults() == []
        assert way_ms / 2 <= told(world, came)[1] < way_ms / 2 + 600, "the kiosk says when it heard"
        world.live(5)
    door.way.there_s = door.way.back_s = 0.0
    for _ in range(2):
        world.live(5)
        door.sync.step()
    assert world.faults() == []
    assert told(world, came)[1] < WAY_MS + 50
    card = world.unknown_cards()[strange]
    assert abs(card.at_ms - world.done[strange].at_ms) < WAY_MS + 50, "an unknown card is dated anew too"


def test_without_hearing_from_the_kiosk_a_slow_way_would_break_the_bound(
    world: World, door: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test before."""
    monkeypatch.setattr("server.timeline.UNHEARD_MS", WAY_MS)
    door.enters()
    door.way.there_s = 8.0
    door.sync.step()
    assert any("off by" in fault for fault in world.faults())


def test_a_question_that_arrives_an_hour_late_changes_nothing(world: World, door: Kiosk) -> None:
    came = door.enters()
    door.way.sticks = True
    door.sync.step()
    door.way.sticks = False
    world.live(60)
    door.sync_all()
    before = world.rows()
    world.live(HOUR_S)
    door.way.arrive_late()
    assert world.rows() == before
    assert told(world, came)[0] == TimeSource.ANCHOR
    assert world.faults() == []


def test_a_first_question_that_arrives_an_hour_late_is_mended_by_the_next(world: World, door: Kiosk) -> None:
    came = door.enters()
    door.way.sticks = True
    door.sync.step()
    door.way.sticks = False
    world.live(HOUR_S)
    door.way.arrive_late()
    door.sync_all()
    assert world.faults() == []
    assert told(world, came)[0] == TimeSource.ANCHOR


# Two kiosks


@pytest.mark.parametrize("minutes", [7, -7, 90])
@pytest.mark.parametrize("keeper", [ClockState.RTC, ClockState.SAVED])
def test_two_kiosks_that_disagree_agree_on_who_is_in(world: World, keeper: ClockState, minutes: int) -> None:
    north, south = world.kiosks
    north.boot(keeper, off=timedelta(minutes=minutes))
    south.boot(ClockState.SAVED, off=timedelta(minutes=-5))
    for each in world.kiosks:
        each.sync_all()
    world.live(120)
    came = north.enters(0)
    north.enters(1)
    north.sync_all()
    south.sync_all()
    world.live(120)
    left = south.leaves(0)
    for _ in range(2):
        for each in (south, north):
            world.live(5)
            each.sync_all()
    assert world.faults() == []
    rows = world.rows()
    assert rows[left].at_ms - rows[came].at_ms == pytest.approx(120_000, abs=2 * WAY_MS)
    assert world.present() == {world.children[1]} == north.present() == south.present()
    assert not any(presence.flags for presence in world.presence().values())


# A journal that was set aside


@pytest.mark.parametrize("keeper", [ClockState.RTC, ClockState.SAVED, ClockState.NTP])
def test_a_boot_in_a_new_journal_is_bounded_by_no_boot_of_the_old_one(world: World, keeper: ClockState) -> None:
    door = world.kiosks[0]
    for _ in range(3):
        door.boot(ClockState.SAVED, off=timedelta(days=-30))
        door.sync_all()
        world.live(24 * HOUR_S)
    door.forget_journal()
    door.boot(keeper, err_ms=20 if keeper is ClockState.NTP else None)
    door.way.cut = True
    world.live(2 * 24 * HOUR_S)
    came = door.enters()
    world.live(2 * 24 * HOUR_S)
    door.boot(ClockState.SAVED, off=timedelta(days=-30))
    door.way.cut = False
    door.sync_all()
    assert world.faults() == []
    source, err_ms = told(world, came)
    assert source == (TimeSource.WALL if keeper is ClockState.NTP else TimeSource.UNSETTLED)
    assert err_ms < 10 * 24 * HOUR_MS, "the next boot, which names it, bounds it"


# The server's own clock


@pytest.mark.parametrize("ahead_s", [HOUR_S, -HOUR_S])
def test_a_server_whose_clock_is_wrong_is_told_of_and_corrects_no_kiosk(world: World, ahead_s: float) -> None:
    door = world.kiosks[0]
    door.boot(ClockState.NTP, err_ms=20)
    world.server.clock.step(ahead_s)
    world.live(60)
    came = door.enters()
    for _ in range(2):
        world.live(5)
        door.sync_all()
    assert world.alarm_ms() == pytest.approx(ahead_s * 1000, abs=1_000)
    assert abs(door.machine.read().wall_ms - world.now.timestamp() * 1000) <= 20
    assert world.faults() == [], "the bound holds the kiosk's time and the server's"
    source, err_ms = told(world, came)
    assert source == TimeSource.UNSETTLED
    assert err_ms >= HOUR_MS - 2_000
    world.server.clock.step(-ahead_s)
    for _ in range(3):
        world.live(5)
        for each in world.kiosks:
            each.sync_all()
    assert world.alarm_ms() == 0
    assert world.faults() == []
    source, err_ms = told(world, came)
    assert source == TimeSource.ANCHOR
    assert err_ms < WAY_MS + 50


def test_a_slow_way_is_not_taken_for_a_wrong_clock(world: World) -> None:
    door = world.kiosks[0]
    door.boot(ClockState.NTP, err_ms=20)
    door.way.there_s = 12.0
    world.live(120)  # nobody else has a say
    for _ in range(3):
        world.live(5)
        door.sync.step()
    assert world.alarm_ms() == 0


@pytest.mark.parametrize("ahead_s", [HOUR_S, -HOUR_S])
def test_what_nothing_else_keeps_time_for_is_as_wrong_as_the_server_until_that_is_mended(
    world: World, door: Kiosk, ahead_s: float
) -> None:
    """Promised is only: by the server's clock; one that no kiosk can contradict cannot be found out."""
    world.server.clock.step(ahead_s)
    came = door.enters()
    door.sync_all()
    off_ms = world.rows()[came].at_ms - world.done[came].at_ms
    assert off_ms == pytest.approx(ahead_s * 1000, abs=WAY_MS)
    world.server.clock.step(-ahead_s)
    for _ in range(3):
        world.live(5)
        door.sync_all()
    assert world.faults() == []


def test_a_moment_of_a_wrong_clock_leaves_no_trace(world: World, door: Kiosk) -> None:
    came = door.enters()
    for step_s in (0.0, -HOUR_S, HOUR_S, HOUR_S, -HOUR_S):
        world.server.clock.step(step_s)
        for _ in range(2):
            world.live(5)
            door.sync_all()
    assert world.faults() == []
    assert told(world, came)[0] == TimeSource.ANCHOR


# Whatever else


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(st.tuples(st.integers(0, 1), st.sampled_from(EVENTS)), max_size=25))
def test_in_any_history_every_bound_holds_and_every_boot_stays_in_order(
    on: Ground, history: list[tuple[int, Event]]
) -> None:
    with world_on(on) as world:
        assert play(world, history) == []
