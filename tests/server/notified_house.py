"""A child whose guardian is told, and a dispatcher with a clock: what tests of notices share."""

from typing import Any

from sqlalchemy import Row, update

from attendance.clock import ManualClock
from server.catalogues import catalogues
from server.config import SmtpSettings
from server.notify.dispatcher import DispatchRules, send_next
from server.notify.mail import MailTransport
from server.notify.outbox import queue_moved, queue_undone
from server.notify.transport import Transport
from server.store.engine import Store
from server.store.tables import delivery, guardian, movement
from tests.server import factories as make
from tests.server.smtp_servers import Postbox

RULES = DispatchRules(late_after_s=300, give_up_after_s=86_400, lease_s=120)
NAME = "Aoki Sakura"
EMAIL = "hogosha@example.jp"
UNDO_S = 8


class House:
    """A child who came in, a guardian to be told, and a dispatcher with a clock."""

    def __init__(self, store: Store, url: str, port: int) -> None:
        self.store, self.url = store, url
        self.clock = ManualClock(make.NOON)
        settings = SmtpSettings(port=port, sender="tadaima@example.jp", timeout_s=5)
        self.mail = MailTransport(settings, password=None, clock=self.clock)
        self.site = make.site(store, name="Hikari", undo_s=UNDO_S)
        self.child = make.child(store, at=self.site.id, name=NAME)
        self.guardian = make.guardian(store, of=self.child.id, email=EMAIL, language="en")

    def moves(self, **values: Any) -> Row[Any]:
        """Let the child move, and queue the notice."""
        moved = make.movement(self.store, site_id=self.site.id, child_id=self.child.id, **values)
        with self.store.write() as conn:
            queue_moved(conn, [moved.id], self.clock.read().wall_ms)
        return moved

    def takes_back(self, moved: Row[Any]) -> None:
        now_ms = self.clock.read().wall_ms
        with self.store.write() as conn:
            conn.execute(update(movement).where(movement.c.id == moved.id).values(undone_at_ms=now_ms))
            queue_undone(conn, moved.id, now_ms)

    def step(self, transport: Transport | None = None) -> bool:
        """One step of the dispatcher."""
        return send_next(self.store, {"mail": transport or self.mail}, catalogues(), self.clock, RULES)

    def steps_after(self, seconds: float) -> int:
        """Let time pass and step until nothing is due; how many steps there were."""
        self.clock.advance(seconds)
        steps = 0
        while self.step():
            steps += 1
        return steps

    def change_guardian(self, **values: Any) -> None:
        with self.store.write() as conn:
            conn.execute(update(guardian).values(**values))

    @property
    def deliveries(self) -> list[Row[Any]]:
        return make.rows(self.store, delivery)

    @property
    def states(self) -> list[tuple[str, str, str | None]]:
        return [(row.topic, row.state, row.reason) for row in self.deliveries]


def ids(postbox: Postbox) -> list[str]:
    return [str(message["Message-ID"]) for _, message in postbox.taken]
