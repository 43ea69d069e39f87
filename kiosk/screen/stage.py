"""What stands on the screen: a value that answers and time move on, with no clock and no I/O of its own."""

from dataclasses import dataclass, replace

from attendance.clock import NS_IN_S
from kiosk.answer import Answer, AnswerKind, DoorStatus

RECENT_MAX = 3
RECENT_NS = 6_000_000_000
SILENT_NS = 3_000_000_000
"""The door tells its status each second: without one for this long it hangs, perhaps on a disk."""

_MOVES = frozenset({AnswerKind.IN, AnswerKind.OUT})
_WRITTEN = _MOVES | {AnswerKind.UNDONE, AnswerKind.UNKNOWN}
"""The answers that follow a committed entry, and so prove that the journal works again."""

_SHOWN_S: dict[AnswerKind, int] = {
    AnswerKind.IN: 4,
    AnswerKind.OUT: 4,
    AnswerKind.AGAIN_IN: 4,
    AnswerKind.AGAIN_OUT: 4,
    AnswerKind.UNDONE: 4,
    AnswerKind.UNKNOWN: 6,
    AnswerKind.FOREIGN: 4,
    AnswerKind.ASK: 15,
    AnswerKind.STAFF: 6,
}


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer and when it came onto the stage, by CLOCK_BOOTTIME."""

    answer: Answer
    at_ns: int

    @property
    def until_ns(self) -> int:
        """When it leaves: after its own time, and not before まちがえた does."""
        return self.at_ns + max(_SHOWN_S[self.answer.kind], self.answer.undo_s) * NS_IN_S

    @property
    def undo_until_ns(self) -> int:
        """When まちがえた leaves."""
        return self.at_ns + self.answer.undo_s * NS_IN_S


@dataclass(frozen=True, slots=True)
class Passed:
    """A movement whose answer made room for the next, and when its mark leaves the row of recent ones."""

    answer: Answer
    until_ns: int


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything the screen shows but the time of day."""

    shown: Shown | None = None
    recent: tuple[Passed, ...] = ()
    """Newest first."""
    unwritten: bool = False
    """A child's record could not be written, and none has been since."""
    status: DoorStatus | None = None
    status_at_ns: int = 0
    """When the status came, by CLOCK_BOOTTIME."""
    last_id: int = -1

    @property
    def broken(self) -> bool:
        """Whether the stage stands on red: what is to be seen while no answer is shown."""
        return self.unwritten or (self.status is not None and self.status.broken)

    def silent(self, now_ns: int) -> bool:
        """Say whether the door has stopped telling its status: no card would be answered now."""
        return self.status is not None and now_ns >= self.status_at_ns + SILENT_NS

    def next_change_ns(self, now_ns: int) -> int | None:
        """Return when, after now, time alone will change the stage; None for never."""
        instants = [passed.until_ns for passed in self.recent]
        if self.status is not None:
            instants.append(self.status_at_ns + SILENT_NS)
        if self.shown is not None:
            instants += [self.shown.until_ns, self.shown.undo_until_ns]
        return min((instant for instant in instants if instant > now_ns), default=None)


def settle(stage: Stage, now_ns: int) -> Stage:
    """Return the stage without what has had its time."""
    shown = stage.shown if stage.shown is not None and now_ns < stage.shown.until_ns else None
    recent = tuple(passed for passed in stage.recent if now_ns < passed.until_ns)
    if shown is stage.shown and recent == stage.recent:
        return stage
    return replace(stage, shown=shown, recent=recent)


def hear(stage: Stage, status: DoorStatus, now_ns: int) -> Stage:
    """Return the stage with the door's newest status."""
    return replace(stage, status=status, status_at_ns=now_ns)


def enter(stage: Stage, answer: Answer, now_ns: int) -> Stage:
    """Return the stage with the answer on it; one that is not newer than the last changes nothing."""
    if answer.id <= stage.last_id:
        return stage
    stage = settle(stage, now_ns)
    recent = _make_room(stage, answer, now_ns)
    if answer.kind is AnswerKind.BROKEN:
        return replace(stage, shown=None, recent=recent, unwritten=True, last_id=answer.id)
    unwritten = stage.unwritten and answer.kind not in _WRITTEN
    return replace(stage, shown=Shown(answer, now_ns), recent=recent, unwritten=unwritten, last_id=answer.id)


def _make_room(stage: Stage, answer: Answer, now_ns: int) -> tuple[Passed, ...]:
    recent = stage.recent
    if stage.shown is not None and stage.shown.answer.kind in _MOVES:
        recent = (Passed(stage.shown.answer, now_ns + RECENT_NS), *recent)
    # A child seen large is not seen small as well, least of all with a movement just taken back.
    return tuple(passed for passed in recent if passed.answer.mark != answer.mark)[:RECENT_MAX]
