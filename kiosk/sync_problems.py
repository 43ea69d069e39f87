"""What is wrong with sync itself: found in each step anew, and logged as it comes and goes."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from attendance.wire import SyncProblem

log = logging.getLogger(__name__)


class SyncProblems:
    """The problems of the last steps. Thread: one."""

    def __init__(self) -> None:
        self._found: dict[SyncProblem, str] = {}
        self._standing: dict[SyncProblem, str] = {}

    @property
    def standing(self) -> tuple[SyncProblem, ...]:
        """Those that there were when the last step ended."""
        return tuple(sorted(self._standing))

    def note(self, problem: SyncProblem, detail: str) -> None:
        """Note what this step found; of one problem the first detail counts."""
        self._found.setdefault(problem, detail)

    @contextmanager
    def noting(self, problem: SyncProblem, errors: type[Exception]) -> Iterator[None]:
        """Note an error as a problem and go on: what else can be done is done."""
        try:
            yield
        except errors as error:
            self.note(problem, f"reason={str(error)!r}")

    def end_step(self, *, heard: bool) -> None:
        """Say what is new and what is over; a step that did not hear the server could not look at everything."""
        for problem, detail in self._found.items():
            if problem not in self._standing:
                log.error("sync problem=%s %s", problem, detail)
        if heard:
            for problem in self._standing:
                if problem not in self._found:
                    log.info("sync problem=%s over", problem)
            self._standing = self._found
        else:
            self._standing = self._standing | self._found
        self._found = {}
