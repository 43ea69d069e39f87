"""The door: from a read to an answer (steps 2 to 7 of the straight line).

One read is handled at a time, so that a child's state never changes between decision and record; presses on the screen
wait for the same lock. An answer of "ok" is made after the commit, and whatever fails is answered too.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import assert_never

from attendance.cards import CardRef
from attendance.clock import NS_IN_S, Clock
from attendance.faults import where
from attendance.policy import Policy
from attendance.records import AttendanceRecord, Body, Direction, MadeBy, Moved, Undone, UnknownCard, kind_of
from attendance.roster import Holder
from attendance.staff_pin import is_understood
from hardware.reader import RawRead
from kiosk.announce import Display
from kiosk.answer import Answer, AnswerKind, ChildNow, DoorStatus
from kiosk.answers import Answers
from kiosk.buttons import ASK_NS, Buttons, Question, Undoable
from kiosk.card_read import card_of
from kiosk.desk import Ask, Reason, Record, Refuse, Repeat
from kiosk.errors import CacheError, JournalError
from kiosk.journal import Journal
from kiosk.knowledge import Knowledge
from kiosk.name_book import NameBook
from kiosk.roster_cache import RosterCache
from kiosk.timekeeping import StepWatch

log = logging.getLogger(__name__)

CONNECTED_S = 30.0
"""Without an answer from the server for this long, the screen says that there is no connection."""
PRESS_GRACE_NS = NS_IN_S
"""A press at the last moment takes a while to arrive."""
_MOVED = {Direction.ENTRY: AnswerKind.IN, Direction.EXIT: AnswerKind.OUT}
_AGAIN = {Direction.ENTRY: AnswerKind.AGAIN_IN, Direction.EXIT: AnswerKind.AGAIN_OUT}

Done = tuple[Answer, AttendanceRecord | None]
"""An answer, and the record behind it if one was made."""


class Door:
    """Handles reads and presses, one at a time; fulfils the screen's `Presses`. Thread: any."""

    def __init__(
        self,
        *,
        journal: Journal,
        cache: RosterCache,
        clock: Clock,
        uid_key: bytes,
        names: NameBook,
        display: Display,
        can_ask: bool = True,
    ) -> None:
        self._journal = journal
        self._cache = cache
        self._clock = clock
        self._uid_key = uid_key
        self._answers = Answers(names)
        self._display = display
        self._lock = threading.Lock()
        self._known = Knowledge(journal, cache, clock, names, can_ask=can_ask)
        self._buttons = Buttons()
        self._steps = StepWatch(clock.read())
        self._unknown_at_ns: dict[str, int] = {}

    def handle(self, raw: RawRead) -> Answer:
        """Record a read as the rules have it, answer the child, and return the answer; never raises."""
        return self._answered(raw.read_at_ns, lambda: self._read(raw))

    def undo(self, answer_id: int) -> Answer:
        """Take back the movement of an answer within its window; pressed again or too late, say how things stand."""
        return self._answered(self._boot_ns(), lambda: self._undo(answer_id))

    def choose(self, answer_id: int, direction: Direction) -> Answer:
        """Record the way a child touched after ASK; pressed again, say how things stand."""
        return self._answered(self._boot_ns(), lambda: self._choose(answer_id, direction))

    def staff_pin(self) -> str | None:
        """Return the hash of the site's PIN, None when it has none that can be checked. Raises: CacheError."""
        hashed = self._cache.policy().staff_pin
        return hashed if isinstance(hashed, str) and is_understood(hashed) else None

    def children(self) -> tuple[ChildNow, ...]:
        """Return every child of the roster as it is now. Raises: CacheError, JournalError."""
        with self._lock:
            return self._known.children()

    def enter_by_staff(self, child: str, direction: Direction) -> Answer | None:
        """Record a movement that staff entered, and answer the child; None for a child who is not on the roster."""
        try:
            if self._cache.holder(child) is None:
                return None
        except CacheError:
            pass  # the child is answered that nothing can be recorded
        return self._answered(self._boot_ns(), lambda: self._enter(child, direction))

    def tick(self) -> None:
        """Record a step of the clock, if there was one; to be called each second."""
        with self._lock:
            try:
                self._watch_clock()
            except JournalError as error:
                log.debug("tick failed reason=%r", error.reason)

    def status(self, readers_down: Sequence[str]) -> DoorStatus:
        """Return how the door is, for staff; what cannot be read counts as broken or not connected."""
        with self._lock:
            present, unsent, connected, by_staff, broken = 0, 0, False, False, self._journal.problem is not None
            try:
                now, contact = self._known.now()
                connected = contact is not None and now.boot_ns - contact.at_boot_ns < CONNECTED_S * NS_IN_S
                by_staff = self.staff_pin() is not None
                present = self._known.today(now).present()
                unsent = self._journal.unsent(self._cache.acks())
            except (JournalError, CacheError):
                broken = True
            return DoorStatus(
                present=present,
                unsent=unsent,
                connected=connected,
                readers_down=tuple(readers_down),
                broken=broken,
                by_staff=by_staff,
                short_of_space=self._journal.short_of_space,
            )

    def _answered(self, read_boot_ns: int, work: Callable[[], Done]) -> Answer:
        """Do the work, show what came of it, and log the record with the three instants of its tap."""
        with self._lock:
            record = None
            try:
                answer, record = work()
            except JournalError:
                answer = self._answers.make(AnswerKind.BROKEN)
            except CacheError as error:
                log.error("roster cache broken reason=%r", error.reason)  # noqa: TRY400 - the reason says it
                answer = self._answers.make(AnswerKind.BROKEN)
            except Exception as error:  # noqa: BLE001 - the child is answered and the next one served all the same
                log.error("door failed error=%s at=%s", type(error).__name__, where(error))  # noqa: TRY400 - no payload
                answer = self._answers.make(AnswerKind.BROKEN)
            committed_boot_ns = self._boot_ns()
            self._display.show(answer)
            if record is None:
                log.info("answered answer=%d kind=%s", answer.id, answer.kind)
            else:
                log.info(
                    "recorded session=%s seq=%d kind=%s read_boot_ns=%d committed_boot_ns=%d shown_boot_ns=%d",
                    record.session,
                    record.seq,
                    kind_of(record.body),
                    read_boot_ns,
                    committed_boot_ns,
                    self._boot_ns(),
                )
            return answer

    def _read(self, raw: RawRead) -> Done:
        card = card_of(raw, self._uid_key)
        if card is None:
            return self._answers.make(AnswerKind.FOREIGN), None
        self._watch_clock()
        holder = self._cache.find(card)
        return self._decided(card, holder, raw.read_at_ns, None)

    def _enter(self, child: str, direction: Direction) -> Done:
        self._watch_clock()
        policy = self._cache.policy()
        outcome = self._known.decide(self._cache.holder(child), policy, self._boot_ns(), direction, by_staff=True)
        match outcome:
            case Record():
                return self._moved(outcome, None, policy)
            case Repeat():
                return self._again(outcome.holder, outcome.last), None
            case Ask() | Refuse():  # the child has just left the roster
                return self._answers.make(AnswerKind.STAFF), None
            case _:
                assert_never(outcome)

    def _decided(self, card: CardRef, holder: Holder | None, read_at_ns: int, chosen: Direction | None) -> Done:
        policy = self._cache.policy()
        outcome = self._known.decide(holder, policy, read_at_ns, chosen)
        match outcome:
            case Record():
                return self._moved(outcome, card, policy)
            case Repeat():
                return self._again(outcome.holder, outcome.last), None
            case Ask():
                answer = self._answers.make(AnswerKind.ASK, outcome.holder)
                self._buttons.put(answer.id, Question(outcome.holder, card, self._boot_ns() + ASK_NS))
                return answer, None
            case Refuse(reason=Reason.UNKNOWN):
                return self._answers.make(AnswerKind.UNKNOWN), self._note_unknown(card, policy)
            case Refuse(reason=Reason.REENTRY | Reason.NO_SCREEN):
                return self._answers.make(AnswerKind.STAFF, outcome.holder), None
            case _:
                raise AssertionError(outcome)

    def _moved(self, outcome: Record, card: CardRef | None, policy: Policy) -> Done:
        """Record a movement; without a card it is staff who say so."""
        holder, direction = outcome.holder, outcome.direction
        # Made before the commit: nothing that can fail stands between a commit and its "ok".
        answer = self._answers.make(_MOVED[direction], holder, policy.undo_s)
        by = MadeBy.STAFF if card is None else MadeBy.CARD
        record = self._record(Moved(child=holder.child, direction=direction, by=by, card=card))
        until_ns = record.at.boot_ns + policy.undo_s * NS_IN_S + PRESS_GRACE_NS
        self._buttons.put(answer.id, Undoable(holder, direction, record, until_ns))
        return answer, record

    def _again(self, holder: Holder, last: Direction) -> Answer:
        """Answer a repeat; the button stays for as long as the movement can still be taken back."""
        at_ns = self._boot_ns()
        movement = self._buttons.last_of(holder.child, at_ns)
        if movement is None:
            return self._answers.make(_AGAIN[last], holder)
        left_s = max(0, movement.until_boot_ns - PRESS_GRACE_NS - at_ns) // NS_IN_S
        answer = self._answers.make(_AGAIN[last], holder, left_s)
        self._buttons.put(answer.id, movement)
        return answer

    def _note_unknown(self, card: CardRef, policy: Policy) -> AttendanceRecord | None:
        """Journal a card that nobody holds, once in a repeat window."""
        at_ns = self._boot_ns()
        since_ns = at_ns - policy.repeat_window_s * NS_IN_S
        self._unknown_at_ns = {each: seen for each, seen in self._unknown_at_ns.items() if seen > since_ns}
        if card.card_hash in self._unknown_at_ns:
            return None
        record = self._record(UnknownCard(card=card))
        self._unknown_at_ns[card.card_hash] = at_ns
        return record

    def _undo(self, answer_id: int) -> Done:
        movement = self._buttons.undoable(answer_id)
        if movement is None:
            return self._answers.make(AnswerKind.STAFF), None
        if movement.undone:
            return self._answers.make(AnswerKind.UNDONE, movement.holder), None
        stands = self._answers.make(_AGAIN[movement.direction], movement.holder)
        if self._boot_ns() >= movement.until_boot_ns:
            return stands, None
        answer = self._answers.make(AnswerKind.UNDONE, movement.holder)
        # An undo names an entry of its own session: once the journal has begun another, the movement stands.
        record = self._journal.append_within(movement.record.session, Undone(seq=movement.record.seq))
        if record is None:
            return stands, None
        self._known.add(record)
        movement.undone = True
        return answer, record

    def _choose(self, answer_id: int, direction: Direction) -> Done:
        question = self._buttons.question(answer_id)
        at_ns = self._boot_ns()
        if question is None or (at_ns >= question.until_boot_ns and question.answered is None):
            return self._answers.make(AnswerKind.STAFF), None
        match question.answered:
            case None:
                answer, record = self._decided(question.card, question.holder, at_ns, direction)
                question.answered = self._buttons.undoable(answer.id)
                return answer, record
            case Undoable(undone=True):
                return self._answers.make(AnswerKind.UNDONE, question.holder), None
            case moved:
                return self._again(question.holder, moved.direction), None

    def _record(self, body: Body) -> AttendanceRecord:
        record = self._journal.append(body)
        self._known.add(record)
        return record

    def _watch_clock(self) -> None:
        step = self._steps.look(self._clock.read())
        if step is not None:
            self._record(step)
            self._steps.settle(step)
            log.warning("clock stepped step_ms=%d", step.step_ms)

    def _boot_ns(self) -> int:
        return self._clock.read().boot_ns
