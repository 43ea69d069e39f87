"""Clocks that lie: whatever they do, every stated time is as near the true one as its bound says.

Each trouble is played through the real door, journal, sync and server, with true time kept beside it.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from attendance.catalogue import Language
from attendance.clock import ClockState
from bench.clocks.kiosk import Kiosk
from bench.clocks.world import World, world_on
from bench.sync_model.machine import Ground, ground
from server.catalogues import catalogues
from server.config import ServerSettings
from server.notify.dispatcher import DispatchRules, send_next
from server.notify.transport import Message
from server.timeline import DRIFT_PPM, WAY_MS, TimeSource
from tests.server import web_site

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
HOUR_MS = 3_600_000
MONTH = timedelta(days=30)


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
    """One of the site's kiosks, cut off from the network."""
    world.kiosks[0].way.cut = True
    return world.kiosks[0]


def connect(door: Kiosk) -> None:
    door.way.cut = False
    door.sync_all()


def told(world: World, *ids: str) -> list[tuple[str, int | None]]:
    """Source and bound of each."""
    rows = world.rows()
    return [(rows[each].at_source, rows[each].at_err_ms) for each in ids]


def sources(world: World, *ids: str) -> set[str]:
    return {source for source, _ in told(world, *ids)}


# One boot, anchored in the end


def at_1970(door: Kiosk) -> None:
    door.boot(ClockState.NONE, at_1970=True)


def last_month(door: Kiosk) -> None:
    door.boot(ClockState.SAVED, off=-MONTH)


def next_month(door: Kiosk) -> None:
    door.boot(ClockState.RTC, off=MONTH)


@pytest.mark.parametrize("boot", [at_1970, last_month, next_month])
def test_a_boot_with_a_wrong_clock_is_dated_once_the_server_is_met(
    world: World, door: Kiosk, boot: Callable[[Kiosk], None]
) -> None:
    boot(door)
    world.live(60)
    came = door.enters()
    world.live(2 * HOUR_S)
    left, strange = door.leaves(), door.strange_card()
    world.live(60)
    connect(door)
    assert world.faults() == []
    assert sources(world, came, left) == {TimeSource.ANCHOR}
    assert all(err is not None and err <= WAY_MS + 1_000 for _, err in told(world, came, left))
    assert [each.person.child for each in world.headcount().left] == [world.server.children[0]]
    card = world.unknown_cards()[strange]
    assert abs(card.at_ms - world.done[strange].at_ms) <= WAY_MS + 1_000
    assert door.steps() == []


@pytest.mark.parametrize("anchored_first", [False, True])
def test_ntp_that_comes_in_the_middle_changes_no_time_and_is_journalled_once(
    world: World, door: Kiosk, anchored_first: bool
) -> None:
    at_1970(door)
    world.live(60)
    came = door.enters()
    if anchored_first:
        connect(door)
    world.live(600)
    door.machine.keep(world.now, err_ms=30)
    for _ in range(3):
        world.live(1)
    left = door.leaves()
    world.live(60)
    connect(door)
    world.live(5)
    assert world.faults() == []
    assert sources(world, came, left) == {TimeSource.ANCHOR}
    assert len(door.steps()) == 1
    assert abs(door.steps()[0]) > 50 * 365 * DAY_S * 1000


def test_ntp_dates_a_boot_that_never_met_the_server(world: World, door: Kiosk) -> None:
    at_1970(door)
    world.live(60)
    came = door.enters()
    world.live(600)
    door.machine.keep(world.now, err_ms=30)
    world.live(60)
    left = door.leaves()
    world.live(60)
    door.boot(ClockState.NONE, at_1970=True)
    connect(door)
    assert world.faults() == []
    assert sources(world, came, left) == {TimeSource.WALL}
    assert all(err is not None and err <= 1_000 for _, err in told(world, came, left))


def by_hand(world: World, door: Kiosk, off_s: float) -> None:
    door.machine.step(off_s)


def by_ntp(world: World, door: Kiosk, off_s: float) -> None:
    """From a time server that is as wrong."""
    door.machine.keep(world.now + timedelta(seconds=off_s), err_ms=30)


