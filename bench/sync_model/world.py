"""A site with two kiosks and its server, and all that can befall them."""

import random
import secrets
import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace
from requests.adapters import HTTPAdapter

from attendance.clock import ClockState, ManualClock, from_ms
from attendance.records import ClockStepped, Direction, MadeBy, Moved, Undone, read_line
from bench.sync_model.server import CHILDREN, RealServer
from bench.sync_model.side import LONG_AGO, Disk, Enrolled, Side
from bench.sync_model.truth import Truth
from bench.sync_model.way import Trip, Way
from kiosk.offers import ALL_HEADS_S
from kiosk.sync import LONGEST_WAY_S
from kiosk.today import best_now

SIDES = 2
DAY_S = 24 * 3600.0
PRUNED_AFTER_S = 41 * DAY_S
RESTARTED_EVERY_DAYS = 5
_MOST_STEPS = 100
_OFF_MS = 1000 * LONGEST_WAY_S
_PAGE_BYTES = 4096


class Backup(NamedTuple):
    """A copy of the server, and what is known of it."""

    content: Any
    quiet: frozenset[str]


class World:
    """Begins with enrolled kiosks and an empty server. Raises: AssertionError when something does not hold."""

    def __init__(
        self, folder: Path, server: RealServer, url: str, carrier: HTTPAdapter, enrolled: Sequence[Enrolled]
    ) -> None:
        self.server = server
        self._folder = folder
        server.begin_anew()
        self.truth = Truth(server)
        self.clock = server.clock
        self.heard_all = True
        """Whether the kiosks heard from the server since it was last restored."""
        self.was_away = False
        """Whether a kiosk was without a network for long."""
        self.late: set[int] = set()
        """Which of the children who come later are on the office's roster."""
        self.sides: list[Side] = []
        for number, identity in enumerate(enrolled):
            way = Way(carrier, lambda trip, number=number: self._served(number, trip), self.pass_time)  # type: ignore[misc]
            (folder / f"kiosk-{number}").mkdir()
            side = Side(folder / f"kiosk-{number}", url, way, identity, ManualClock(from_ms(self.clock.read().wall_ms)))
            self.sides.append(side)
            self.truth.remember(side)
        self.backups = [self._backup()]
        self.images: list[tuple[int, Disk]] = []

    def close(self) -> None:
        for side in self.sides:
            side.close()
        shutil.rmtree(self._folder)

    # What happens at the door

    def tap(self, number: int, child: int, way: Direction, count: int) -> None:
        side = self.sides[number]
        if child >= CHILDREN and child not in self.late:
            self.late.add(child)
            self._bring_in({child})
        for _ in range(count):
            self._append(side, Moved(self.server.children[child], way, MadeBy.BUTTON, None))

    def undo(self, number: int) -> None:
        side = self.sides[number]
        seq = side.last_moved()
        if seq is not None:
            self._append(side, Undone(seq=seq))

    def step_clock(self, number: int, seconds: float) -> None:
        """NTP or a person sets the clock."""
        side = self.sides[number]
        if side.clock.read().wall_ms + seconds * 1000 > 0:
            side.clock.step(seconds)
            self._append(side, ClockStepped(step_ms=round(seconds * 1000)))

    # What happens to the kiosk

    def restart_door(self, number: int) -> None:
        side = self.sides[number]
        side.journal.close()
        side.open_door()
        self.truth.remember(side)

    def restart_sync(self, number: int) -> None:
        self.sides[number].start_sync()

    def reboot(self, number: int, *, days_off: float | None) -> None:
        """Boot with a clock that is right, that is off by some days, or (None) that stands at 1970."""
        side = self.sides[number]
        side.shut_down()
        now = from_ms(self.clock.read().wall_ms)
        if days_off == 0:
            side.set_clock(now, ClockState.NTP)
        elif days_off is None:
            side.set_clock(LONG_AGO, ClockState.NONE)
        else:
            side.set_clock(now + timedelta(days=days_off), ClockState.SAVED)
        side.boot_up()
        self.truth.remember(side)

    def throw_cache_away(self, number: int) -> None:
        self.sides[number].lose_cache()

    def copy_disk(self, number: int) -> None:
        self.images.append((number, self.sides[number].image()))

    def put_disk_back(self, which: int, *, cache: bool) -> None:
        if self.images:
            number, disk = self.images[which % len(self.images)]
            self.sides[number].put_back(disk, cache=cache)
            self.truth.remember(self.sides[number])

    def lose_disk(self, number: int) -> None:
        self.sides[number].lose_disk()
        self.truth.remember(self.sides[number])

    def enrol_anew(self, number: int) -> None:
        """Get a code from the office, as also when a server that was restored does not know the kiosk."""
        side = self.sides[number]
        side.enrol_anew(new_kiosk(self.server))
        self.truth.remember(side)

    def damage(self, number: int, page: int, seed: int) -> None:
        """Spoil a page of the journal: all comes back but what stood on it, and all of it if it was the first page."""
        side = self.sides[number]
        before = side.held.keys()
        side.damage(page, random.Random(seed).randbytes(_PAGE_BYTES))
        side.held = dict(side.lines())
        self.truth.check_salvage(side.held)
        assert page or before <= side.held.keys(), "salvage lost a session without need"
        self.truth.remember(side)

    def upkeep(self, number: int) -> None:
        """Do what the door does each minute; nothing goes that the server may lack."""
        side = self.sides[number]
        side.journal.salvage()
        side.journal.renew()
        side.note_session()
        self.truth.remember(side)
        contact = side.cache.contact()
        if contact is None or not self.heard_all:
            return
        while side.journal.prune(side.cache.acks(), best_now(side.clock.read(), contact).at_ms):
            kept = {head.session for head in side.journal.heads()}
            (gone,) = side.held.keys() - kept
            last = len(side.held.pop(gone)) - 1
            assert self.truth.held().get(gone, -1) >= last, "let go of what the server does not hold"
            self.backups = [self._backup()]  # older ones are older than what a kiosk keeps

    # What happens between

    def sync(self, number: int) -> None:
        self.sides[number].sync.step()

    def deliver_late(self, number: int, which: int) -> None:
        """What was kept back arrives after all, in any order."""
        way = self.sides[number].way
        if way.kept_back:
            way.repeat(way.kept_back.pop(which % len(way.kept_back)))

    def replay(self, number: int, which: int) -> None:
        """Something that was sent before arrives again, as it was signed."""
        way = self.sides[number].way
        if way.seen:
            way.repeat(way.seen[which % len(way.seen)])

    def poison(self, number: int, which: int) -> None:
        """Something on the way refuses whatever holds one entry."""
        side = self.sides[number]
        lines = [line for lines in side.held.values() for line in lines]
        side.way.poison = lines[which % len(lines)].hash

    def heal(self) -> None:
        for side in self.sides:
            side.way.poison = None
            side.way.fates.clear()

    def rewrite_history(self, number: int, which: int) -> None:
        """A faulty kiosk sends, well signed, another entry in the place of one that the server holds."""
        side = self.sides[number]
        held = [each for each in self.truth.held().items() if each[0] in side.held and each[1] > 0]
        if not held:
            return
        session, through = held[which % len(held)]
        seq = 1 + which % through
        record = read_line(self.truth.ever[session][seq])
        other = replace(record, body=ClockStepped(step_ms=which))
        side.send_unasked(other, created=from_ms(self.clock.read().wall_ms))

    # What happens to the server

    def back_up(self) -> None:
        self.backups.append(self._backup())

    def restore(self, which: int) -> None:
        backup = self.backups[which % len(self.backups)]
        self.server.restore(backup.content)
        self.truth.restored(backup.quiet)
        self.heard_all = False

    def import_roster(self) -> None:
        """The office brings in its file, as it is by now."""
        self._bring_in(self.late)

    # Time

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for side in self.sides:
            side.clock.advance(seconds)

    def suspend(self, number: int, seconds: float, step_s: float, *, asking: bool) -> None:
        """The machine sleeps, perhaps while it waits for an answer; its wall clock is off by `step_s` as it wakes."""
        side = self.sides[number]
        if asking:
            side.way.sleep_s = seconds
            side.sync.step()
            side.way.sleep_s = 0.0
        else:
            self.pass_time(seconds)
        contact = side.cache.contact()
        if contact is not None:
            off_ms = best_now(side.clock.read(), contact).at_ms - self.clock.read().wall_ms
            assert abs(off_ms) <= _OFF_MS, "the door does not know what time it is"
        if step_s:
            self.step_clock(number, step_s)

    def go_without_network(self, number: int, days: int) -> None:
        """Children come and go and the door begins anew now and then, for days without a way to the server."""
        self.was_away = True
        for day in range(days):
            self.pass_time(DAY_S)
            self.tap(number, day % CHILDREN, Direction.ENTRY if day % 2 else Direction.EXIT, 1 + day % 2)
            if day % RESTARTED_EVERY_DAYS == 0:
                self.restart_door(number)
        self.heal()
        self.sync(number)

    # What must hold

    def settle(self) -> None:
        """Without faults on the way all comes to rest; then all is where it should be.

        Nobody does anything, but for what a restored server cannot know: who was enrolled since the backup.
        """
        self.heal()
        self.pass_time(ALL_HEADS_S)
        for number, side in enumerate(self.sides):
            if not self.server.knows(side.enrolled.key):
                self.enrol_anew(number)
        for side in self.sides:
            self._come_to_rest(side)
        if self.late - self.server.known():
            self.import_roster()
        for side in self.sides:
            side.sync.step()  # what the others brought is news
        self.heard_all = True
        self.check()
        self.truth.check_at_rest(self.sides, self.clock.read().wall_ms)

    def check(self) -> None:
        """What holds at any moment."""
        self.truth.check(self.sides)

    def acknowledged(self) -> int:
        """Return how many entries the server holds."""
        return sum(through + 1 for through in self.truth.held().values())

    def _come_to_rest(self, side: Side) -> None:
        for _ in range(_MOST_STEPS):
            if not side.sync.step():
                return
        raise AssertionError("sync does not come to rest")

    def _bring_in(self, late: set[int]) -> None:
        self.server.import_roster(late)
        self.truth.brought_in()

    def _served(self, number: int, trip: Trip) -> None:
        self.truth.served(self.sides[number], trip)

    def _backup(self) -> Backup:
        return Backup(self.server.backup(), self.truth.quiet)

    def _append(self, side: Side, body: Moved | Undone | ClockStepped) -> None:
        side.append(body)
        self.truth.remember(side)


def new_kiosk(server: RealServer) -> Enrolled:
    """Enrol a kiosk at the site."""
    key = Ed25519PrivateKey.from_private_bytes(secrets.token_bytes(32))
    return Enrolled(server.enrol(key.public_key()), key)
