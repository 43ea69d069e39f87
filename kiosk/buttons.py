"""The buttons under the answers on the screen: take a movement back, or say which way."""

from dataclasses import dataclass

from attendance.cards import CardRef
from attendance.records import AttendanceRecord, Direction
from attendance.roster import Holder

KEPT = 64
"""Answers whose buttons still work; more than a rush leaves on the screen."""
ASK_NS = 30_000_000_000
"""How long a question may be answered; the screen takes it away sooner."""


@dataclass(slots=True)
class Undoable:
    """A movement that a child may take back until `until_boot_ns`, once."""

    holder: Holder
    direction: Direction
    record: AttendanceRecord
    until_boot_ns: int
    undone: bool = False


@dataclass(slots=True)
class Question:
    """A card whose holder was asked which way; answered once, by a movement."""

    holder: Holder
    card: CardRef
    until_boot_ns: int
    answered: Undoable | None = None
    """The movement that came of it."""


Behind = Undoable | Question
"""What a press acts on."""


class Buttons:
    """What the buttons of the newest answers act on, by the answer's id."""

    def __init__(self) -> None:
        self._by_answer: dict[int, Behind] = {}

    def put(self, answer_id: int, behind: Behind) -> None:
        """Give an answer a button; the oldest answer loses its own."""
        self._by_answer[answer_id] = behind
        while len(self._by_answer) > KEPT:
            del self._by_answer[next(iter(self._by_answer))]

    def undoable(self, answer_id: int) -> Undoable | None:
        """Return what an answer let be taken back."""
        behind = self._by_answer.get(answer_id)
        return behind if isinstance(behind, Undoable) else None

    def question(self, answer_id: int) -> Question | None:
        """Return what an answer asked."""
        behind = self._by_answer.get(answer_id)
        return behind if isinstance(behind, Question) else None

    def last_of(self, child: str, boot_ns: int) -> Undoable | None:
        """Return a child's last movement if it can still be taken back."""
        for behind in reversed(self._by_answer.values()):
            if isinstance(behind, Undoable) and behind.holder.child == child:
                return behind if not behind.undone and boot_ns < behind.until_boot_ns else None
        return None
