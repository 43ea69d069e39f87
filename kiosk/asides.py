"""The journals that were set aside: each is gone through once for what is sound, and marked with how that went."""

import logging
from collections.abc import Callable
from pathlib import Path

from kiosk.database import asides_of
from kiosk.errors import JournalError
from kiosk.salvage import Salvaged, search

log = logging.getLogger(__name__)


class Asides:
    """The files set aside at a journal's path, as one process goes through them. Thread: one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fruitless: set[Path] = set()
        self.salvaged = 0
        """How many gave what is sound in them."""

    def salvage(self, take_in: Callable[[Salvaged], int]) -> None:
        """Hand on each session that nobody has taken from them yet; `take_in` says how many entries it brought.

        One that gives nothing, though it holds something, is gone through again by the next process.
        Raises: JournalError.
        """
        # The newest first, and its last session first, since each goes before all others. One that fails ends it: what
        # an older one gave would stand behind what the next attempt brings.
        for aside in reversed(unsearched(self._path)):
            if aside not in self._fruitless:
                self._salvage(aside, take_in)

    def _salvage(self, aside: Path, take_in: Callable[[Salvaged], int]) -> None:
        try:
            found = search(aside)
            entries = sum(map(take_in, reversed(found.sessions)))
            if found.fruitless:
                self._fruitless.add(aside)
                _fruitless_mark(aside).touch()
                log.error("nothing sound in journal file=%s", aside.name)
                return
            _mark(aside).touch()
        except OSError as error:
            raise JournalError(f"{aside.name}: {error}") from error
        self.salvaged += 1
        log.warning("journal salvaged file=%s entries=%d", aside.name, entries)


def unsearched(path: Path) -> list[Path]:
    """Return the files set aside at a path from which nobody has taken what is sound, oldest first."""
    return [each for each in asides_of(path) if not _mark(each).exists()]


def fruitless(path: Path) -> list[Path]:
    """Return those of the unsearched files in which nothing sound was found, though something is in them."""
    return [each for each in unsearched(path) if _fruitless_mark(each).exists()]


def _mark(aside: Path) -> Path:
    return aside.with_name(aside.name + ".salvaged")


def _fruitless_mark(aside: Path) -> Path:
    return aside.with_name(aside.name + ".fruitless")
