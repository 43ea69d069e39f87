"""The dispatcher: step 12 of the straight line. One step leases a delivery, renders it, sends it, settles it.

A lease that ran out is taken up again, so a killed dispatcher loses nothing; a repeat carries the same Message-ID.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from sqlalchemy import select, update

from attendance.catalogue import Catalogues, Language
from attendance.clock import Clock
from attendance.records import Direction
from server.errors import TransportError
from server.notify.messages import Notice, render
from server.notify.outbox import MOVED, UNDONE
from server.notify.transport import Transport
from server.store.engine import Store
from server.store.ids import new_id
from server.store.tables import child, delivery, guardian, guardianship, movement, site
from server.timeline import TimeSource

log = logging.getLogger(__name__)

FIRST_RETRY_S = 30
LAST_RETRY_S = 3600
CORRECTION_WAIT_S = 2.0
_AHEAD_MS = 60_000
"""What was queued or taken up later than now by more than this was so before the clock was set back."""


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
    perhaps_sent: bool = False
    """The channel may have taken it this time, and could not say so."""


Result = Sent | Dropped | Failed | Later


def send_next(
    store: Store, transports: Mapping[str, Transport], catalogues: Catalogues, clock: Clock, rules: DispatchRules
) -> bool:
    """Carry out the next due delivery; return whether there was one, and so maybe more."""
    claim = _claim(store, clock.read().wall_ms, rules)
    if claim is None:
        return False
    result = _attempt(store, claim, transports, catalogues, clock, rules)
    _settle(store, claim, result, clock.read().wall_ms)
    return True


def retry_after_s(attempts: int) -> float:
    """Return how long to wait after so many attempts: doubling from half a minute to an hour."""
    return float(min(FIRST_RETRY_S * 2 ** min(attempts - 1, 10), LAST_RETRY_S))


@dataclass(frozen=True, slots=True)
class _Claim:
    """A delivery under our lease."""

    delivery: str
    lease: str
    maybe_sent: bool
    """An attempt before this one never came to know what became of it."""


def _claim(store: Store, now_ms: int, rules: DispatchRules) -> _Claim | None:
    free = delivery.c.leased_until_ms.is_(None) | (delivery.c.leased_until_ms < now_ms)
    queued = delivery.c.state == "queued"
    set_back = queued & (delivery.c.queued_at_ms > now_ms + _AHEAD_MS)
    due = (
        select(delivery.c.id, delivery.c.leased_until_ms)
        .where(queued, delivery.c.due_at_ms <= now_ms, free)
        .order_by(delivery.c.due_at_ms, delivery.c.id)
        .limit(1)
    )
    with store.read() as conn:  # an idle dispatcher takes no write lock
        if conn.execute(due).first() is None and conn.execute(select(delivery.c.id).where(set_back)).first() is None:
            return None
    with store.write() as conn:
        # They would wait for as long as the clock was ahead. All is moved alike: whoever holds a lease keeps it.
        ahead_ms = delivery.c.queued_at_ms - now_ms
        conn.execute(
            update(delivery)
            .where(set_back)
            .values(
                queued_at_ms=now_ms,
                due_at_ms=delivery.c.due_at_ms - ahead_ms,
                leased_until_ms=delivery.c.leased_until_ms - ahead_ms,
            )
        )
        row = conn.execute(due).one_or_none()
        if row is None:
            return None
        lease, until_ms = new_id(), now_ms + round(rules.lease_s * 1000)
        conn.execute(
            update(delivery)
            .where(delivery.c.id == row.id)
            .values(lease=lease, leased_until_ms=until_ms, attempts=delivery.c.attempts + 1, queued_at_ms=now_ms)
        )
        return _Claim(delivery=row.id, lease=lease, maybe_sent=row.leased_until_ms is not None)


def _attempt(
    store: Store,
    claim: _Claim,
    transports: Mapping[str, Transport],
    catalogues: Catalogues,
    clock: Clock,
    rules: DispatchRules,
) -> Result:
    now_ms = clock.read().wall_ms
    row = _read(store, claim.delivery)
    verdict = _before_sending(row, now_ms, rules)
    if verdict is not None:
        return verdict
    notice = Notice(
        delivery_id=row.id,
        topic=row.topic,
        direction=Direction(row.direction),
        at_ms=row.at_ms,
        settled=row.at_source != TimeSource.UNSETTLED,
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
        wait_s = error.retry_after_s or retry_after_s(row.attempts)
        return Later(error.reason, wait_s, perhaps_sent=error.perhaps_taken)


def _read(store: Store, delivery_id: str) -> Any:
    """Return a delivery with all that it speaks of; `corrects_*` tell of the notice that a correction is about."""
    corrected = delivery.alias()
    with store.read() as conn:
        return conn.execute(
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
                guardianship.c.child_id.label("guards"),
                corrected.c.state.label("corrects_state"),
                corrected.c.leased_until_ms.label("corrects_leased_until_ms"),
            )
            .join(movement, movement.c.id == delivery.c.movement_id)
            .join(site, site.c.id == movement.c.site_id)
            .join(child, child.c.id == movement.c.child_id)
            .join(guardian, guardian.c.id == delivery.c.guardian_id)
            .outerjoin(
                guardianship, (guardianship.c.guardian_id == guardian.c.id) & (guardianship.c.child_id == child.c.id)
            )
            .outerjoin(
                corrected,
                (corrected.c.movement_id == delivery.c.movement_id)
                & (corrected.c.guardian_id == delivery.c.guardian_id)
                & (corrected.c.channel == delivery.c.channel)
                & (corrected.c.topic == MOVED)
                & (delivery.c.topic == UNDONE),
            )
            .where(delivery.c.id == delivery_id)
        ).one()


def _before_sending(row: Any, now_ms: int, rules: DispatchRules) -> Dropped | Later | None:
    """Return why a delivery that was queued is not to be sent, or not yet; None when it is."""
    gone = {
        "consent withdrawn": row.consented_at_ms is None,
        "guardian no more": row.guards is None,
        "address suspended": row.suspended_at_ms is not None,
        "too old": now_ms - row.at_ms > rules.give_up_after_s * 1000,
    }
    for reason, holds in gone.items():
        if holds:
            return Dropped(reason)
    if row.topic == MOVED:
        return None if row.undone_at_ms is None else Dropped("undone")
    if row.corrects_state == "queued":  # its fate is not known yet, and a correction must not come first
        return Later("notice not settled", CORRECTION_WAIT_S)
    if row.corrects_state == "sent" or row.corrects_leased_until_ms is not None:
        return None
    return Dropped("nothing to correct")


def _settle(store: Store, claim: _Claim, result: Result, now_ms: int) -> None:
    """Write down what became of an attempt, unless its lease has passed to another dispatcher meanwhile."""
    free = {"lease": None, "leased_until_ms": None}
    # Kept where it may have been sent once: it is corrected when it is taken back, whatever becomes of it.
    unsure = free | {"leased_until_ms": now_ms} if claim.maybe_sent else free
    match result:
        case Sent(provider_id):
            values: dict[str, Any] = {
                "state": "sent",
                "settled_at_ms": now_ms,
                "provider_id": provider_id,
                "reason": None,
                **free,
            }
        case Dropped(reason):
            values = {"state": "cancelled", "settled_at_ms": now_ms, "reason": reason, **unsure}
        case Failed(reason, _):
            values = {"state": "failed", "settled_at_ms": now_ms, "reason": reason, **unsure}
        case Later(reason, after_s, perhaps_sent):
            due_at_ms = now_ms + round(after_s * 1000)
            values = {"due_at_ms": due_at_ms, "reason": reason, **free}
            if perhaps_sent or claim.maybe_sent:  # as of a dispatcher that died: whoever takes it up next is to know
                values["leased_until_ms"] = due_at_ms - 1
        case _:
            assert_never(result)
    ours = (delivery.c.id == claim.delivery) & (delivery.c.lease == claim.lease)
    with store.write() as conn:
        whose = conn.execute(select(delivery.c.guardian_id).where(ours)).scalar_one_or_none()
        if whose is not None:
            conn.execute(update(delivery).where(ours).values(**values))
        suspends = whose is not None and isinstance(result, Failed) and result.address_refused
        if suspends:
            conn.execute(update(guardian).where(guardian.c.id == whose).values(suspended_at_ms=now_ms))
    if whose is None:
        log.warning("lease lost id=%s", claim.delivery)
        return
    level = logging.WARNING if isinstance(result, Failed | Later) else logging.INFO
    log.log(level, "delivery settled id=%s %s", claim.delivery, _told(result))
    if suspends:
        log.warning("address suspended guardian=%s", whose)


def _told(result: Result) -> str:
    name = type(result).__name__.lower()
    return f"result={name}" if isinstance(result, Sent) else f"result={name} reason={result.reason!r}"
