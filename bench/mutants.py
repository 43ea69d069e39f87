"""Parts of the line that are broken on purpose, so that a proof shows it can tell; each breaks its own process."""

import time
from itertools import count
from typing import Any

from sqlalchemy import update

from attendance.records import AttendanceRecord, Body
from kiosk.journal import Journal
from server.notify import dispatcher
from server.store.tables import delivery

BATCH = 4
_MARKED_S = 0.5
"""Between mark and mail: long enough to be met by whoever looks for it."""


def commit_in_batches() -> None:
    """A door that says "ok" for every entry and commits every fourth."""
    numbers = count(1)

    def append(self: Journal, db: Any, body: Body) -> AttendanceRecord:
        if not db.conn.in_transaction:
            db.execute("BEGIN IMMEDIATE")
        head = self._head(db)
        record = self._insert(db, body, head.session, head)
        if next(numbers) % BATCH == 0:
            db.execute("COMMIT")
        return record

    Journal._append = append  # type: ignore[method-assign]


def mark_before_sending() -> None:
    """A dispatcher that writes "sent" and then sends."""
    attempt = dispatcher._attempt

    def mark_and_attempt(store: Any, claim: Any, *others: Any) -> Any:
        with store.write() as conn:
            conn.execute(update(delivery).where(delivery.c.id == claim.delivery).values(state="sent"))
        time.sleep(_MARKED_S)
        return attempt(store, claim, *others)

    dispatcher._attempt = mark_and_attempt  # type: ignore[assignment]
