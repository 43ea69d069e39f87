"""What is true of a site whatever befalls it: all that was ever written, held and told, and what must hold of it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import requests

from attendance.chain import verify
from attendance.errors import WireError
from attendance.presence import fold, movement_id
from attendance.records import JournalLine, Moved, Undone, read_line
from attendance.wire import ENTRIES_PATH, EntriesRequest, Receipt, decode
from bench.sync_model.server import RealServer
from bench.sync_model.side import Sessions, Side
from bench.sync_model.way import Trip
from kiosk.lost_entries import read_lost

_HELD = "SELECT session, through, hash FROM journal_session"
_ENTRIES = "SELECT session, count(*), min(seq), max(seq) FROM entry GROUP BY session"
_LINES = "SELECT line, hash FROM entry WHERE session = '{}' ORDER BY seq"
_QUARANTINED = "SELECT session, seq, quarantined FROM entry WHERE quarantined IS NOT NULL"
_TWINS = "SELECT id FROM kiosk WHERE twin_at_ms IS NOT NULL"
_MOVED = "SELECT id, undone_at_ms IS NOT NULL FROM movement"
_NOTICES = """
    SELECT delivery.id, movement_id, email, topic
    FROM delivery JOIN guardian ON guardian.id = guardian_id WHERE state = 'queued'
