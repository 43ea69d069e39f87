"""The dispatcher: step 12 of the straight line. One step leases a delivery, renders it, sends it, settles it.

A lease that ran out is taken up again, so a killed dispatcher loses nothing; a repeat carries the same Message-ID.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from sqlalchemy import or_, select, update

from attendance.catalogue import Catalogues, Language
from attendance.clock import Clock
from attendance.records import Direction
from server.errors import TransportError
from server.notify.messages import Notice, render
from server.notify.outbox import MOVED
from server.notify.transport import Transport
from server.store.engine import Store
from server.store.ids import new_id
from server.store.tables import child, delivery, guardian, movement, site

log = logging.getLogger(__name__)

FIRST_RETRY_S = 30
LAST_RETRY_S = 3600


@dataclass(frozen=True, slots=True)
class DispatchRules:
    """When a notice is late, when it is no longer worth sending, and how long one attempt may take."""

    late_after_s: float
    give_up_after_s: float
    lease_s: float


@dataclass(frozen=True, slots=True)
class Sent:
    """The channel took it."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """It is not to be sent any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The channel will never take it."""

    reason: str
    address_refused: bool


@dataclass(frozen=True, slots=True)
class Later:
    """The channel may take it at another time."""

    reason: str
    after_s: float


Result = Sent | Dropped | Failed | Later


def send_next(
    store: Store, transports: Mapping[str, Transport], catalogues: Catalogues, clock: Clock, rules: DispatchRules
) -> bool:
    """Carry out the next due delivery; return whether there was one, and so maybe more."""
    lease = new_id()
    delivery_id = _claim(store, lease, clock.read().wall_ms, rules)
    if delivery_id is None:
        return False
    result = _attempt(store, delivery_id, transports, catalogues, clock, rules)
    _settle(store, delivery_id, lease, result, clock.read().wall_ms)
    return True


def retry_after_s(attempts: int) -> float:
    """Return how long to wait after so many attempts: doubling from half a minute to an hour."""
    return float(min(FIRST_RETRY_S * 2 ** min(attempts - 1, 10), LAST_RETRY_S))


def _claim(store: Store, lease: str, now_ms: int, rules: DispatchRules) -> str | None:
    due = (
        select(delivery.c.id)
        .where(
            delivery.c.state == "queued",
            delivery.c.due_at_ms <= now_ms,
            or_(delivery.c.leased_until_ms.is_(None), delivery.c.leased_until_ms < now_ms),
        )
        .order_by(delivery.c.due_at_ms, delivery.c.id)
        .limit(1)
    )
    with store.read() as conn:  # an idle dispatcher takes no write lock
        if conn.execute(due).first() is None:
            return None
    with store.write() as conn:
        delivery_id = conn.execute(due).scalar_one_or_none()
        if delivery_id is not None:
            conn.execute(
                update(delivery)
                .where(delivery.c.id == delivery_id)
                .values(
                    lease=lease, leased_until_ms=now_ms + round(rules.lease_s * 1000), attempts=delivery.c.attempts + 1
                )
            )
        return delivery_id


def _attempt(
    store: Store,
    delivery_id: str,
    transports: Mapping[str, Transport],
    catalogues: Catalogues,
    clock: Clock,
    rules: DispatchRules,
) -> Result:
    now_ms = clock.read().wall_ms
    with store.read() as conn:
        row = conn.execute(
            select(
                delivery.c.id,
                delivery.c.topic,
                delivery.c.channel,
                delivery.c.attempts,
                movement.c.direction,
                movement.c.at_ms,
                movement.c.at_source,
                movement.c.undone_at_ms,
                site.c.name.label("site_name"),
                child.c.name.label("child_name"),
                guardian.c.email,
                guardian.c.language,
                guardian.c.consented_at_ms,
                guardian.c.suspended_at_ms,
            )
            .join(movement, movement.c.id == delivery.c.movement_id)
            .join(site, site.c.id == movement.c.site_id)
            .join(child, child.c.id == movement.c.child_id)
            .join(guardian, guardian.c.id == delivery.c.guardian_id)
            .where(delivery.c.id == delivery_id)
        ).one()
    refusal = _not_to_be_sent(row, now_ms, rules)
    if refusal is not None:
        return Dropped(refusal)
    notice = Notice(
        delivery_id=row.id,
        topic=row.topic,
        direction=Direction(row.direction),
        at_ms=row.at_ms,
        settled=row.at_source != "unsettled",
        site_name=row.site_name,
        child_name=row.child_name,
        address=row.email,
    )
    message = render(notice, catalogues[Language(row.language)], now_ms=now_ms, late_after_s=rules.late_after_s)
    try:
        return Sent(transports[row.channel].send(message))
    except TransportError as error:
        if error.permanent:
            return Failed(error.reason, error.address_refused)
        return Later(error.reason, error.retry_after_s or retry_after_s(row.attempts))


def _not_to_be_sent(row: Any, now_ms: int, rules: DispatchRules) -> str | None:
    """Return why a delivery that was queued is no longer wanted, or None."""
    if row.consented_at_ms is None:
        return "consent withdrawn"
    if row.suspended_at_ms is not None:
        return "address suspended"
    if row.topic == MOVED and row.undone_at_ms is not None:
        return "undone"
    if now_ms - row.at_ms > rules.give_up_after_s * 1000:
        return "too old"
    return None


def _settle(store: Store, delivery_id: str, lease: str, result: Result, now_ms: int) -> None:
    """Write down what became of an attempt, unless its lease has passed to another dispatcher meanwhile."""
    free = {"lease": None, "leased_until_ms": None}
    match result:
        case Sent(provider_id):
            values: dict[str, Any] = {"state": "sent", "settled_at_ms": now_ms, "provider_id": provider_id, **free}
        case Dropped(reason):
            values = {"state": "cancelled", "settled_at_ms": now_ms, "reason": reason, **free}
        case Failed(reason, _):
            values = {"state": "failed", "settled_at_ms": now_ms, "reason": reason, **free}
        case Later(reason, after_s):
            values = {"due_at_ms": now_ms + round(after_s * 1000), "reason": reason, **free}
        case _:
            assert_never(result)
    with store.write() as conn:
        held = conn.execute(
            update(delivery).where(delivery.c.id == delivery_id, delivery.c.lease == lease).values(**values)
        )
        if isinstance(result, Failed) and result.address_refused and held.rowcount:
            whose = select(delivery.c.guardian_id).where(delivery.c.id == delivery_id).scalar_subquery()
            conn.execute(update(guardian).where(guardian.c.id == whose).values(suspended_at_ms=now_ms))
    log.info("delivery settled id=%s result=%s", delivery_id, type(result).__name__.lower())
