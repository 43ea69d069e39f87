"""A site with two kiosks and its server, all that can befall them, and what must hold whatever did."""

import random
import secrets
import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace
from requests.adapters import HTTPAdapter

from attendance.chain import verify
from attendance.clock import ClockState, ManualClock, from_ms
from attendance.errors import WireError
from attendance.presence import fold, movement_id
from attendance.records import ClockStepped, Direction, JournalLine, MadeBy, Moved, Undone, read_line, write_line
from attendance.signatures import sign
from attendance.wire import ENTRIES_PATH, EntriesRequest, Receipt, decode, encode
from bench.sync_model.server import RealServer
from bench.sync_model.side import LONG_AGO, Disk, Enrolled, Side
from bench.sync_model.way import Trip, Way
from kiosk.sync import ALL_HEADS_S
from kiosk.today import best_now

SIDES = 2
DAY_S = 24 * 3600.0
PRUNED_AFTER_S = 41 * DAY_S
_MOST_STEPS = 100
_PAGE_BYTES = 4096
_HELD = "SELECT session, through, hash FROM journal_session"
_ENTRIES = "SELECT session, count(*), min(seq), max(seq) FROM entry GROUP BY session"
_LINES = "SELECT line, hash FROM entry WHERE session = '{}' ORDER BY seq"
_MOVED = "SELECT id, undone_at_ms IS NOT NULL FROM movement"
_NOTICES = "SELECT id, movement_id, guardian_id, topic FROM delivery WHERE state = 'queued'"


