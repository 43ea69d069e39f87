"""Sync and a real server with a bad network between them: what each harm costs, and that nothing is lost by it.

The kiosk's own sync is stepped here, so that a wait is counted and not waited; what is between is bench.fault_proxy.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from attendance.clock import now
from attendance.records import Direction, MadeBy, Moved, read_line
from attendance.signatures import key_id, sign
from attendance.wire import ENTRIES_PATH, EntriesRequest, encode
from bench.account import WANTED, held_of, journal_of
from bench.fault_proxy import Harm
from bench.figure import Counts, Row, measured, proved
from bench.house import House, house
from bench.parts import Kiosk
from kiosk.door_report import DoorReport
from kiosk.identity import Identity, load_identity, load_key
from kiosk.journal import Journal
from kiosk.journal_reader import JournalReader
from kiosk.roster_cache import RosterCache
from kiosk.sync import Step, Sync
from kiosk.timekeeping import KioskClock, boot_id
from kiosk.uplink import Timeout, Uplink
from server.store.engine import using_store
from server.store.tables import delivery, movement

IMPATIENT = Timeout(connect_s=2.0, read_s=0.5, whole_s=1.0)
HARM_STEPS = 3
MOST_STEPS = 10
"""Within which everything must have arrived once the network is well again."""
MIXED_STEPS = 40
MOST_REQUESTS_A_MINUTE = 120
"""A kiosk that is told something at each question needs three requests for it, every two seconds."""
HARMS = tuple(each for each in Harm if each is not Harm.NONE)


class Stepped(Protocol):
    """A sync that goes a step at a time."""

    def step(self) -> Step:
        """Do some of the work and say how long to wait."""
        ...


@dataclass
class Suffered:
    """What came of a harm; zeros from `lost` to `unsettled` are what is promised."""

    entries: int = 0
    lost: int = 0
    """Entries that did not arrive, and guardians who are told nothing."""
    doubled: int = 0
    """Entries that arrived as two, and guardians who are told twice."""
    wrong: int = 0
    """Acknowledgements of what was not held, counted after each step, and entries that arrived otherwise."""
    unsettled: int = 0
    """1 when all had not arrived within `MOST_STEPS`."""
    steps: int = 0
    """That it took afterwards."""
    requests: int = 0
    """While the harm lasted."""
    waited_s: float = 0.0
    """That these steps asked to wait, and did not wait here."""

    @property
    def clean(self) -> bool:
        """Whether all is as promised."""
        return self.lost == self.doubled == self.wrong == self.unsettled == 0

    @property
    def requests_a_minute(self) -> float:
        """How busy the kiosk would have kept the line."""
        return 60 * self.requests / max(self.waited_s, 1.0)


class Bench:
    """A kiosk whose journal and sync are in this process, and the server at the other end of the proxy."""

    def __init__(self, open_house: House, journal: Journal, cache: RosterCache, sync: Stepped) -> None:
        self.house = open_house
        self.journal = journal
        self.sync = sync
        self._kiosk: Kiosk = open_house.kiosks[0]
        self._cache = cache
        self._child = 0

    def suffer(self, harms: Sequence[Harm]) -> Suffered:
        """Step once a harm, children coming at every other one; then let the network be well till all is there."""
        found, proxy = Suffered(), self.house.proxy
        before = proxy.requests
        for number, harm in enumerate(harms):
            proxy.next_harm = lambda harm=harm: harm  # type: ignore[misc]
            found.entries += self._children_come(2 * (number % 2))
            found.waited_s += self.sync.step().wait_s
            found.wrong += self._false_acks()
        found.requests = proxy.requests - before
        proxy.next_harm = lambda: Harm.NONE
        for _ in range(MOST_STEPS):
            self.sync.step()
            found.steps += 1
            found.wrong += self._false_acks()
            if self._lacking() == 0:
                break
        untold, told_twice = self._notices()
        found.lost, found.doubled = self._lacking() + untold, self._too_many() + told_twice
        found.unsettled = int(self._lacking() > 0)
        return found

    def _children_come(self, number: int) -> int:
        for _ in range(number):
            turn, place = divmod(self._child, len(self.house.tokens))
            way = Direction.EXIT if turn % 2 else Direction.ENTRY
            self.journal.append(Moved(child=self.house.tokens[place][0], direction=way, by=MadeBy.BUTTON, card=None))
            self._child += 1
        return number

    def _false_acks(self) -> int:
        """Count sessions of which the kiosk believes that the server holds more than it does, now or ever."""
        acks = self._cache.acks()
        told = {head.session: self._cache.told(head.session) for head in acks}
        with using_store(self.house.store_url) as store, store.read() as conn:
            held = held_of(conn, self._kiosk)
        return sum(
            (ack.session, ack.seq) not in held
            or held[ack.session, ack.seq].hash != ack.hash
            or (ack.session, told[ack.session]) not in held
            for ack in acks
        )

    def _lacking(self) -> int:
        """Count entries of the journal that the server has not, or has otherwise."""
        ours = journal_of(self._kiosk)
        with using_store(self.house.store_url) as store, store.read() as conn:
            theirs = held_of(conn, self._kiosk)
        return sum(theirs.get(key) != line for key, line in ours.items())

    def _too_many(self) -> int:
        """Count entries and movements that the server has and the journal has not."""
        ours = journal_of(self._kiosk)
        moved = sum(isinstance(read_line(line).body, Moved) for line in ours.values())
        with using_store(self.house.store_url) as store, store.read() as conn:
            derived = len(conn.execute(select(movement.c.id)).all())
            return max(len(held_of(conn, self._kiosk)) - len(ours), 0) + max(derived - moved, 0)

    def _notices(self) -> tuple[int, int]:
        """Count the guardians for whom no notice of a movement is queued, and those for whom two are."""
        with using_store(self.house.store_url) as store, store.read() as conn:
            queued = Counter(map(tuple, conn.execute(select(delivery.c.movement_id, delivery.c.guardian_id)).all()))
            wanted = {(row.movement, row.guardian) for row in conn.execute(WANTED)}
        return len(wanted - queued.keys()), sum(queued.values()) - len(queued)


class BelievingSync:
    """A sync as others have it, broken on purpose: a queue with a cursor, and 200 means that it was taken."""

    def __init__(
        self, identity: Identity, key: Ed25519PrivateKey, session: requests.Session, journal: JournalReader
    ) -> None:
        self._url = identity.server_url + ENTRIES_PATH
        self._key = key
        self._session = session
        self._journal = journal
        self._cursor: dict[str, int] = {}

    def step(self) -> Step:
        """Send what comes after the cursor, and believe any answer that says 200."""
        for head in self._journal.heads():
            first = self._cursor.get(head.session, 0)
            if head.seq < first:
                continue
            body = encode(EntriesRequest(head.session, first, tuple(self._journal.read(head.session, first, -1))))
            headers = sign("POST", ENTRIES_PATH, body, key=self._key, created=now(KioskClock()))
            with suppress(requests.RequestException):
                answer = self._session.post(self._url, data=body, headers=headers, timeout=IMPATIENT.read_s)
                if answer.status_code == requests.codes.ok:
                    self._cursor[head.session] = head.seq + 1
        return Step(again=False, wait_s=1.0, wakeable=True)


Make = Callable[[Identity, requests.Session, JournalReader, RosterCache, Kiosk], Stepped]


def real_sync(
    identity: Identity, session: requests.Session, reader: JournalReader, cache: RosterCache, kiosk: Kiosk
) -> Stepped:
    """Build the kiosk's own sync, that gives up waiting early."""
    clock = KioskClock()
    return Sync(
        reader,
        cache,
        Uplink(identity, load_key(kiosk.data), session, clock, IMPATIENT),
        clock,
        names_key_path=kiosk.folder / "run" / "names.key",
        door=lambda: DoorReport(clock.read().boot_ns, (), broken=False),
        boot=boot_id(),
        app="bench",
        interval_s=2.0,
        jitter=lambda: 0.5,
    )


