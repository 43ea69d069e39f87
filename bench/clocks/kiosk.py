"""A kiosk of the simulated site: the real door, journal, cache and sync on clocks of their own, and a slow way."""

from collections import deque
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import requests
from requests.adapters import HTTPAdapter

from attendance.cards import CardToken
from attendance.clock import ClockState
from attendance.presence import movement_id
from attendance.records import ClockStepped, Direction
from attendance.signatures import key_id
from bench.clocks.machine import LONG_AGO, Machine
from bench.sync_model.side import Enrolled
from hardware.reader import Medium, RawRead
from kiosk.answer import Answer, DoorStatus, Whereabouts
from kiosk.door import Door
from kiosk.door_report import DoorReport
from kiosk.identity import Identity
from kiosk.journal import Journal
from kiosk.journal_reader import JournalReader
from kiosk.name_book import NameBook
from kiosk.roster_cache import RosterCache
from kiosk.sync import Sync
from kiosk.uplink import Uplink

STARTS_AFTER_S = 20.0
"""From power to the door's first entry."""
_MOST_STEPS = 100


class Around(Protocol):
    """What a kiosk lives in."""

    children: tuple[str, ...]

    @property
    def now(self) -> datetime:
        """The true time."""
        ...

    def live(self, seconds: float) -> None:
        """Let time pass everywhere."""
        ...

    def note(self, made: str, boot: str, direction: Direction | None) -> bool:
        """Keep in mind what was truly done now; return False when it is known already."""
        ...


class Kiosk:
    """The real parts of a kiosk on clocks of their own. Thread: one."""

    def __init__(self, world: Around, folder: Path, url: str, carrier: HTTPAdapter, enrolled: Enrolled) -> None:
        self._world = world
        self._folder = folder
        self._url = url
        self._enrolled = enrolled
        self._boots = 0
        self._up = False
        self.machine = Machine(LONG_AGO, ClockState.NONE)
        self.way = SlowWay(world, carrier)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount(url, self.way)

    def boot(
        self,
        state: ClockState,
        *,
        off: timedelta = timedelta(),
        at_1970: bool = False,
        ppm: float = 0.0,
        err_ms: int | None = None,
    ) -> None:
        """Begin a boot with the wall clock off by so much, after the one before ended as if the power went."""
        self.power_off()
        self._boots += 1
        self.boot_id = f"{self._boots:04d}{self._enrolled.name.replace('-', '')}"[:32].ljust(32, "0")
        wall = LONG_AGO if at_1970 else self._world.now + off
        self.machine = Machine(wall, state, ppm=ppm, err_ms=err_ms)
        self._world.live(STARTS_AFTER_S)
        self.cache = RosterCache.open(self._folder / "cache.db", boot=self.boot_id)
        self.reader = JournalReader(self._folder / "journal.db")
        self._open_door()
        identity = Identity(kiosk=self._enrolled.name, site="", site_name="", server_url=self._url, uid_key=bytes(32))
        self.sync = Sync(
            self.reader,
            self.cache,
            Uplink(identity, self._enrolled.key, self._session, self.machine),
            self.machine,
            names_key_path=self._folder / "run" / "names.key",
            door=lambda: DoorReport(self.machine.read().boot_ns, (), broken=False),
            boot=self.boot_id,
            app="bench",
            interval_s=5.0,
            jitter=lambda: 0.5,
        )
        self._up = True

    def restart_door(self) -> None:
        """The door's process ends and begins anew: a session of its own in the same boot."""
        self.journal.close()
        self._open_door()

    def _open_door(self) -> None:
        self.journal = Journal(
            self._folder / "journal.db",
            kiosk=self._enrolled.name,
            clock=self.machine,
            boot=self.boot_id,
            app="bench",
            key_id=key_id(self._enrolled.key.public_key()),
        ).begin()
        names = NameBook(self.cache, self._folder / "names.key")
        self.door = Door(
            journal=self.journal,
            cache=self.cache,
            clock=self.machine,
            uid_key=bytes(32),
            names=names,
            display=_Nobody(),
        )

    def power_off(self) -> None:
        if self._up:
            self.journal.close()
            self.reader.close()
            self.cache.close()
        self._up = False

    def forget_journal(self) -> None:
        """End with no journal, so that the next boot is that of a kiosk that has just been enrolled."""
        self.power_off()
        for path in self._folder.glob("journal.db*"):
            path.unlink()

    def close(self) -> None:
        self.power_off()
        self._session.close()

    def live(self, seconds: float) -> None:
        """Let its clocks go on; the door looks at them each second."""
        self.machine.live(seconds)
        if self._up:
            self.door.tick()

    def enters(self, child: int = 0) -> str:
        """Return the id of what was recorded; empty for nothing."""
        return self._moves(child, Direction.ENTRY)

    def leaves(self, child: int = 0) -> str:
        """Return the id of what was recorded; empty for nothing."""
        return self._moves(child, Direction.EXIT)

    def strange_card(self) -> str:
        """Somebody shows a card that nobody holds; return the id of what was recorded."""
        payload = CardToken.new().text.encode()
        self.door.handle(RawRead(Medium.QR, payload, "qr", self.machine.read().boot_ns))
        return self._note(None)

    def _moves(self, child: int, direction: Direction) -> str:
        self.door.enter_by_staff(self._world.children[child], direction)
        return self._note(direction)

    def _note(self, direction: Direction | None) -> str:
        (last,) = (head for head in self.journal.heads() if head.session == self.journal.session)
        made = movement_id(last.session, last.seq)
        return made if self._world.note(made, self.boot_id, direction) else ""

    def present(self) -> set[str]:
        """Return who is in, as the door knows."""
        return {each.child for each in self.door.children() if each.whereabouts is Whereabouts.IN}

    def steps(self) -> list[int]:
        """Return the steps of the clock in this boot's journal, in milliseconds."""
        records = self.journal.records_of_boot(0)
        return [record.body.step_ms for record in records if isinstance(record.body, ClockStepped)]

    def sync_all(self) -> None:
        """Talk to the server until there is nothing to say, and once more: what was heard is told then."""
        for _ in range(_MOST_STEPS):
            if not self.sync.step():
                break
        self.sync.step()


class SlowWay(HTTPAdapter):
    """A way on which true time passes, there and back, and on which a request may get stuck."""

    def __init__(self, world: Around, carrier: HTTPAdapter) -> None:
        super().__init__()
        self._world = world
        self._carrier = carrier
        self.there_s = 0.0
        self.back_s = 0.0
        self.cut = False
        self.sticks = False
        """Requests are kept on the way, and the kiosk gives up."""
        self._stuck: deque[requests.PreparedRequest] = deque()

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
        """Return the server's answer, after a while. Raises: requests.RequestException."""
        if self.cut:
            raise requests.ConnectionError("no network")
        if self.sticks:
            self._stuck.append(request)
            raise requests.ReadTimeout("stuck")
        self._world.live(self.there_s)
        answer = self._carrier.send(request, timeout=30, stream=False)
        self._world.live(self.back_s)
        return answer

    def arrive_late(self) -> None:
        """Bring what is stuck to the server; nobody hears the answers."""
        while self._stuck:
            self._carrier.send(self._stuck.popleft(), timeout=30, stream=False)


class _Nobody:
    """A display that nobody looks at."""

    def show(self, answer: Answer) -> None:
        pass

    def status(self, status: DoorStatus) -> None:
        pass
