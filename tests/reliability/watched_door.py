"""A door that keeps its journal on the disk under test, and writes there what it answered with "ok"."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from attendance.policy import Policy
from bench.journal_writer import JOURNAL, Acknowledgements
from kiosk.answer import AnswerKind
from tests.kiosk.door_parts import Rig, door_rig

EVERY_TAP = Policy(repeat_window_s=0)
OK = {AnswerKind.IN, AnswerKind.OUT}


class WatchedDoor:
    def __init__(self, rig: Rig, acknowledgements: Acknowledgements) -> None:
        self.rig = rig
        self._acknowledgements = acknowledgements

    def taps(self, number: int) -> set[AnswerKind]:
        return {self.tap() for _ in range(number)}

    def tap(self) -> AnswerKind:
        answer = self.rig.tap().kind
        if answer in OK:
            self._acknowledgements.promise_head(self.rig.journal.heads()[-1])
        assert self.rig.shown.answers[-1].kind is answer
        return answer


@contextmanager
def door_on(disk: Path) -> Iterator[WatchedDoor]:
    """A door on a disk; what it answers is written to that disk too."""
    acknowledgements = Acknowledgements(disk)
    with closing(acknowledgements), door_rig(disk / JOURNAL.parent, policy=EVERY_TAP, busy_timeout_s=0.05) as rig:
        yield WatchedDoor(rig, acknowledgements)
