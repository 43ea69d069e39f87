"""Sync: brings the journal to the server and the server's news to the door, one step at a time (step 8)."""

import logging
import os
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from attendance.clock import Clock
from attendance.records import Head
from attendance.wire import ErrorCode, Health, Heard, KioskNow, OfferRequest, OfferResponse, SyncProblem
from kiosk.backoff import Backoff
from kiosk.delivery import Delivery, JournalSource, Server
from kiosk.door_report import DoorReport
from kiosk.errors import CacheError, JournalError, Trouble, UplinkError
from kiosk.heard import better
from kiosk.journal_queries import unsent
from kiosk.offers import Offers
from kiosk.private_files import make_private_folder, write_private
from kiosk.roster_cache import RosterCache
from kiosk.sync_problems import SyncProblems
from kiosk.sync_report import SyncReport

log = logging.getLogger(__name__)

FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 60.0
SHARED_INTERVAL_S = 1.5
"""Between two questions at a site with several kiosks: with jitter and the question itself it stays under two seconds,
within which a child who came in by one door is to be known at the other."""
CONTACT_S = 10.0
"""How often the cache is told that the server answers; more often would only wear out the memory card, since the door
waits three times as long before it says that the server is away."""
LONGEST_WAY_S = 120.0
"""There and back; no request may take so long, so whatever did was slept through, and tells no time any more."""


@dataclass(frozen=True, slots=True)
class Step:
    """What to do after one step; true when there is more to send at once."""

    again: bool
    wait_s: float
    wakeable: bool
    """Whether a new entry may cut the wait short; not while the server is away or asks for patience."""

    def __bool__(self) -> bool:
        return self.again


