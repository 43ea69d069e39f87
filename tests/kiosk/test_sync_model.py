"""Sync against the model server, in any order of taps, steps, lost answers, doubles, restores and restarts.

Nothing is lost, nothing is doubled, and what counts as acknowledged is a contiguous prefix that the server holds.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from attendance.records import Direction, Undone
from tests.kiosk.sync_parts import kiosk_at, model, moved
from tests.model_server import BROKEN, PORTAL, Ledger


class KioskAndServer(RuleBasedStateMachine):
    """One kiosk, one server, and everything that happens between them."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.server = self.stack.enter_context(model())
        self.kiosk = self.stack.enter_context(kiosk_at(folder, self.server.url))
        self.backup = Ledger()
        self.written = 1

    @initialize(max_batch=st.sampled_from([1, 3, 500]), double=st.booleans())
    def begin(self, max_batch: int, double: bool) -> None:
        self.server.max_batch, self.server.double = max_batch, double

    @rule(way=st.sampled_from(Direction), count=st.integers(1, 3))
    def tap(self, way: Direction, count: int) -> None:
        self.kiosk.append(*[moved(direction=way)] * count)
        self.written += count

    @rule()
    def undo(self) -> None:
        self.kiosk.append(Undone(seq=1))
        self.written += 1

    @rule()
    def step(self) -> None:
        if self.kiosk.sync.step().wakeable:
            self.acknowledged_is_held()

    @rule(requests=st.integers(1, 3))
    def step_with_lost_answers(self, requests: int) -> None:
        self.server.drop_answers = requests
        self.kiosk.sync.step()
        self.server.drop_answers = 0

    @rule(portal=st.booleans())
    def step_to_somebody_else(self, portal: bool) -> None:
        self.server.always = PORTAL if portal else BROKEN
        self.kiosk.sync.step()
        self.server.always = None

    @rule()
    def take_a_backup(self) -> None:
        self.backup = self.server.backup()

    @rule()
    def restore_the_backup(self) -> None:
        self.server.restore(self.backup)

    @rule()
    def restart_the_door(self) -> None:
        self.kiosk.reopen()
        self.written += 1

    @rule()
    def throw_the_cache_away(self) -> None:
        self.kiosk.cache.close()
        for path in self.kiosk.folder.glob("cache.db*"):
            path.unlink()

    @precondition(lambda self: self.written > 1)
    @rule()
    def settle(self) -> None:
        self.kiosk.settle()
        assert self.server.ledger.sessions == self.kiosk.held()
        assert self.kiosk.cache.acks() == sorted(self.kiosk.reader.heads())

    @invariant()
    def nothing_is_lost_at_the_door(self) -> None:
        assert sum(len(lines) for lines in self.kiosk.held().values()) == self.written

    @invariant()
    def the_server_holds_a_prefix_of_each_session(self) -> None:
        held = self.kiosk.held()
        for session, lines in self.server.ledger.sessions.items():
            assert lines == held[session][: len(lines)]
        assert not self.server.ledger.conflicts
        assert not self.server.ledger.quarantined
        self.server.check()

    def acknowledged_is_held(self) -> None:
        """Settled sessions are offered now and then only; until then a restored server may hold less of them."""
        offered = {head.session for head in self.server.offers[-1].heads}
        for ack in self.kiosk.cache.acks():
            if ack.session not in offered:
                continue
            lines = self.server.ledger.sessions[ack.session]
            assert ack.seq < len(lines)
            assert lines[ack.seq].hash == ack.hash

    def teardown(self) -> None:
        try:
            self.settle()
        finally:
            self.stack.close()


TestKioskAndServer = KioskAndServer.TestCase
TestKioskAndServer.settings = settings(
    max_examples=20, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
