"""Histories of a site whose clocks lie: single events, and what of the stated times did not hold after any of them."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from attendance.clock import ClockState
from bench.clocks.kiosk import Kiosk
from bench.clocks.world import World
from server.timeline import DRIFT_PPM

HOUR_S = 3600.0
Event = Callable[[World, Kiosk], object]


def pass_time(seconds: float) -> Event:
    return lambda world, _: world.live(seconds)


def move(child: int) -> Event:
    """A child goes the way it did not go last, a while after whatever was before."""

    def event(world: World, kiosk: Kiosk) -> None:
        world.live(90)
        if world.children[child] in kiosk.present():
            kiosk.leaves(child)
        else:
            kiosk.enters(child)

    return event


def boot(
    state: ClockState, *, off_h: float = 0, at_1970: bool = False, ppm: float = 0, err_ms: int | None = None
) -> Event:
    return lambda _, kiosk: kiosk.boot(state, off=timedelta(hours=off_h), at_1970=at_1970, ppm=ppm, err_ms=err_ms)


def step(seconds: float) -> Event:
    def event(_: World, kiosk: Kiosk) -> None:
        if kiosk.machine.read().wall_ms + seconds * 1000 > 0:
            kiosk.machine.step(seconds)

    return event


def ntp(world: World, kiosk: Kiosk) -> None:
    """NTP arrives, a little off, as it says."""
    kiosk.machine.keep(world.now + timedelta(milliseconds=25), err_ms=30)


def cut(_: World, kiosk: Kiosk) -> None:
    kiosk.way.cut = True


def connect(_: World, kiosk: Kiosk) -> None:
    kiosk.way.cut = False


def way(there_s: float, back_s: float) -> Event:
    def event(_: World, kiosk: Kiosk) -> None:
        kiosk.way.there_s, kiosk.way.back_s = there_s, back_s

    return event


def sync(_: World, kiosk: Kiosk) -> None:
    kiosk.sync.step()


def renew(_: World, kiosk: Kiosk) -> None:
    kiosk.journal.renew()


EVENTS: tuple[Event, ...] = (
    *(move(child) for child in range(3) for _ in range(3)),
    *(pass_time(seconds) for seconds in (5, 600, HOUR_S, 9 * HOUR_S, 24 * HOUR_S, 240 * HOUR_S)),
    boot(ClockState.NTP, err_ms=20),
    boot(ClockState.NONE, at_1970=True, ppm=DRIFT_PPM),
    boot(ClockState.SAVED, off_h=-720, ppm=-DRIFT_PPM),
    boot(ClockState.RTC, off_h=0.1, ppm=20),
    boot(ClockState.RTC, off_h=5000, ppm=20),
    *(step(seconds) for seconds in (HOUR_S, -HOUR_S, 0.3)),
    ntp,
    cut,
    connect,
    way(0, 0),
    way(8, 0),
    way(3, 30),
    sync,
    sync,
    renew,
)


def play(world: World, history: Sequence[tuple[int, Event]]) -> list[str]:
    """Let things happen, each at a kiosk, and all come to rest; return what did not hold after any of them."""
    for number, event in history:
        event(world, world.kiosks[number])
        if faults := world.faults():
            return faults
    for kiosk in world.kiosks:
        kiosk.way.cut, kiosk.way.there_s, kiosk.way.back_s = False, 0.0, 0.0
    world.settle()
    if len(world.rows()) + len(world.unknown_cards()) < len(world.done):
        return ["something never came"]
    return world.faults()
