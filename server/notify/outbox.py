"""The outbox: deliveries are queued in the transaction of the movement they tell of, so none is lost or doubled."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from attendance.presence import SAME_MOVEMENT_MS, Movement, in_order, repeats
from attendance.records import Direction
from server.store.ids import new_id
from server.store.tables import delivery, guardian, guardianship, movement, site

MAIL = "mail"
MOVED = "moved"
UNDONE = "undone"


def queue_moved(conn: Connection, movement_ids: Iterable[str], now_ms: int) -> int:
    """Queue a notice to each consenting guardian of each movement; return how many were queued.

    A notice waits until the child can no longer take the movement back. A second read of one walk through the door is
    not told again.
    """
    queued = 0
    for movement_id in movement_ids:
        moved = conn.execute(
            select(movement, site.c.undo_s)
            .join(site, site.c.id == movement.c.site_id)
            .where(movement.c.id == movement_id, movement.c.undone_at_ms.is_(None))
        ).one_or_none()
        if moved is None or _told_already(conn, moved):
            continue
        due_at_ms = min(max(now_ms, moved.at_ms + moved.undo_s * 1000), now_ms + moved.undo_s * 1000)
        queued += _queue(conn, moved, MOVED, _consenting(conn, moved.child_id), now_ms=now_ms, due_at_ms=due_at_ms)
    return queued


def queue_undone(conn: Connection, movement_id: str, now_ms: int) -> int:
    """Cancel what was not sent of a movement that was taken back; queue a correction of what was, return how many.

    What is leased may have been sent, even by a dispatcher that is dead: it gets a correction, which waits until the
    dispatcher knows more. Another read of the same walk, not told because this one was, is told now.
    """
    row = conn.execute(select(movement).where(movement.c.id == movement_id)).one_or_none()
    if row is None:
        return 0
    mine = (delivery.c.movement_id == movement_id) & (delivery.c.topic == MOVED)
    conn.execute(
        update(delivery)
        .where(mine, delivery.c.state == "queued", delivery.c.leased_until_ms.is_(None))
        .values(state="cancelled", settled_at_ms=now_ms, reason="undone")
    )
    told = conn.execute(select(delivery.c.guardian_id).where(mine, delivery.c.state.in_(("queued", "sent")))).scalars()
    corrections = _queue(conn, row, UNDONE, told.all(), now_ms=now_ms, due_at_ms=now_ms)
    queue_moved(conn, _other_reads(conn, row), now_ms)
    return corrections


def _consenting(conn: Connection, child_id: str) -> Sequence[str]:
    return (
        conn.execute(
            select(guardian.c.id)
            .join(guardianship, guardianship.c.guardian_id == guardian.c.id)
            .where(
                guardianship.c.child_id == child_id,
                guardian.c.consented_at_ms.is_not(None),
                guardian.c.suspended_at_ms.is_(None),
            )
        )
        .scalars()
        .all()
    )


def _queue(
    conn: Connection, moved: Row[Any], topic: str, guardians: Iterable[str], *, now_ms: int, due_at_ms: int
) -> int:
    held = set(
        conn.execute(
            select(delivery.c.guardian_id).where(delivery.c.movement_id == moved.id, delivery.c.topic == topic)
        ).scalars()
    )
    rows = [
        {
            "id": new_id(),
            "movement_id": moved.id,
            "guardian_id": guardian_id,
            "topic": topic,
            "channel": MAIL,
            "state": "queued",
            "queued_at_ms": now_ms,
            "due_at_ms": due_at_ms,
        }
        for guardian_id in guardians
        if guardian_id not in held
    ]
    if rows:
        conn.execute(insert(delivery), rows)
    return len(rows)


def _other_reads(conn: Connection, moved: Row[Any]) -> Sequence[str]:
    """Return the movements that may be of the same walk through the door."""
    near = movement.c.at_ms.between(moved.at_ms - SAME_MOVEMENT_MS, moved.at_ms + SAME_MOVEMENT_MS)
    return (
        conn.execute(
            select(movement.c.id).where(
                movement.c.child_id == moved.child_id,
                movement.c.day == moved.day,
                movement.c.site_id == moved.site_id,
                movement.c.direction == moved.direction,
                movement.c.id != moved.id,
                near,
            )
        )
        .scalars()
        .all()
    )


def _told_already(conn: Connection, moved: Row[Any]) -> bool:
    """Say whether another read of the same walk through the door has been queued, before or after this one."""
    rows = conn.execute(
        select(movement).where(
            movement.c.child_id == moved.child_id,
            movement.c.day == moved.day,
            movement.c.site_id == moved.site_id,
            movement.c.undone_at_ms.is_(None),
        )
    ).all()
    walk = in_order(
        Movement(id=row.id, child=row.child_id, direction=Direction(row.direction), at_ms=row.at_ms) for row in rows
    )
    place = next(index for index, candidate in enumerate(walk) if candidate.id == moved.id)
    pairs = pairwise(walk[max(place - 1, 0) : place + 2])
    same = {read.id for pair in pairs if repeats(*pair) for read in pair} - {moved.id}
    if not same:
        return False
    told = select(delivery.c.id).where(delivery.c.movement_id.in_(same), delivery.c.topic == MOVED).limit(1)
    return conn.execute(told).first() is not None
