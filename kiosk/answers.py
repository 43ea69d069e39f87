"""Making answers: each with an id of its own, and with the child's name where the kiosk knows it."""

from attendance.roster import DisplayName, Holder
from kiosk.answer import Answer, AnswerKind
from kiosk.errors import CacheError
from kiosk.name_book import NameBook


class Answers:
    """Counts answers up. Thread: one at a time."""

    def __init__(self, names: NameBook) -> None:
        self._names = names
        self._last_id = 0

    def make(self, kind: AnswerKind, holder: Holder | None = None, undo_s: int = 0) -> Answer:
        """Return a new answer; never fails, since the child must get one."""
        self._last_id += 1
        if holder is None:
            return Answer(self._last_id, kind)
        return Answer(self._last_id, kind, holder.mark, self._name_of(holder.child), undo_s)

    def _name_of(self, child: str) -> DisplayName | None:
        try:
            return self._names.name_of(child)
        except CacheError:
            return None  # the mark will do