@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S])
@pytest.mark.parametrize("step", [by_hand, by_ntp])
def test_a_step_of_an_hour_changes_no_time_and_is_journalled_once(
    world: World, door: Kiosk, step_s: float, step: Callable[[World, Kiosk, float], None]
) -> None:
    connect(door)
    world.live(60)
    came = door.enters()
    world.live(300)
    step(world, door, step_s)
    world.live(1)
    world.live(1)
    left = door.leaves()
    world.live(300)
    door.machine.keep(world.now, err_ms=30)
    world.live(1)
    back = door.enters()
    connect(door)
    assert world.faults() == []
    assert door.steps() == [step_s * 1000, -step_s * 1000]
    assert sources(world, came, back) == {TimeSource.ANCHOR}
    # A clock that NTP is said to keep and that is an hour off may also be right, and the server wrong.
    assert sources(world, left) == {TimeSource.UNSETTLED if step is by_ntp else TimeSource.ANCHOR}


@pytest.mark.parametrize("connected_before", [False, True])
def test_a_machine_suspended_over_midnight_counts_the_night(world: World, door: Kiosk, connected_before: bool) -> None:
    at_1970(door)
    if connected_before:
        connect(door)
    world.live(9 * HOUR_S)  # 21:00
    came = door.enters()
    world.live(8 * HOUR_S)
    came_next_day = door.enters(1)
    connect(door)
    assert world.faults() == []
    rows = world.rows()
    assert (rows[came_next_day].day - rows[came].day).days == 1
    assert sources(world, came, came_next_day) == {TimeSource.ANCHOR}


def test_a_clock_that_did_not_count_the_night_would_show(world: World, door: Kiosk) -> None:
    """The control of the test before: CLOCK_MONOTONIC in the place of CLOCK_BOOTTIME."""
    at_1970(door)
    door.enters()
    world.live(8 * HOUR_S, uncounted=True)
    connect(door)
    assert any("off by" in fault for fault in world.faults())


# Many boots


def test_a_boot_that_never_met_the_server_lies_between_those_that_did_and_is_shown_as_unsettled(
    world: World, door: Kiosk
) -> None:
    door.boot(ClockState.SAVED)
    connect(door)
    world.live(2 * HOUR_S)
    door.way.cut = True
    at_1970(door)
    world.live(HOUR_S)
    came = door.enters()
    world.live(600)
    left = door.leaves()
    world.live(HOUR_S)
    at_1970(door)
    world.live(600)
    connect(door)
    assert world.faults() == []
    assert sources(world, came, left) == {TimeSource.UNSETTLED}
    rows = world.rows()
    assert rows[left].at_ms - rows[came].at_ms == pytest.approx(600_000, abs=100)
    assert all(row.at_err_ms <= 4 * HOUR_MS for row in rows.values()), "the neighbours are two and a half hours apart"
    assert [each.since.source for each in world.headcount().left] == [TimeSource.UNSETTLED]


@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S])
def test_a_boot_that_never_met_the_server_keeps_its_order_over_steps_and_restarts(
    world: World, door: Kiosk, step_s: float
) -> None:
    door.boot(ClockState.SAVED, off=timedelta(minutes=-5))
    world.live(2 * HOUR_S)
    made = [door.enters()]
    for _ in range(2):
        world.live(300)
        door.machine.step(step_s)
        world.live(1)
        made.append(door.leaves())
        door.restart_door()
        world.live(300)
        made.append(door.enters())
        step_s = -step_s
    door.boot(ClockState.SAVED)
    connect(door)
    assert world.faults() == []
    times = [world.rows()[each].at_ms for each in made]
    assert times == sorted(set(times))
    assert world.present() == {world.children[0]}


@pytest.mark.parametrize("off_h", [5, -5])
def test_ntp_that_cannot_be_right_dates_no_boot(world: World, door: Kiosk, off_h: float) -> None:
    door.boot(ClockState.NTP, off=timedelta(hours=off_h), err_ms=20)
    world.live(HOUR_S)
    came = door.enters()
    world.live(HOUR_S)
    door.boot(ClockState.NONE, at_1970=True)
    connect(door)
    assert world.faults() == []
    assert sources(world, came) == {TimeSource.UNSETTLED}


