"""The screen between the door and the pages that show it: takes answers at once, hands each page the newest view."""

import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from attendance.catalogue import Catalogue, Catalogues, Language
from attendance.clock import Clock
from attendance.records import Direction
from kiosk.answer import Answer, DoorStatus
from kiosk.by_staff import StaffDesk
from kiosk.config import GreetingSettings
from kiosk.screen.stage import Stage, enter, hear, settle
from kiosk.screen.view import View, view

HEARTBEAT_S = 1.0
PAGES_MAX = 4
"""Pages that watch at once; each holds a thread of the server, so the one that came first makes room."""

log = logging.getLogger(__name__)


class Presses(Protocol):
    """What a child's finger on the screen can do; the door does it."""

    def undo(self, answer_id: int) -> Answer:
        """Take the movement of that answer back, if that may still be."""
        ...

    def choose(self, answer_id: int, direction: Direction) -> Answer:
        """Record the movement that the answer asked about."""
        ...


class Screen:
    """One screen; as many pages as watch it show the same. Thread: any, for every method.

    No page can hold up the door: a page is never written to from here, it fetches the newest view when it can, and
    what it was too slow for it never sees.
    """

    def __init__(
        self,
        presses: Presses,
        catalogues: Catalogues,
        clock: Clock,
        *,
        language: Language,
        greetings: GreetingSettings = GreetingSettings(),  # noqa: B008 - a frozen value
        staff: StaffDesk | None = None,
    ) -> None:
        self.words: Catalogue = catalogues[language]
        self.process = secrets.token_urlsafe(16)
        """Names this life of the screen; a page must know it to press anything."""
        self.staff = staff
        """Who lets staff enter children by hand; None where nobody does."""
        self._presses = presses
        self._greetings = greetings
        self._clock = clock
        self._stage = Stage()
        self._changed = threading.Condition()
        self._changes = 0
        self._pages: deque[object] = deque()
        self._closed = False

    def show(self, answer: Answer) -> None:
        """Put the answer on every page; returns at once. One that is older than what is shown is passed over."""
        at_ns = self._clock.read().boot_ns
        self._change(lambda stage: enter(stage, answer, at_ns))

    def status(self, status: DoorStatus) -> None:
        """Tell staff how the kiosk itself is; returns at once."""
        at_ns = self._clock.read().boot_ns
        self._change(lambda stage: hear(stage, status, at_ns))

    def undo(self, answer_id: int) -> Answer:
        """Press まちがえた under that answer and show what came of it."""
        return self._pressed(self._presses.undo(answer_id))

    def choose(self, answer_id: int, direction: Direction) -> Answer:
        """Press a way under that answer and show what came of it."""
        return self._pressed(self._presses.choose(answer_id, direction))

    def view(self) -> View:
        """Return what a page is to show now."""
        reading = self._clock.read()
        with self._changed:
            self._stage = settle(self._stage, reading.boot_ns)
            stage = self._stage
        return view(stage, reading, self.words, process=self.process, greetings=self._greetings)

    def watch(self) -> Iterator[View]:
        """Yield the view now, at each change and each second, until the screen closes or newer pages need the room."""
        page = object()
        with self._changed:
            self._pages.append(page)
            while len(self._pages) > PAGES_MAX:
                self._pages.popleft()
            self._changed.notify_all()
        try:
            while (seen := self._look(page)) is not None:
                yield self.view()
                self._wait(page, seen)
        finally:
            with self._changed:
                if page in self._pages:
                    self._pages.remove(page)

    def close(self) -> None:
        """Let every page go. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def pages(self) -> int:
        """How many pages watch."""
        with self._changed:
            return len(self._pages)

    def _change(self, move: Callable[[Stage], Stage]) -> None:
        with self._changed:
            stage = move(self._stage)
            if stage is self._stage:
                return
            self._stage = stage
            self._changes += 1
            self._changed.notify_all()

    def _pressed(self, answer: Answer) -> Answer:
        log.info("pressed answer=%d kind=%s", answer.id, answer.kind)
        self.show(answer)
        return answer

    def _look(self, page: object) -> int | None:
        """The number of changes so far; None when this page is to go."""
        with self._changed:
            return self._changes if self._stays(page) else None

    def _wait(self, page: object, seen: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._changes != seen or not self._stays(page), self._patience_s())

    def _patience_s(self) -> float:
        """Until the next heartbeat, or sooner when time changes the stage first."""
        now_ns = self._clock.read().boot_ns
        next_ns = self._stage.next_change_ns(now_ns)
        return HEARTBEAT_S if next_ns is None else min(HEARTBEAT_S, (next_ns - now_ns) / 1e9 + 0.001)

    def _stays(self, page: object) -> bool:
        return not self._closed and page in self._pages
