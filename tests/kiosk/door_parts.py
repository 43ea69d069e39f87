"""A door on real files for tests: clock, journal, cache and what it showed; every part can be changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from attendance.cards import CardRef, CardToken
from attendance.clock import ManualClock, local_day, now
from attendance.names import seal
from attendance.policy import Policy
from attendance.presence import Movement
from attendance.records import Direction, Head, Moved
from attendance.roster import Animal, Colour, DisplayName, Holder, Mark
from attendance.wire import PresencePart, RosterPart, StateResponse
from hardware.reader import Medium, RawRead
from kiosk.answer import Answer, DoorStatus
from kiosk.door import Door
from kiosk.journal import Journal
from kiosk.journal_reader import JournalReader
from kiosk.name_book import NameBook
from kiosk.roster_cache import RosterCache

AFTERNOON = datetime(2026, 4, 1, 5, 0, tzinfo=UTC)
BOOT = "b0070000000000000000000000000001"
OTHER_BOOT = "b0070000000000000000000000000002"
UID_KEY = b"u" * 32
NAMES_KEY = b"n" * 32
HANA, TARO = "child-hana", "child-taro"
HANAS_TOKEN, TAROS_TOKEN, STRANGE_TOKEN = (CardToken(bytes([number]) * 16) for number in (1, 2, 3))
NAMES = {HANA: DisplayName("Hana", "hana"), TARO: DisplayName("Taro", "taro")}


def holder(child: str = HANA, token: CardToken = HANAS_TOKEN, animal: Animal = Animal.CAT) -> Holder:
    return Holder(child=child, mark=Mark(animal, Colour.RED), cards=(token.ref.card_hash,))


HOLDERS = (holder(), holder(TARO, TAROS_TOKEN, Animal.DOG))


def roster(*, version: str = "r1", holders: tuple[Holder, ...] = HOLDERS) -> RosterPart:
    return RosterPart(version=version, holders=holders, names=seal(NAMES, NAMES_KEY))


def presence(
    *movements: Movement, day: date | None = None, through: tuple[Head, ...] = (), version: str = "p1"
) -> PresencePart:
    return PresencePart(version=version, day=day or local_day(AFTERNOON), through=through, movements=movements)


def state(
    *, policy: Policy | None = None, roster_part: RosterPart | None = None, presence_part: PresencePart | None = None
) -> StateResponse:
    return StateResponse(
        policy=policy or Policy(), names_key=NAMES_KEY, roster=roster_part or roster(), presence=presence_part
    )


def open_journal(
    path: Path, clock: ManualClock | None = None, *, boot: str = BOOT, busy_timeout_s: float = 5.0
) -> Journal:
    return Journal(
        path,
        kiosk="kiosk-1",
        clock=clock or ManualClock(AFTERNOON),
        boot=boot,
        app="0.1.0",
        key_id="0" * 32,
        busy_timeout_s=busy_timeout_s,
    ).begin()


@dataclass
class Shown:
    """A display that keeps what it was given."""

    answers: list[Answer] = field(default_factory=list)
    statuses: list[DoorStatus] = field(default_factory=list)

    def show(self, answer: Answer) -> None:
        self.answers.append(answer)

    def status(self, status: DoorStatus) -> None:
        self.statuses.append(status)


@dataclass
class Rig:
    """A door with everything around it."""

    folder: Path
    clock: ManualClock
    journal: Journal
    cache: RosterCache
    shown: Shown
    door: Door

    def read(
        self, token: CardToken = HANAS_TOKEN, *, payload: bytes | None = None, medium: Medium = Medium.QR
    ) -> RawRead:
        raw = token.text.encode() if payload is None else payload
        return RawRead(medium, raw, "front", self.clock.read().boot_ns)

    def tap(self, token: CardToken = HANAS_TOKEN) -> Answer:
        return self.door.handle(self.read(token))

    @property
    def day(self) -> date:
        return local_day(now(self.clock))

    def kinds(self) -> list[str]:
        """The kinds of the entries in the journal, in order."""
        reader = JournalReader(self.folder / "journal.db")
        lines = [line for head in reader.heads() for line in reader.read(head.session, 0, 10_000)]
        reader.close()
        return [line.line.split('"kind":"')[1].split('"')[0] for line in lines]


@contextmanager
def door_rig(
    folder: Path,
    *,
    policy: Policy | None = None,
    clock: ManualClock | None = None,
    boot: str = BOOT,
    presence_part: PresencePart | None = None,
    busy_timeout_s: float = 5.0,
    synced: bool = True,
    can_ask: bool = True,
) -> Iterator[Rig]:
    clock = clock or ManualClock(AFTERNOON)
    journal = open_journal(folder / "journal.db", clock, boot=boot, busy_timeout_s=busy_timeout_s)
    cache = RosterCache.open(folder / "cache.db", boot=boot)
    if synced:
        cache.store_state(state(policy=policy, presence_part=presence_part))
    shown = Shown()
    names = NameBook(cache, folder / "names.key")
    door = Door(journal=journal, cache=cache, clock=clock, uid_key=UID_KEY, names=names, display=shown, can_ask=can_ask)
    try:
        yield Rig(folder, clock, journal, cache, shown, door)
    finally:
        journal.close()
        cache.close()


def card() -> CardRef:
    return HANAS_TOKEN.ref


def moves(rig: Rig) -> list[tuple[str, Direction]]:
    """Who moved which way, by the journal."""
    records = rig.journal.records_of_boot(0)
    return [(record.body.child, record.body.direction) for record in records if isinstance(record.body, Moved)]