def test_an_anchor_that_may_be_late_bounds_its_neighbour_no_closer_than_it_is(world: World, door: Kiosk) -> None:
    at_1970(door)
    door.way.cut, door.way.sticks = False, True
    door.sync.step()
    at_1970(door)
    world.live(10)
    came = door.enters()
    at_1970(door)
    door.way.sticks = False
    door.way.arrive_late()
    connect(door)
    assert world.faults() == []
    assert sources(world, came) == {TimeSource.UNSETTLED}


@pytest.mark.parametrize("boot", [at_1970, last_month, next_month])
def test_a_first_boot_that_never_met_the_server_lies_between_enrolment_and_the_next(
    on: Ground, boot: Callable[[Kiosk], None]
) -> None:
    with world_on(on, met=False) as world:
        door = world.kiosks[0]
        door.way.cut = True
        boot(door)
        world.live(HOUR_S)
        came = door.enters()
        world.live(HOUR_S)
        left = door.leaves()
        boot(door)
        connect(door)
        assert world.faults() == []
        assert sources(world, came, left) == {TimeSource.UNSETTLED}
        rows = world.rows()
        assert {rows[each].day for each in (came, left)} == {world.now.date()}, "where people look for it"


@pytest.mark.parametrize("ppm", [DRIFT_PPM, -DRIFT_PPM, 20.0, 0.0])
@pytest.mark.parametrize("restarts", [False, True])
def test_thirty_days_without_a_network(world: World, door: Kiosk, ppm: float, restarts: bool) -> None:
    door.boot(ClockState.SAVED, off=-MONTH, ppm=ppm)
    ids = []
    for day in range(30):
        ids.append(door.enters())
        world.live(3 * HOUR_S)
        ids.append(door.leaves())
        world.live(21 * HOUR_S)
        if restarts and day % 10 == 4:
            door.boot(ClockState.SAVED, off=-MONTH, ppm=ppm)
    connect(door)
    assert world.faults() == []
    rows = world.rows()
    assert len(ids) == len(rows) == 60
    if not restarts:
        assert sources(world, *ids) == {TimeSource.ANCHOR}
        assert max(row.at_err_ms for row in rows.values()) <= WAY_MS + 130_000
        assert len({row.day for row in rows.values()}) == 30


@pytest.mark.parametrize("ppm", [2.0 * DRIFT_PPM, -2.0 * DRIFT_PPM])
def test_a_crystal_worse_than_any_breaks_the_bound(world: World, door: Kiosk, ppm: float) -> None:
    """The control of the test before."""
    door.boot(ClockState.SAVED, ppm=ppm)
    door.enters()
    world.live(30 * DAY_S)
    connect(door)
    assert any("off by" in fault for fault in world.faults())


# What staff and guardians see


def test_an_unsettled_time_is_seen_by_staff_and_told_to_guardians(world: World, door: Kiosk, tmp_path: Path) -> None:
    at_1970(door)
    world.live(60)
    door.enters()
    world.live(60)
    at_1970(door)
    connect(door)
    world.live(60)
    web_site.add_login(world.server.store, "office")
    client = web_site.pages(
        world.server.store, ServerSettings(data_dir=str(tmp_path)), world.server.clock
    ).test_client()
    web_site.log_in(client, "office")
    now = client.get("/site/sakura/now.json").get_json()
    (present,) = now["present"]
    assert present["since_source"] == "unsettled"
    assert present["since_err_ms"] >= 60_000
    mailbox = Mailbox()
    rules = DispatchRules(late_after_s=600, give_up_after_s=86_400, lease_s=60)
    while send_next(world.server.store, {"mail": mailbox}, catalogues(), world.server.clock, rules):
        pass
    (notice,) = mailbox.taken
    assert catalogues()[Language.JA].text("mail.unsettled") in notice.body


class Mailbox:
    """A transport that keeps what it is given."""

    name = "mail"

    def __init__(self) -> None:
        self.taken: list[Message] = []

    def send(self, message: Message) -> str:
        self.taken.append(message)
        return message.delivery_id

    def close(self) -> None:
        """Nothing is open."""
