"""Staff at the door: with the site's PIN they enter a child who has no card (beside steps 3 to 5 of the straight line).

The PIN is looked at here and never at the door's lock: it takes a while on purpose, and cards are read meanwhile.
"""

import logging
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from attendance.clock import Clock
from attendance.records import Direction
from attendance.staff_pin import matches
from kiosk.answer import Answer, ChildNow
from kiosk.errors import CacheError
from kiosk.staff_access import Tries, Unlocked

log = logging.getLogger(__name__)

BUSY_S = 1
_TOKEN_BYTES = 32


class StaffDoor(Protocol):
    """What the door does for staff. Thread: any, for every method."""

    def staff_pin(self) -> str | None:
        """Return the hash of the site's PIN, None when it has none that can be checked. Raises: CacheError."""
        ...

    def children(self) -> Sequence[ChildNow]:
        """Return every child of the roster as it is now. Raises: CacheError, JournalError."""
        ...

    def enter_by_staff(self, child: str, direction: Direction) -> Answer | None:
        """Record a movement and answer the child; None for a child who is not on the roster."""
        ...


@dataclass(frozen=True, slots=True)
class Opened:
    """The PIN was right."""

    token: str


@dataclass(frozen=True, slots=True)
class WrongPin:
    """The PIN was wrong; another may be tried at once."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Too many wrong PINs: this one was not looked at, or was the last before the wait."""

    seconds: int


@dataclass(frozen=True, slots=True)
class NoPin:
    """The site has none: nobody is entered by hand."""


Unlocking = Opened | WrongPin | Wait | NoPin


class Refusal(StrEnum):
    """Why nothing was done for a page."""

    LOCKED = "locked"
    """It was never unlocked, stood untouched, was closed, another page was unlocked, or the PIN is another now."""
    GONE = "gone"
    """The child is not on the roster any more."""


class StaffDesk:
    """Lets one page at a time in with the PIN, and passes on what it asks of the door. Thread: any."""

    def __init__(self, door: StaffDoor, clock: Clock) -> None:
        self._door = door
        self._clock = clock
        self._trying = threading.Lock()
        """Held while a PIN is looked at: another that comes meanwhile is not, and holds up no thread of the screen."""
        self._changing = threading.Lock()
        self._tries = Tries()
        self._unlocked: Unlocked | None = None

    def unlock(self, pin: str) -> Unlocking:
        """Look at a PIN, and let the page that brought the right one in; whoever was in before is out."""
        if not self._trying.acquire(blocking=False):
            return Wait(BUSY_S)
        try:
            return self._unlock(pin)
        finally:
            self._trying.release()

    def stay(self, token: str, *, touched: bool) -> bool:
        """Say whether the page is still in; a touch keeps it in for another while."""
        hashed, now_ns = self._hashed(), self._now_ns()
        with self._changing:
            if self._unlocked is None or not self._unlocked.opens(token, hashed, now_ns):
                return False
            if touched:
                self._unlocked = self._unlocked.touched(now_ns)
            return True

    def lock(self, token: str) -> None:
        """Let the page out. Idempotent."""
        with self._changing:
            if self._unlocked is None or not self._unlocked.belongs_to(token):
                return
            self._unlocked = None
        log.info("staff panel locked")

    def children(self, token: str) -> Sequence[ChildNow] | Refusal:
        """Return every child of the roster as it is now. Raises: CacheError, JournalError."""
        return self._door.children() if self.stay(token, touched=False) else Refusal.LOCKED

    def enter(self, token: str, child: str, direction: Direction) -> Answer | Refusal:
        """Record a child's movement, which is shown like any other."""
        if not self.stay(token, touched=True):
            return Refusal.LOCKED
        return self._door.enter_by_staff(child, direction) or Refusal.GONE

    def _unlock(self, pin: str) -> Unlocking:
        hashed = self._hashed()
        if hashed is None:
            return NoPin()
        if wait_s := self._tries.wait_s(self._now_ns()):
            return Wait(wait_s)
        if not matches(pin, hashed):
            return self._wrong()
        self._tries = Tries()
        opened = Unlocked(secrets.token_urlsafe(_TOKEN_BYTES), hashed, 0).touched(self._now_ns())
        with self._changing:
            self._unlocked = opened
        log.info("staff panel unlocked")
        return Opened(opened.token)

    def _wrong(self) -> WrongPin | Wait:
        now_ns = self._now_ns()
        self._tries = self._tries.after_wrong(now_ns)
        wait_s = self._tries.wait_s(now_ns)
        log.warning("staff pin wrong in_a_row=%d wait_s=%d", self._tries.wrong, wait_s)
        return Wait(wait_s) if wait_s else WrongPin()

    def _hashed(self) -> str | None:
        try:
            return self._door.staff_pin()
        except CacheError as error:
            log.error("staff pin unreadable reason=%r", error.reason)  # noqa: TRY400 - the reason says it
            return None

    def _now_ns(self) -> int:
        return self._clock.read().boot_ns
