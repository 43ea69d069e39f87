"""The readers' view for who has only a terminal: a line for each read, for each change, and while a card is in view."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from attendance.catalogue import Catalogue
from attendance.clock import Clock
from kiosk.live.view import card_in_view, read_view, trouble_of, verdict_on
from kiosk.live.watched_reader import SeenRead, WatchedReader

LOOK_S = 1.0
_IN_VIEW_NS = 1_000_000_000


class Terminal:
    """Says what happens, line by line. Thread: any for `note`, one for the rest."""

    def __init__(self, words: Catalogue, clock: Clock, say: Callable[[str], None]) -> None:
        self._words = words
        self._clock = clock
        self._say = say
        self._lock = threading.Lock()
        self._told: dict[str, tuple[str, ...]] = {}
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, seen: SeenRead) -> None:
        """Say what was read."""
        read = read_view(seen, self._clock.read(), self._words)
        parts = [read.what, read.start, read.standing, read.trust]
        if seen.module_px is not None:
            parts += verdict_on(seen.module_px, self._words)
        self._line(f"{read.time}  {seen.raw.reader}  " + "  ".join(part for part in parts if part))

    def look(self, readers: Sequence[WatchedReader]) -> None:
        """Say of each reader what has changed, and how a card is seen that is in view."""
        now_ns = self._clock.read().boot_ns
        for reader in readers:
            name, trouble = reader.wanted.name, trouble_of(reader)
            state = trouble.sentences(self._words) if trouble else (self._words.text("live.state.works"),)
            if self._told.get(name) != state:
                self._told[name] = state
                self._line(f"{name}  " + "  ".join(state))
            card = card_in_view(reader, now_ns)
            if card is not None and now_ns - card.at_ns < _IN_VIEW_NS:
                hints = (self._words.text(f"live.hint.{hint}") for hint in card.hints)
                self._line("  ".join((name, *verdict_on(card.module_px, self._words), *hints)))

    def start(self, readers: Sequence[WatchedReader]) -> None:
        """Look each second."""

        def run() -> None:
            while not self._ending.wait(LOOK_S):
                self.look(readers)

        self._thread = threading.Thread(target=run, name="live-terminal", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Say nothing more. Idempotent."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def _line(self, line: str) -> None:
        # A terminal that was closed or piped to a program that has ended does not take the readers down.
        with self._lock, suppress(OSError):
            self._say(line)