class World:
    """Begins with enrolled kiosks and an empty server. Raises: AssertionError when something does not hold."""

    def __init__(
        self, folder: Path, server: RealServer, url: str, carrier: HTTPAdapter, enrolled: Sequence[Enrolled]
    ) -> None:
        self.server = server
        self._folder = folder
        server.begin_anew()
        self.ever: dict[str, list[JournalLine]] = {}
        """All that any kiosk ever wrote, by session; only grows."""
        self.clock = server.clock
        self._noticed: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        self._had: dict[str, int] = defaultdict(lambda: -1)
        """How far the server ever held each session, in this life or an earlier one."""
        self.heard_all = True
        """Whether the kiosks heard from the server since it was last restored."""
        self.sides: list[Side] = []
        for number, identity in enumerate(enrolled):
            way = Way(carrier, lambda trip, number=number: self._served(number, trip))  # type: ignore[misc]
            (folder / f"kiosk-{number}").mkdir()
            side = Side(folder / f"kiosk-{number}", url, way, identity, ManualClock(from_ms(self.clock.read().wall_ms)))
            self.sides.append(side)
            self._remember(side)
        self.backups = [server.backup()]
        self.images: list[tuple[int, Disk]] = []

    def close(self) -> None:
        for side in self.sides:
            side.close()
        shutil.rmtree(self._folder)

    # What happens at the door

    def tap(self, number: int, child: int, way: Direction, count: int) -> None:
        side = self.sides[number]
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
        self._remember(side)

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
        self._remember(side)

    def throw_cache_away(self, number: int) -> None:
        self.sides[number].lose_cache()

    def copy_disk(self, number: int) -> None:
        self.images.append((number, self.sides[number].image()))

    def put_disk_back(self, which: int, *, cache: bool) -> None:
        if self.images:
            number, disk = self.images[which % len(self.images)]
            self.sides[number].put_back(disk, cache=cache)
            self._remember(self.sides[number])

    def lose_disk(self, number: int) -> None:
        self.sides[number].lose_disk()
        self._remember(self.sides[number])

    def enrol_anew(self, number: int) -> None:
        """A backup from before cannot know the kiosk as it is now: that takes an operator."""
        side = self.sides[number]
        side.enrol_anew(new_kiosk(self.server))
        self._remember(side)
        self.backups = [self.server.backup()]

    def damage(self, number: int, page: int, seed: int) -> None:
        """Spoil a page of the journal: of each session a prefix comes back, and all of it if it was the first page."""
        side = self.sides[number]
        before = side.held
        side.damage(page, random.Random(seed).randbytes(_PAGE_BYTES))
        found = dict(side.lines())
        for session, lines in found.items():
            wrote = before.get(session) or lines[:1]
            assert lines == wrote[: len(lines)], "salvage brought what was not there"
        assert page or before.keys() <= found.keys(), "salvage lost a session without need"
        side.held = found
        self._remember(side)

    def upkeep(self, number: int) -> None:
        """Do what the door does each minute; nothing goes that the server may lack."""
        side = self.sides[number]
        side.journal.salvage()
        side.journal.renew()
        side.note_session()
        self._remember(side)
        contact = side.cache.contact()
        if contact is None or not self.heard_all:
            return
        while side.journal.prune(side.cache.acks(), best_now(side.clock.read(), contact).at_ms):
            kept = {head.session for head in side.journal.heads()}
            (gone,) = side.held.keys() - kept
            held = {session: through for session, through, _ in self.server.ask(_HELD)}
            assert held.get(gone, -1) >= len(side.held.pop(gone)) - 1, "let go of what the server does not hold"
            self.backups = [self.server.backup()]  # older ones are older than what a kiosk keeps

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
        held = [row for row in self.server.ask(_HELD) if row[0] in side.held and row[1] > 0]
        if not held:
            return
        session, through, _ = held[which % len(held)]
        seq = 1 + which % through
        stored = self.ever[session][seq]
        record = read_line(stored)
        other = write_line(replace(record, body=ClockStepped(step_ms=which)))
        body = encode(EntriesRequest(session=session, from_seq=seq, entries=(other,)))
        headers = sign("POST", ENTRIES_PATH, body, key=side.enrolled.key, created=from_ms(self.clock.read().wall_ms))
        url = f"{side.url}{ENTRIES_PATH}"
        side.way.repeat(requests.Request("POST", url, data=body, headers=headers).prepare())

    # What happens to the server

    def back_up(self) -> None:
        self.backups.append(self.server.backup())

    def restore(self, which: int) -> None:
        self.server.restore(self.backups[which % len(self.backups)])
        self.heard_all = False

    # Time

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for side in self.sides:
            side.clock.advance(seconds)

    # What must hold

    def settle(self) -> None:
        """Without faults on the way all comes to rest, with nobody doing anything; then all is where it should be."""
        self.heal()
        self.pass_time(ALL_HEADS_S)
        for side in self.sides:
            self._come_to_rest(side)
        for side in self.sides:
            side.sync.step()  # what the others brought is news
        self.heard_all = True
        self.check()
        held = {session: through for session, through, _ in self.server.ask(_HELD)}
        for side in self.sides:
            for session, lines in side.held.items():
                assert held.get(session, -1) >= len(lines) - 1, "the server lacks something"
            assert side.cache.acks() == side.heads(), "not acknowledged"
            assert dict(side.lines()) == side.held, "lost at the door"
        self._check_ledger(held)
        self._check_presence()

    def check(self) -> None:
        """What holds at any moment."""
        for side in self.sides:
            assert sorted(side.reader.heads()) == side.heads(), "lost at the door"
        entries = {session: rest for session, *rest in self.server.ask(_ENTRIES)}
        held = self.server.ask(_HELD)
        assert len(entries) == len(held), "entries without a session"
        for session, through, digest in held:
            last = through
            assert entries[session] == [last + 1, 0, last], "not a contiguous prefix"
            assert self.ever[session][last].hash == digest, "the server holds what nobody wrote"
            self._had[session] = max(self._had[session], last)
        for side in self.sides:
            for ack in side.cache.acks():
                assert ack.seq <= self._had[ack.session], "taken for acknowledged, but never held"
                assert ack.hash == self.ever[ack.session][ack.seq].hash, "another entry taken for acknowledged"

    def acknowledged(self) -> int:
        """Return how many entries the server holds."""
        return sum(through + 1 for _, through, _ in self.server.ask(_HELD))

    def _come_to_rest(self, side: Side) -> None:
        for _ in range(_MOST_STEPS):
            if not side.sync.step():
                return
        raise AssertionError("sync does not come to rest")

    def _check_ledger(self, held: dict[str, int]) -> None:
        moved: dict[str, bool] = {}
        for session, through in held.items():
            lines = [JournalLine(line, digest) for line, digest in self.server.ask(_LINES.format(session))]
            assert lines == self.ever[session][: through + 1], "the server holds what nobody wrote"
            verify(lines)
            for seq, line in enumerate(lines):
                match read_line(line).body:
                    case Moved():
                        moved[movement_id(session, seq)] = False
                    case Undone(seq=undone):
                        moved[movement_id(session, undone)] = True
        assert dict(self.server.ask(_MOVED)) == moved, "movements are not those of the entries"

    def _check_presence(self) -> None:
        now = self.clock.read().wall_ms
        there = fold(self.server.movements(now))
        for side in self.sides:
            assert side.presence() == there, "door and server disagree about who is in"

    def _served(self, number: int, trip: Trip) -> None:
        """Look at each request that was served: an acknowledgement is true, and a notice is queued once."""
        path = (trip.request.url or "").partition("?")[0]
        if not path.endswith(ENTRIES_PATH):
            return
        side = self.sides[number]
        asked = decode(bytes(trip.request.body or b""), EntriesRequest)  # type: ignore[arg-type]
        knew = side.knows.get(asked.session, -1)
        if trip.status == requests.codes.ok:
            with suppress(WireError):
                receipt = decode(trip.answer, Receipt)
                self._check_receipt(receipt)
                if trip.heard and receipt.through >= 0:
                    side.knows[receipt.session] = max(side.knows.get(receipt.session, -1), receipt.through)
        known = {movement_id(asked.session, seq) for seq in range(knew + 1)} if trip.fresh else set()
        self._check_notices(lambda movement: movement in known)

    def _check_receipt(self, receipt: Receipt) -> None:
        if receipt.through < 0:
            return
        lines = self.server.ask(_LINES.format(receipt.session))
        assert len(lines) == receipt.through + 1, "acknowledged what is not held"
        assert lines[-1][1] == receipt.hash, "acknowledged another entry"

    def _check_notices(self, told: Callable[[str], bool]) -> None:
        """Find new notices; `told` says of which movements the kiosk knew that the server had them."""
        for delivery, movement, guardian, topic in self.server.ask(_NOTICES):
            before = self._noticed[movement, guardian, topic]
            if delivery not in before:
                assert not (before and told(movement)), "a notice was queued again"
                before.add(delivery)

    def _append(self, side: Side, body: Moved | Undone | ClockStepped) -> None:
        side.append(body)
        self._remember(side)

    def _remember(self, side: Side) -> None:
        for session, lines in side.held.items():
            known = self.ever.setdefault(session, [])
            assert lines[: len(known)] == known[: len(lines)], "history was forked"
            known += lines[len(known) :]


def new_kiosk(server: RealServer) -> Enrolled:
    """Enrol a kiosk at the site."""
    key = Ed25519PrivateKey.from_private_bytes(secrets.token_bytes(32))
    return Enrolled(server.enrol(key.public_key()), key)
