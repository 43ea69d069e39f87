"""For each mutant the events that it shows in; without it they end well."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from attendance.records import Direction
from bench.sync_model import restored
from bench.sync_model.machine import Ground
from bench.sync_model.way import Fate
from bench.sync_model.world import DAY_S, PRUNED_AFTER_S, World


def tap(world: World, count: int = 1) -> None:
    world.tap(0, 0, Direction.ENTRY, count)


def back_from_a_backup(world: World) -> None:
    """A server that had everything comes back from a backup without it."""
    tap(world)
    world.settle()
    world.restore(0)


def a_batch_arrives_alone(world: World) -> None:
    """What was sent to the server before it was restored is heard by the one after."""
    tap(world)
    world.settle()
    tap(world)
    world.sides[0].way.fates.extend([Fate.ARRIVES, Fate.KEPT_BACK])
    world.sync(0)
    world.restore(0)
    world.deliver_late(0, 0)


def disk_put_back(world: World) -> None:
    """A kiosk goes on from an older copy of its disk."""
    world.copy_disk(0)
    world.restart_door(0)
    tap(world)
    world.settle()
    world.put_disk_back(0, cache=False)
    world.step_clock(0, 2.0)


def poisoned(world: World) -> None:
    """Something on the way refuses one entry of the running session; the session before arrives all the same."""
    tap(world)
    before = world.sides[0].journal.session
    world.restart_door(0)
    tap(world, 3)
    world.poison(0, 4)
    for _ in range(3):
        world.sync(0)
    world.check()
    held = {session for session, *_ in world.server.ask("SELECT session FROM journal_session")}
    assert before in held, "the queue is blocked"


def history_rewritten(world: World) -> None:
    """A faulty kiosk sends another entry in the place of one that is held."""
    tap(world, 2)
    world.settle()
    world.rewrite_history(0, 0)
    world.rewrite_history(0, 1)


def captive_portal(world: World) -> None:
    """Somebody else answers what holds the entries."""
    tap(world)
    for fate in (Fate.PORTAL, Fate.OTHER_JSON):
        world.sides[0].way.fates.extend([Fate.ARRIVES, fate])
        world.sync(0)
        world.check()


def refused(world: World) -> None:
    """The first entry is refused by something on the way."""
    tap(world)
    world.poison(0, 0)
    world.sync(0)
    world.check()


def told_before_a_restore(world: World) -> None:
    """A notice was queued, its movement acknowledged, and the server came back from a backup."""
    back_from_a_backup(world)


def offline_for_long(world: World) -> None:
    """Six weeks without a way to the server, but for a question and its answer."""
    tap(world)
    world.pass_time(PRUNED_AFTER_S)
    world.restart_door(0)
    world.sides[0].way.fates.extend([Fate.ARRIVES, Fate.LOST])
    world.sync(0)
    world.sides[0].cache.note_contact(world.sides[0].clock.read().boot_ns, world.clock.read().wall_ms)
    world.upkeep(0)


def slept_through_an_answer(world: World) -> None:
    """A machine sleeps over two days while it waits for an answer."""
    tap(world)
    world.suspend(0, 2 * DAY_S, 0.0, asking=True)


def away_for_a_month(world: World) -> None:
    """A kiosk has no network for thirty days, each with a session of its own."""
    world.go_without_network(0, 30)


def late_after_a_reboot(world: World) -> None:
    """A request arrives after the machine that sent it was restarted and heard from again."""
    world.sync(0)
    world.pass_time(5.0)
    world.sides[0].way.fates.append(Fate.KEPT_BACK)
    world.sync(0)
    world.pass_time(5.0)
    world.reboot(0, days_off=0)
    for _ in range(2):
        world.pass_time(5.0)
        world.sync(0)
    world.deliver_late(0, 0)
    world.sync(0)


EVENTS: dict[str, Callable[[World], None]] = {
    "kiosk keeps a cursor": back_from_a_backup,
    "holes are acknowledged": a_batch_arrives_alone,
    "sessions without an id of their own": disk_put_back,
    "a poisoned entry blocks the queue": poisoned,
    "the last entry stands, not the first": history_rewritten,
    "deleted when refused": refused,
    "any 200 acknowledges": captive_portal,
    "a restored server wants nothing": back_from_a_backup,
    "notices told of are queued again": told_before_a_restore,
    "pruned before it was acknowledged": offline_for_long,
    "an answer slept through tells the time": slept_through_an_answer,
    "only the newest sessions are offered": away_for_a_month,
    "a late request is taken for a second machine's": late_after_a_reboot,
    **restored.EVENTS,
}


def live(on: Ground, events: Callable[[World], None], broken: Callable[[], AbstractContextManager[None]]) -> None:
    """Let events happen with something broken or not. Raises: AssertionError when something does not hold."""
    with broken():
        world = on.world()
        try:
            events(world)
            world.check()
            world.settle()
        finally:
            world.close()