def believing_sync(
    identity: Identity, session: requests.Session, reader: JournalReader, _cache: RosterCache, kiosk: Kiosk
) -> Stepped:
    """Build the one that is broken on purpose."""
    return BelievingSync(identity, load_key(kiosk.data), session, reader)


@contextmanager
def bench(make: Make = real_sync) -> Iterator[Bench]:
    """A server and a kiosk, enrolled over a network that is well."""
    with house(opened=False) as open_house:
        kiosk = open_house.kiosks[0]
        identity, key = load_identity(kiosk.data), load_key(kiosk.data)
        journal = Journal(
            kiosk.data / "journal.db",
            kiosk=identity.kiosk,
            clock=KioskClock(),
            boot=boot_id(),
            app="bench",
            key_id=key_id(key.public_key()),
        ).begin()
        with (
            closing(journal),
            closing(JournalReader(kiosk.data / "journal.db")) as reader,
            closing(RosterCache.open(kiosk.data / "cache.db")) as cache,
            requests.Session() as session,
        ):
            sync = make(identity, session, reader, cache, kiosk)
            made = Bench(open_house, journal, cache, sync)
            for _ in range(MOST_STEPS):
                if not sync.step():
                    break
            yield made


def mixed(steps: int, *, seed: int) -> list[Harm]:
    """Return harms drawn at random, one a step; every fourth is none."""
    chance = random.Random(seed)
    return [Harm.NONE if chance.random() < 0.25 else chance.choice(HARMS) for _ in range(steps)]


def rows() -> list[Row]:
    """Measure each harm alone, all of them mixed, and the control."""
    with bench() as made:
        alone = {harm: made.suffer([harm] * HARM_STEPS) for harm in HARMS}
        mix = [made.suffer(mixed(MIXED_STEPS, seed=seed)) for seed in range(3)]
    with bench(believing_sync) as made:
        control = made.suffer([Harm.PORTAL] * HARM_STEPS)
    for harm, each in alone.items():
        if not each.clean:
            print(harm, each)
    every = [*alone.values(), *mix]
    return [
        _row("bad network, each harm alone", list(alone.values())),
        _row("bad network, one harm after another", mix),
        _row("a sync that believes any 200", [control], control=True),
        measured("bad network: slowest recovery", max(each.steps for each in every), "steps", bar=MOST_STEPS),
        measured(
            "bad network: busiest kiosk",
            max(each.requests_a_minute for each in every),
            "requests/min",
            bar=MOST_REQUESTS_A_MINUTE,
        ),
    ]


def _row(fault: str, suffered: Sequence[Suffered], *, control: bool = False) -> Row:
    counts = Counts(
        cycles=len(suffered),
        acknowledged=sum(each.entries for each in suffered),
        lost=sum(each.lost for each in suffered),
        doubled=sum(each.doubled for each in suffered),
        wrong=sum(each.wrong + each.unsettled for each in suffered),
    )
    return proved(fault, counts, control=control)
