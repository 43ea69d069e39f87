"""A whole door with a roster of its own, for what is measured at a door."""

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attendance.cards import CardToken
from attendance.catalogue import Language
from attendance.names import seal
from attendance.policy import Policy
from attendance.records import Moved
from attendance.roster import Animal, Colour, Holder, Mark
from attendance.wire import RosterPart, StateResponse
from hardware.errors import ReaderLost
from hardware.fake import FakeReader
from hardware.reader import CardReader, boot_ns
from hardware.soft_card import ScheduledTap
from kiosk.announce import Announcer
from kiosk.answer import Answer, DoorStatus
from kiosk.catalogues import catalogues
from kiosk.consumer import Consumer
from kiosk.door import Door
from kiosk.journal import Journal
from kiosk.name_book import NameBook
from kiosk.roster_cache import RosterCache
from kiosk.screen import Screen
from kiosk.timekeeping import KioskClock

DISK = Path("/var/tmp")
"""Never a tmpfs, where a commit costs nothing."""
WAIT_S = 30.0


class Watch:
    """Stands behind the screen: knows when it had the answer, and when the door is idle again."""

    def __init__(self, screen: Screen) -> None:
        self.settled = threading.Event()
        self.shown_at_ns = 0
        self.answer_id = -1
        """Of the last answer."""
        self._screen = screen
        self._shown = 0

    def expect(self) -> None:
        """Forget the last answer: `settled` is set when the next has been shown."""
        self.shown_at_ns = 0
        self.settled.clear()

    def show(self, answer: Answer) -> None:
        self._screen.show(answer)
        self.shown_at_ns = boot_ns()
        self.answer_id = answer.id
        self._shown += 1

    def status(self, status: DoorStatus) -> None:
        self._screen.status(status)
        if self.shown_at_ns:
            self.settled.set()

    def wait_for(self, answers: int) -> None:
        """Return when the door has given so many answers. Raises: RuntimeError when it does not."""
        until_s = time.monotonic() + WAIT_S
        while self._shown < answers:
            if time.monotonic() > until_s:
                raise RuntimeError(f"{answers - self._shown} reads were not answered")
            time.sleep(0.002)


class PracticeDoor:
    """A door with a journal, a screen, and a roster of children with a card each."""

    def __init__(
        self, folder: Path, tokens: Sequence[CardToken], policy: Policy, readers: Sequence[CardReader] = ()
    ) -> None:
        clock = KioskClock()
        self.children = [f"child-{number}" for number in range(len(tokens))]
        self.journal = open_journal(folder)
        self.announcer = Announcer()
        self._cache = RosterCache.open(folder / "cache.db")
        self._cache.store_state(_state(self.children, tokens, policy))
        door = Door(
            journal=self.journal,
            cache=self._cache,
            clock=clock,
            uid_key=bytes(32),
            names=NameBook(self._cache, folder / "names.key"),
            display=self.announcer,
        )
        self.screen = Screen(door, catalogues(), clock, language=Language.JA_EASY)
        self.watch = Watch(self.screen)
        self.announcer.add(self.watch)
        self.consumer = Consumer(door, readers, self.announcer)

    def lost_or_doubled(self) -> int:
        """How many movements there are too few or too many, if each child walked once."""
        moved = Counter(self.moved())
        return sum(abs(moved[child] - 1) for child in self.children)

    def moved(self) -> list[str]:
        """The children in the journal, one for each movement, in order."""
        bodies = [record.body for record in self.journal.records_of_boot(0)]
        return [body.child for body in bodies if isinstance(body, Moved)]

    def close(self) -> None:
        """Stop reading and close the files."""
        self.consumer.stop()
        self.journal.close()
        self._cache.close()


def new_tokens(number: int) -> list[CardToken]:
    """Tokens of as many cards."""
    return [CardToken.new() for _ in range(number)]


def card_tap(child: int, token: CardToken, *, at_s: float = 0.0, hold_s: float = 0.0) -> ScheduledTap:
    """A tap of a child's NFC card: of Type 2, 3 or 4, as the child's number has it."""
    if child % 3 == 0:
        return ScheduledTap(at_s, hold_s, "3", f"012e4c112233{child:04x}", token.text)
    return ScheduledTap(at_s, hold_s, "2" if child % 3 == 1 else "4", f"04a1b2c3d4{child:04x}", token.text)


@contextmanager
def disk_folder() -> Iterator[Path]:
    """A folder on a real disk, thrown away afterwards."""
    with tempfile.TemporaryDirectory(prefix="tadaima-bench-", dir=DISK) as name:
        yield Path(name)


def open_journal(folder: Path) -> Journal:
    """A journal on the folder's disk."""
    return Journal(
        folder / "journal.db", kiosk="bench", clock=KioskClock(), boot="bench", app="bench", key_id="0" * 32
    ).begin()


def _state(children: Sequence[str], tokens: Sequence[CardToken], policy: Policy) -> StateResponse:
    mark = Mark(Animal.CAT, Colour.RED)
    holders = tuple(Holder(child, mark, (token.ref.card_hash,)) for child, token in zip(children, tokens, strict=True))
    roster = RosterPart(version="1", holders=holders, names=seal({}, bytes(32)))
    return StateResponse(policy=policy, names_key=bytes(32), roster=roster)


def feed(reader: FakeReader, line: str) -> None:
    """Hold a card to the reader, once it is open. Raises: ReaderLost when it does not open."""
    until_s = time.monotonic() + WAIT_S
    while True:
        try:
            return reader.feed(line)
        except ReaderLost:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.01)
