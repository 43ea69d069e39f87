"""What the answers on the screen let a child press: take a movement back, or say which way."""

from dataclasses import dataclass

from attendance.cards import CardRef
from attendance.records import AttendanceRecord, Direction
from attendance.roster import Holder

KEPT = 64
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
    """A card whose holder was asked which way; answered once."""

    holder: Holder
    card: CardRef
    until_boot_ns: int
    answered: Direction | None = None


Offer = Undoable | Question


class Offers:
    """The newest offers by the id of the answer that made them."""

    def __init__(self) -> None:
        self._by_answer: dict[int, Offer] = {}

    def make(self, answer_id: int, offer: Offer) -> None:
        """Keep an offer; the oldest makes room."""
        self._by_answer[answer_id] = offer
        while len(self._by_answer) > KEPT:
            del self._by_answer[next(iter(self._by_answer))]

    def undoable(self, answer_id: int) -> Undoable | None:
        """Return what an answer let be taken back."""
        offer = self._by_answer.get(answer_id)
        return offer if isinstance(offer, Undoable) else None

    def question(self, answer_id: int) -> Question | None:
        """Return what an answer asked."""
        offer = self._by_answer.get(answer_id)
        return offer if isinstance(offer, Question) else None

    def last_of(self, child: str, boot_ns: int) -> Undoable | None:
        """Return a child's last movement if it can still be taken back."""
        for offer in reversed(self._by_answer.values()):
            if isinstance(offer, Undoable) and offer.holder.child == child:
                return offer if not offer.undone and boot_ns < offer.until_boot_ns else None
        return None