"""


class Truth:
    """Looks on and remembers. Its checks raise AssertionError when something does not hold."""

    def __init__(self, server: RealServer) -> None:
        self._server = server
        self.ever: dict[str, list[JournalLine]] = {}
        """All that any kiosk ever wrote, by session; only grows."""
        self._lost: dict[tuple[str, int], set[str]] = defaultdict(set)
        """The hashes under which kiosks say of entries that they were lost with a page."""
        self.quiet: frozenset[str] = frozenset()
        """Movements in this life's quarantine that the server is told it had before: of them no notice is due."""
        self._noticed: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        self._had: dict[str, int] = defaultdict(lambda: -1)
        """How far the server ever held each session, in this life or an earlier one."""
        self._through: dict[str, int] = {}
        """How far it holds each now."""

    def remember(self, side: Side) -> None:
        """Note what a kiosk has written."""
        for session, lines in side.held.items():
            known = self.ever.setdefault(session, [])
            for seq, (line, wrote) in enumerate(zip(lines, known, strict=False)):
                if line != wrote:
                    assert read_lost(line), "history was forked"
                    self._lost[session, seq].add(line.hash)
            known += lines[len(known) :]

    def held(self) -> dict[str, int]:
        """Return how far the server holds each session."""
        return {session: through for session, through, _ in self._server.ask(_HELD)}

    def stands(self, session: str, seq: int, digest: str) -> bool:
        """Say whether a hash is that of an entry, or of a line that says that it was lost."""
        return digest == self.ever[session][seq].hash or digest in self._lost[session, seq]

    def restored(self, quiet: frozenset[str]) -> None:
        """Note that the server is what it was when these movements were quiet."""
        self.quiet, self._through = quiet, self.held()

    def served(self, side: Side, trip: Trip) -> None:
        """Look at each request that was served: an acknowledgement is true, and a notice is queued once."""
        path = (trip.request.url or "").partition("?")[0]
        if not path.endswith(ENTRIES_PATH):
            return
        asked = decode(bytes(trip.request.body or b""), EntriesRequest)  # type: ignore[arg-type]
        knew = side.knows.get(asked.session, -1) if trip.fresh else -1
        if trip.status == requests.codes.ok:
            with suppress(WireError):
                receipt = decode(trip.answer, Receipt)
                self._check_receipt(receipt)
                self._note_quiet(receipt, knew)
                if trip.heard and receipt.through >= 0:
                    side.knows[receipt.session] = max(side.knows.get(receipt.session, -1), receipt.through)
        known = {movement_id(asked.session, seq) for seq in range(knew + 1)}
        self._check_notices(lambda movement: movement in known)

    def brought_in(self) -> None:
        """Look at what a roster has set free."""
        self._check_notices(lambda movement: movement in self.quiet)

    def check(self, sides: Sequence[Side]) -> None:
        """Check what holds at any moment."""
        for side in sides:
            assert sorted(side.reader.heads()) == side.heads(), "lost at the door"
        assert not self._server.ask(_TWINS), "one machine taken for two"
        entries = {session: rest for session, *rest in self._server.ask(_ENTRIES)}
        held = self._server.ask(_HELD)
        assert len(entries) == len(held), "entries without a session"
        for session, through, digest in held:
            assert entries[session] == [through + 1, 0, through], "not a contiguous prefix"
            assert self.stands(session, through, digest), "the server holds what nobody wrote"
            self._had[session] = max(self._had[session], through)
        for side in sides:
            for ack in side.cache.acks():
                assert ack.seq <= self._had[ack.session], "taken for acknowledged, but never held"
                assert self.stands(*ack), "another entry taken for acknowledged"

    def check_salvage(self, found: Sessions) -> None:
        """Check what a door took from a damaged journal."""
        for session, lines in found.items():
            wrote = self.ever.get(session) or lines[:1]
            assert len(lines) <= len(wrote), "salvage brought what was not there"
            same = all(line == true or read_lost(line) for line, true in zip(lines, wrote, strict=False))
            assert same, "salvage brought what was not there"

    def check_at_rest(self, sides: Iterable[Side], now_ms: int) -> None:
        """Check what holds when everything was heard: all is where it should be, and both sides say the same."""
        held = self.held()
        there = fold(self._server.movements(now_ms))
        for side in sides:
            for session, lines in side.held.items():
                assert held.get(session, -1) >= len(lines) - 1, "the server lacks something"
            assert side.cache.acks() == side.heads(), "not acknowledged"
            assert dict(side.lines()) == side.held, "lost at the door"
        kept = {(session, seq) for session, seq, _ in self._server.ask(_QUARANTINED)}
        assert kept <= {place for place, hashes in self._lost.items() if hashes}, "kept in quarantine"
        self._check_ledger(held)
        for side in sides:
            assert side.presence() == there, "door and server disagree about who is in"

    def _check_ledger(self, held: dict[str, int]) -> None:
        moved: dict[str, bool] = {}
        for session in held:
            lines = [JournalLine(line, digest) for line, digest in self._server.ask(_LINES.format(session))]
            lost = {seq for seq, line in enumerate(lines) if line != self.ever[session][seq]}
            assert all(self.stands(session, seq, lines[seq].hash) for seq in lost), "the server holds what nobody wrote"
            if not lost:
                verify(lines)
            for seq, line in enumerate(lines):
                if seq in lost:
                    continue
                match read_line(line).body:
                    case Moved():
                        moved[movement_id(session, seq)] = False
                    case Undone(seq=undone) if undone not in lost:
                        moved[movement_id(session, undone)] = True
        assert dict(self._server.ask(_MOVED)) == moved, "movements are not those of the entries"

    def _check_receipt(self, receipt: Receipt) -> None:
        if receipt.through < 0:
            return
        lines = self._server.ask(_LINES.format(receipt.session))
        assert len(lines) == receipt.through + 1, "acknowledged what is not held"
        assert lines[-1][1] == receipt.hash, "acknowledged another entry"

    def _note_quiet(self, receipt: Receipt, knew: int) -> None:
        before = self._through.get(receipt.session, -1)
        self._through[receipt.session] = max(before, receipt.through)
        fresh = {movement_id(receipt.session, seq) for seq in receipt.quarantined if before < seq <= knew}
        self.quiet |= fresh

    def _check_notices(self, told: Callable[[str], bool]) -> None:
        """Find new notices; `told` says of which movements the kiosk knew that the server had them."""
        for delivery, movement, guardian, topic in self._server.ask(_NOTICES):
            before = self._noticed[movement, guardian, topic]
            if delivery not in before:
                assert not (before and told(movement)), "a notice was queued again"
                before.add(delivery)
