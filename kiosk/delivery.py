"""Delivery: sends what the server wants from the journal, and believes a receipt only when it fits (steps 8 and 9).

The kiosk keeps no cursor: what to send is what the server says it lacks, and nothing is deleted on its answer.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Protocol

from attendance.errors import WireError
from attendance.records import Head, JournalLine, SessionOpened, read_line
from attendance.wire import (
    MAX_BODY_BYTES,
    EntriesRequest,
    ErrorCode,
    Heard,
    OfferRequest,
    OfferResponse,
    Receipt,
    StateResponse,
    SyncProblem,
    Want,
)
from kiosk.errors import Trouble, UplinkError
from kiosk.lost_entries import read_lost
from kiosk.portion import Portion

log = logging.getLogger(__name__)

BATCHES_A_STEP = 4
"""Then the server is asked again, so that a long backlog does not keep news of the roster away."""
BATCH_ENTRIES = 500
"""At most, whatever more the server would take."""
_LEAST_ENTRIES = 8
"""Of so few the number is not what a way does not take."""
BATCH_BYTES = MAX_BODY_BYTES // 3
"""Of lines; the rest is room for their escapes and hashes in JSON."""
_POISON = frozenset({ErrorCode.BAD_REQUEST, ErrorCode.TOO_LARGE})
LOST = frozenset({Trouble.TIMEOUT, Trouble.UNREACHABLE, Trouble.FOREIGN})
"""What befalls a request that is too large for the way, among others."""


class JournalSource(Protocol):
    """What is read of the journal. Raises: JournalError from each."""

    def heads(self) -> list[Head]:
        """Return the last entry of every session."""
        ...

    def read(self, session: str, from_seq: int, limit: int) -> list[JournalLine]:
        """Return a stretch of a session."""
        ...

    def session_of_boot(self, boot: str) -> str | None:
        """Return the session that began last in a boot, or None."""
        ...


class Server(Protocol):
    """What is asked of the server. Raises: UplinkError from each."""

    def offer(self, request: OfferRequest) -> OfferResponse:
        """Say what the kiosk holds and return what the server lacks."""
        ...

    def send(self, request: EntriesRequest) -> Receipt:
        """Send a stretch and return what the server now holds of its session."""
        ...

    def state(self, *, roster_version: str, presence_version: str, boot: str) -> StateResponse:
        """Return what is newer than these versions."""
        ...


class Delivery:
    """Sends stretches of the journal. Thread: one."""

    def __init__(
        self,
        journal: JournalSource,
        server: Server,
        note: Callable[[SyncProblem, str], None],
        told: Callable[[str], int],
        heard: Callable[[str], Heard | None],
        acknowledged: Callable[[Head], None],
    ) -> None:
        """`told` returns the last entry of a session that the server ever acknowledged, or -1.

        `heard` returns an answer of the server in a boot. `acknowledged` hears at once what the server proved to hold:
        the next request may fail.
        """
        self._journal = journal
        self._told = told
        self._heard = heard
        self._server = server
        self._note = note
        self._acknowledged = acknowledged
        self.differing: set[str] = set()
        """Sessions of which the last receipt did not fit our chain: nothing of them counts as acknowledged."""
        self.quarantined: set[tuple[str, int]] = set()
        """Entries of which the server said that they count for nothing as yet, but for those that say what is lost."""
        self._portion = Portion(BATCH_ENTRIES, least=_LEAST_ENTRIES)
        self._rounds = 0
        self._stuck: dict[str, int] = {}
        """Sessions that did not go forward when they were last sent, and in which round that was."""

    def send(self, wants: Iterable[Want], heads: Iterable[Head], *, first: str | None, max_batch: int) -> bool:
        """Send what is wanted, the session `first` before others; say whether it went forward and there is more.

        Raises: UplinkError, JournalError.
        """
        ours = {head.session: head for head in heads}
        # What we do not hold cannot be sent: another kiosk's, or lost with a disk; the server keeps what it has.
        open_wants = [want for want in wants if want.session in ours and want.from_seq <= ours[want.session].seq]
        self._rounds += 1
        # Those that are stuck come last and take turns: none of them holds up a session that would go.
        open_wants.sort(key=lambda want: (want.session != first, self.stuck(want.session)))
        behind, forward = len(open_wants) > BATCHES_A_STEP, False
        for want in open_wants[:BATCHES_A_STEP]:
            ack = self._deliver(want.session, want.from_seq, max_batch)
            if ack is not None:
                self._acknowledged(ack)
                behind = behind or ack.seq < ours[want.session].seq
            if ack is not None and ack.seq >= want.from_seq:
                forward = True
                self._stuck.pop(want.session, None)
            else:
                self._stuck[want.session] = self._rounds
        return behind and forward

    def stuck(self, session: str) -> int:
        """Return in which round a session did not go forward; 0 for one that goes."""
        return self._stuck.get(session, 0)

    def own_hash(self, session: str, seq: int) -> str | None:
        """Return the hash of an entry of ours, or None when there is no such entry. Raises: JournalError."""
        lines = self._journal.read(session, seq, 1)
        return lines[0].hash if lines else None

    def _deliver(self, session: str, from_seq: int, limit: int, *, too_large: int = 0) -> Head | None:
        """Send a stretch of at most `limit` entries; `too_large` were too many of them just now."""
        lines = _bounded(self._journal.read(session, from_seq, min(limit, self._portion.size)))
        told, heard = self._told(session), self._heard_during(session)
        try:
            receipt = self._server.send(EntriesRequest(session, from_seq, tuple(lines), told, heard))
        except UplinkError as error:
            if error.code not in _POISON:
                if error.trouble in LOST:
                    self._portion.failed(len(lines))
                raise
            if len(lines) > 1:
                too_large = len(lines) if error.code is ErrorCode.TOO_LARGE else too_large
                return self._deliver(session, from_seq, len(lines) // 2, too_large=too_large)
            # By itself it is the fault of the entry, and no reason to send fewer of others.
            self._note(SyncProblem.ENTRY_REFUSED, f"session={session} seq={from_seq} code={error.code}")
            return None
        if too_large:
            self._portion.too_many(too_large)
        self._portion.went(len(lines))
        self._note_quarantined(receipt, from_seq, lines)
        return self._proved(receipt, from_seq)

    def _note_quarantined(self, receipt: Receipt, from_seq: int, lines: Sequence[JournalLine]) -> None:
        """Note what the server keeps as it came; of what the disk lost it can understand nothing, and that is told."""
        lost = {seq for seq, line in enumerate(lines, from_seq) if read_lost(line) is not None}
        kept = [seq for seq in receipt.quarantined if seq not in lost]
        if kept:
            self.quarantined.update((receipt.session, seq) for seq in kept)
            log.warning("server quarantined session=%s seqs=%s", receipt.session, ",".join(map(str, kept)))

    def _heard_during(self, session: str) -> Heard | None:
        """Return what was heard of the server in the boot of a session, by which that can be dated."""
        for header in self._journal.read(session, 0, 1):
            with suppress(WireError):
                opened = read_line(header).body
                if isinstance(opened, SessionOpened):
                    return self._heard(opened.boot)
        return None

    def _proved(self, receipt: Receipt, from_seq: int) -> Head | None:
        """Return the head that a receipt for entries from `from_seq` on acknowledges when our own chain agrees."""
        if receipt.through < 0 and from_seq == 0:
            return None
        # Nothing, though it held what is before our stretch: it does not take that for the same session.
        if receipt.through < 0 or self.own_hash(receipt.session, receipt.through) != receipt.hash:
            self._note(SyncProblem.CHAIN_DIFFERS, f"session={receipt.session} seq={receipt.through}")
            self.differing.add(receipt.session)
            return None
        self.differing.discard(receipt.session)
        return Head(receipt.session, receipt.through, receipt.hash)


def _bounded(lines: Sequence[JournalLine]) -> Sequence[JournalLine]:
    """Return as many of the first lines as fit a request, at least one."""
    size = 0
    for number, line in enumerate(lines):
        size += len(line.line.encode())
        if size > BATCH_BYTES and number:
            return lines[:number]
    return lines