class Sync:
    """Keeps server and kiosk in step, one step at a time. Thread: one."""

    def __init__(
        self,
        journal: JournalSource,
        cache: RosterCache,
        server: Server,
        clock: Clock,
        *,
        names_key_path: Path,
        door: Callable[[], DoorReport],
        boot: str,
        app: str,
        interval_s: float,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`door` returns the door's last report; `jitter` a share from 0 to 1, so that kiosks come back one by one."""
        self._journal = journal
        self._cache = cache
        self._server = server
        self._clock = clock
        self._names_key_path = names_key_path
        self._door = door
        self._boot = boot
        self._app = app
        self._interval_s = interval_s
        self._jitter = jitter
        self._problems = SyncProblems()
        self._delivery = Delivery(
            journal, server, self._problems.note, self._told, self._heard_in, lambda ack: self._store_acks([ack], [])
        )
        self._offers = Offers()
        self._last: Heard | None = None
        self._failures = 0
        self._backoff = Backoff(FIRST_BACKOFF_S, LONGEST_BACKOFF_S)
        self._away: str | None = None
        self._began_ns = clock.read().boot_ns

    def step(self) -> Step:
        """Ask the server what it lacks, send some of it, take in its news. Raises: nothing of what can go wrong."""
        try:
            step = self._exchange()
        except UplinkError as error:
            step = self._unheard(error)
        else:
            self._heard()
        self._problems.end_step(heard=self._away is None)
        return step

    def report(self, step: Step) -> SyncReport:
        """Return how it is after a step, for the doctor."""
        return SyncReport(
            self._clock.read().boot_ns,
            step.wait_s,
            self._away or "",
            self._problems.standing,
            len(self._delivery.quarantined),
        )

    def _exchange(self) -> Step:
        held, session = self._held()
        acks = self._acks()
        asked_ns = self._clock.read().boot_ns
        heads = self._offers.choose(held, acks, session, asked_ns, self._delivery.stuck)
        try:
            answer = self._server.offer(self._offer(heads, session, unsent(held, acks)))
        except UplinkError as error:
            self._offers.failed(heads, error)
            raise
        self._last = Heard(asked_ns=asked_ns, answered_ns=self._clock.read().boot_ns, time_ms=answer.time_ms)
        self._note_contact(self._last)
        self._offers.answered(heads, {want.session for want in answer.want})
        self._note_acks(answer, heads)
        if self._offers.begins and held:
            self._drop_acks(acks, held)
        more = False
        try:
            with self._problems.noting(SyncProblem.JOURNAL_UNREADABLE, JournalError):
                more = self._delivery.send(answer.want, heads, first=session, max_batch=answer.max_batch)
        except UplinkError:
            self._take_news(answer)  # it needs no more than was answered to
            raise
        self._take_news(answer)
        if answer.backoff_ms > 0:
            return Step(again=False, wait_s=max(answer.backoff_ms / 1000, self._interval_s), wakeable=False)
        return Step(again=more, wait_s=0.0 if more else self._pause_s() * (0.9 + 0.2 * self._jitter()), wakeable=True)

    def _pause_s(self) -> float:
        shared = False
        with self._problems.noting(SyncProblem.CACHE_UNUSABLE, CacheError):
            shared = self._cache.policy().kiosks_at_site > 1
        return min(self._interval_s, SHARED_INTERVAL_S) if shared else self._interval_s

    def _held(self) -> tuple[list[Head], str | None]:
        heads: list[Head] = []
        session: str | None = None
        with self._problems.noting(SyncProblem.JOURNAL_UNREADABLE, JournalError):
            heads, session = self._journal.heads(), self._journal.session_of_boot(self._boot)
        return heads, session

    def _acks(self) -> set[Head]:
        acks: set[Head] = set()
        with self._problems.noting(SyncProblem.CACHE_UNUSABLE, CacheError):
            acks.update(self._cache.acks())
        return acks

    def _offer(self, heads: list[Head], session: str | None, lacking: int) -> OfferRequest:
        door, at = self._door(), self._clock.read()
        problems = (*self._problems.standing, *door.problems(at.boot_ns, self._began_ns))
        health = Health(app=self._app, unsent=lacking, readers=door.readers(), problems=problems)
        now = KioskNow(session=session, boot=self._boot, at=at, heard=self._last)
        return OfferRequest(now=now, heads=tuple(heads), health=health)

    def _note_acks(self, answer: OfferResponse, heads: list[Head]) -> None:
        """Note what the answer says of each session.

        A server that holds less of one than it acknowledged came back from a backup: the next offer names them all.
        """
        wanted = {want.session: want.from_seq for want in answer.want}
        known = {head.session: head.seq for head in self._acks()}
        acks, forget = [], []
        with self._problems.noting(SyncProblem.JOURNAL_UNREADABLE, JournalError):
            for head in heads:
                through = min(wanted.get(head.session, head.seq + 1) - 1, head.seq)
                if through < known.get(head.session, -1):
                    self._offers.name_all()
                own = head.hash if through == head.seq else self._delivery.own_hash(head.session, through)
                if through < 0 or own is None or (head.session in wanted and head.session in self._delivery.differing):
                    forget.append(head.session)
                else:
                    acks.append(Head(head.session, through, own))
            self._store_acks(acks, forget)

    def _store_acks(self, acks: list[Head], forget: list[str]) -> None:
        with self._problems.noting(SyncProblem.CACHE_UNUSABLE, CacheError):
            known = {head.session: head for head in self._cache.acks()}
            news = [head for head in acks if known.get(head.session) != head]
            gone = [session for session in forget if session in known]
            if news or gone:
                self._cache.store_acks(news, forget=gone)

    def _drop_acks(self, acks: Iterable[Head], held: Iterable[Head]) -> None:
        """Forget the acknowledgements of sessions that the door let go."""
        sessions = {head.session for head in held}
        gone = [ack.session for ack in acks if ack.session not in sessions]
        with self._problems.noting(SyncProblem.CACHE_UNUSABLE, CacheError):
            if gone:
                self._cache.drop_acks(gone)

    def _told(self, session: str) -> int:
        try:
            return self._cache.told(session)
        except CacheError as error:
            self._problems.note(SyncProblem.CACHE_UNUSABLE, f"reason={error.reason!r}")
            return -1

    def _heard_in(self, boot: str) -> Heard | None:
        try:
            return self._cache.heard(boot)
        except CacheError as error:
            self._problems.note(SyncProblem.CACHE_UNUSABLE, f"reason={error.reason!r}")
            return None

    def _note_contact(self, last: Heard) -> None:
        if last.answered_ns - last.asked_ns > LONGEST_WAY_S * 1e9:
            return
        # The server told its time somewhere on the way there and back.
        boot_ns = (last.asked_ns + last.answered_ns) // 2
        with self._problems.noting(SyncProblem.CACHE_UNUSABLE, CacheError):
            known = self._cache.contact()
            if known is None or boot_ns - known.at_boot_ns >= CONTACT_S * 1e9:
                self._cache.note_contact(boot_ns, last.time_ms, better(self._cache.heard(self._boot), last))

    def _take_news(self, answer: OfferResponse) -> None:
        """Fetch roster and presence when the server has others, and the key of the names when this boot has none."""
        with self._problems.noting(SyncProblem.CACHE_UNUSABLE, CacheError):
            roster, presence = self._cache.versions()
            if (roster, presence) == (answer.roster_version, answer.presence_version) and self._has_names_key():
                return
            state = self._server.state(roster_version=roster, presence_version=presence, boot=self._boot)
            self._keep_names_key(state.names_key)
            self._cache.store_state(state)

    def _has_names_key(self) -> bool:
        # Path.exists raises for a folder that this user may not look into; what is wrong is noted on writing.
        return os.path.exists(self._names_key_path)  # noqa: PTH110

    def _keep_names_key(self, key: bytes) -> None:
        with self._problems.noting(SyncProblem.NAMES_KEY_UNWRITABLE, OSError):
            if not self._has_names_key() or self._names_key_path.read_bytes() != key:
                make_private_folder(self._names_key_path.parent)
                write_private(self._names_key_path, key)

    def _unheard(self, error: UplinkError) -> Step:
        if error.code is ErrorCode.REVOKED:
            self._forget_people()
        fault = error.code or error.trouble
        if fault != self._away:
            log.warning("server away trouble=%s detail=%r", error.trouble, error.detail)
        self._away = fault
        backoff_s = LONGEST_BACKOFF_S if error.permanent else self._backoff.next_s()
        self._failures += 1
        patience_s = error.retry_after_s or 0.0
        if error.trouble is Trouble.FOREIGN:
            patience_s = min(patience_s, LONGEST_BACKOFF_S)  # a portal's word must not silence a kiosk for an hour
        wait_s = max(backoff_s * (0.5 + 0.5 * self._jitter()), patience_s)
        return Step(again=False, wait_s=wait_s, wakeable=False)

    def _heard(self) -> None:
        if self._away is not None:
            log.info("server back failures=%s", self._failures)
        self._away, self._failures = None, 0
        self._backoff.reset()

    def _forget_people(self) -> None:
        """This kiosk was revoked: forget everybody, keep every entry."""
        with self._problems.noting(SyncProblem.NAMES_KEY_UNWRITABLE, OSError):
            self._names_key_path.unlink(missing_ok=True)
        with self._problems.noting(SyncProblem.CACHE_UNUSABLE, CacheError):
            if self._cache.versions() != ("", ""):
                self._cache.wipe_people()
                log.warning("revoked: roster and names wiped, entries kept")
