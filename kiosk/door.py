"""The door: from a read to an answer (steps 2 to 7 of the straight line).

One read is handled at a time, so that a child's state never changes between decision and record; presses on the screen
wait for the same lock. An answer of "ok" is made after the commit, and whatever fails is answered too.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import assert_never

from attendance.cards import CardForm, CardRef, parse_card, uid_card
from attendance.clock import Clock
from attendance.errors import CardFormatError
from attendance.policy import Policy
from attendance.records import AttendanceRecord, Body, Direction, MadeBy, Moved, Undone, UnknownCard, kind_of
from attendance.roster import DisplayName, Holder
from hardware.reader import Medium, RawRead
from kiosk.announce import Display
from kiosk.answer import Answer, AnswerKind, DoorStatus
from kiosk.buttons import ASK_NS, Buttons, Question, Undoable
from kiosk.desk import Ask, Reason, Record, Refuse, Repeat, Rules, decide
from kiosk.errors import CacheError, JournalError
from kiosk.faults import where
from kiosk.journal import Journal
from kiosk.name_book import NameBook
from kiosk.own_records import OwnRecords
from kiosk.roster_cache import Contact, RosterCache
from kiosk.timekeeping import StepWatch
from kiosk.today import Now, Today, best_now

log = logging.getLogger(__name__)

CONNECTED_S = 30.0
"""Without an answer from the server for this long, the screen says that there is no connection."""
PRESS_GRACE_NS = 1_000_000_000
"""A press at the last moment takes a while to arrive."""
_NS_IN_S = 1_000_000_000
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
        self._names = names
        self._display = display
        self._can_ask = can_ask
        self._lock = threading.Lock()
        self._own = OwnRecords(journal)
        self._buttons = Buttons()
        self._steps = StepWatch(clock.read())
        self._unknown_at_ns: dict[str, int] = {}
        self._last_id = 0

    def handle(self, raw: RawRead) -> Answer:
        """Record a read as the rules have it, answer the child, and return the answer; never raises."""
        return self._answered(raw.read_at_ns, lambda: self._read(raw))

    def undo(self, answer_id: int) -> Answer:
        """Take back the movement of an answer within its window; pressed again or too late, say how things stand."""
        return self._answered(self._boot_ns(), lambda: self._undo(answer_id))

    def choose(self, answer_id: int, direction: Direction) -> Answer:
        """Record the way a child touched after ASK; pressed again, say how things stand."""
        return self._answered(self._boot_ns(), lambda: self._choose(answer_id, direction))

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
            present, unsent, connected, broken = 0, 0, False, self._journal.problem is not None
            try:
                now, contact = self._now()
                connected = contact is not None and now.boot_ns - contact.at_boot_ns < CONNECTED_S * _NS_IN_S
                present = self._today(now).present()
                unsent = self._journal.unsent(self._cache.acks())
            except (JournalError, CacheError):
                broken = True
            return DoorStatus(
                present=present,
                unsent=unsent,
                connected=connected,
                readers_down=tuple(readers_down),
                broken=broken,
            )

    def _answered(self, read_boot_ns: int, work: Callable[[], Done]) -> Answer:
        """Do the work, show what came of it, and log the record with the three instants of its tap."""
        with self._lock:
            record = None
            try:
                answer, record = work()
            except JournalError:
                answer = self._make(AnswerKind.BROKEN)
            except CacheError as error:
                log.error("roster cache broken reason=%r", error.reason)  # noqa: TRY400 - the reason says it
                answer = self._make(AnswerKind.BROKEN)
            except Exception as error:  # noqa: BLE001 - the child is answered and the next one served all the same
                log.error("door failed error=%s at=%s", type(error).__name__, where(error))  # noqa: TRY400 - no payload
                answer = self._make(AnswerKind.BROKEN)
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
            return self._make(AnswerKind.FOREIGN), None
        self._watch_clock()
        holder = self._cache.find(card)
        return self._decided(card, holder, raw.read_at_ns, None)

    def _decided(self, card: CardRef, holder: Holder | None, read_at_ns: int, chosen: Direction | None) -> Done:
        now, contact = self._now()
        alone_s = None if contact is None else (now.boot_ns - contact.at_boot_ns) / _NS_IN_S
        policy = self._cache.policy()
        outcome = decide(holder, self._today(now), now.at(read_at_ns), Rules(policy, alone_s, chosen, self._can_ask))
        match outcome:
            case Record():
                return self._moved(outcome, card, policy)
            case Repeat():
                return self._again(outcome.holder, outcome.last), None
            case Ask():
                answer = self._make(AnswerKind.ASK, outcome.holder)
                self._buttons.put(answer.id, Question(outcome.holder, card, now.boot_ns + ASK_NS))
                return answer, None
            case Refuse(reason=Reason.UNKNOWN):
                return self._make(AnswerKind.UNKNOWN), self._note_unknown(card, policy)
            case Refuse(reason=Reason.REENTRY | Reason.NO_SCREEN):
                return self._make(AnswerKind.STAFF, outcome.holder), None
            case _:
                raise AssertionError(outcome)

    def _moved(self, outcome: Record, card: CardRef, policy: Policy) -> Done:
        holder, direction = outcome.holder, outcome.direction
        # Made before the commit: nothing that can fail stands between a commit and its "ok".
        answer = self._make(_MOVED[direction], holder, policy.undo_s)
        record = self._record(Moved(child=holder.child, direction=direction, by=MadeBy.CARD, card=card))
        until_ns = record.at.boot_ns + policy.undo_s * _NS_IN_S + PRESS_GRACE_NS
        self._buttons.put(answer.id, Undoable(holder, direction, record, until_ns))
        return answer, record

    def _again(self, holder: Holder, last: Direction) -> Answer:
        """Answer a repeat; the button stays for as long as the movement can still be taken back."""
        at_ns = self._boot_ns()
        movement = self._buttons.last_of(holder.child, at_ns)
        if movement is None:
            return self._make(_AGAIN[last], holder)
        left_s = max(0, movement.until_boot_ns - PRESS_GRACE_NS - at_ns) // _NS_IN_S
        answer = self._make(_AGAIN[last], holder, left_s)
        self._buttons.put(answer.id, movement)
        return answer

    def _note_unknown(self, card: CardRef, policy: Policy) -> AttendanceRecord | None:
        """Journal a card that nobody holds, once in a repeat window."""
        at_ns = self._boot_ns()
        since_ns = at_ns - policy.repeat_window_s * _NS_IN_S
        self._unknown_at_ns = {each: seen for each, seen in self._unknown_at_ns.items() if seen > since_ns}
        if card.card_hash in self._unknown_at_ns:
            return None
        record = self._record(UnknownCard(card=card))
        self._unknown_at_ns[card.card_hash] = at_ns
        return record

    def _undo(self, answer_id: int) -> Done:
        movement = self._buttons.undoable(answer_id)
        if movement is None:
            return self._make(AnswerKind.STAFF), None
        if movement.undone:
            return self._make(AnswerKind.UNDONE, movement.holder), None
        # An undo names an entry of its own session: once the journal has begun another, the movement stands.
        if self._boot_ns() >= movement.until_boot_ns or movement.record.session != self._journal.session:
            return self._make(_AGAIN[movement.direction], movement.holder), None
        answer = self._make(AnswerKind.UNDONE, movement.holder)
        record = self._record(Undone(seq=movement.record.seq))
        movement.undone = True
        return answer, record

    def _choose(self, answer_id: int, direction: Direction) -> Done:
        question = self._buttons.question(answer_id)
        at_ns = self._boot_ns()
        if question is None or (at_ns >= question.until_boot_ns and question.answered is None):
            return self._make(AnswerKind.STAFF), None
        if question.answered is not None:
            return self._again(question.holder, question.answered), None
        answer, record = self._decided(question.card, question.holder, at_ns, direction)
        question.answered = direction
        return answer, record

    def _record(self, body: Body) -> AttendanceRecord:
        record = self._journal.append(body)
        self._own.add(record)
        return record

    def _watch_clock(self) -> None:
        step = self._steps.look(self._clock.read())
        if step is not None:
            self._record(step)
            self._steps.settle(step)
            log.warning("clock stepped step_ms=%d", step.step_ms)

    def _now(self) -> tuple[Now, Contact | None]:
        contact = self._cache.contact()
        return best_now(self._clock.read(), contact), contact

    def _today(self, now: Now) -> Today:
        self._own.load(now)
        return Today(now, self._own.this_boot, self._own.earlier, self._cache.presence())

    def _boot_ns(self) -> int:
        return self._clock.read().boot_ns

    def _make(self, kind: AnswerKind, holder: Holder | None = None, undo_s: int = 0) -> Answer:
        self._last_id += 1
        if holder is None:
            return Answer(self._last_id, kind)
        return Answer(self._last_id, kind, holder.mark, self._name_of(holder.child), undo_s)

    def _name_of(self, child: str) -> DisplayName | None:
        try:
            return self._names.name_of(child)
        except CacheError:
            return None  # the mark will do


def card_of(raw: RawRead, uid_key: bytes) -> CardRef | None:
    """Return the card of a read (step 3), or None for what cannot be a card of ours."""
    try:
        match raw.medium:
            case Medium.QR | Medium.NFC_TEXT | Medium.KEYS:
                return parse_card(raw.payload)
            case Medium.NFC_UID:
                return uid_card(CardForm.UID, raw.payload, uid_key)
            case Medium.FELICA_IDM:
                return uid_card(CardForm.IDM, raw.payload, uid_key)
            case Medium.NFC_RANDOM_UID:
                return None
            case _:
                assert_never(raw.medium)
    except CardFormatError:
        return None
