"""The outbox: deliveries are queued in the transaction of the movement they tell of, so none is lost or doubled."""

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from attendance.presence import SAME_MOVEMENT_MS, Movement, in_order, repeats
from attendance.records import Direction
from server.store.chunks import chunks
from server.store.ids import new_id
from server.store.tables import delivery, guardian, guardianship, movement, site

MAIL = "mail"
MOVED = "moved"
UNDONE = "undone"
TOLD_EARLIER = "told before a restore"
_Day = tuple[str, str, date]
"""Child, site and day."""


def queue_moved(conn: Connection, movement_ids: Sequence[str], now_ms: int, *, earlier: bool = False) -> int:
    """Queue a notice to each consenting guardian of each movement; return how many were queued.

    A notice waits until the child can no longer take the movement back. A second read of one walk through the door is
    not told again, unless one of the movements shows that it was a walk of its own. Movements that were told before
    this server was restored (`earlier`) are noted, so that they are neither told again nor taken back without a word.
    """
    moved = _standing(conn, movement_ids)
    guardians = _consenting(conn, {row.child_id for row in moved})
    moved = [row for row in moved if row.child_id in guardians]
    reads = _reads(conn, moved)
    told = _told(conn, {read.id for walk in reads.values() for read in walk})
    # Of two reads that turn out to be two walks one was told; if neither was, there was nobody to tell.
    parted = [pair for pair in _parted(reads.values(), {row.id for row in moved}) if not told.keys().isdisjoint(pair)]
    moved += _standing(conn, [each for pair in parted for each in pair])
    rows = []
    for row in moved:
        again = not told.keys().isdisjoint(_same_walk(reads[_day_of(row)], row.id))
        noted = earlier and row.id in movement_ids
        if again and not noted:
            continue
        due_at_ms = min(max(now_ms, row.at_ms + row.undo_s * 1000), now_ms + row.undo_s * 1000)
        mine = told.setdefault(row.id, set())
        fresh = [each for each in guardians[row.child_id] if each not in mine]
        mine.update(fresh)
        made = [_row(row.id, each, MOVED, now_ms=now_ms, due_at_ms=due_at_ms) for each in fresh]
        # Which read of a walk the guardians had is not known any more; no other is to be told.
        settled = {"state": "cancelled" if again else "sent", "settled_at_ms": now_ms, "reason": TOLD_EARLIER}
        rows += [each | settled for each in made] if noted else made
    if rows:
        conn.execute(insert(delivery), rows)
    return len(rows)


def queue_undone(conn: Connection, movement_id: str, now_ms: int, *, earlier: bool = False) -> int:
    """Cancel what was not sent of a movement that was taken back; queue a correction of what was, return how many.

    What is leased may have been sent, even by a dispatcher that is dead: it gets a correction, which waits until the
    dispatcher knows more. Another read of the same walk, not told because this one was, is told now. All this was done
    already when it was taken back before this server was restored (`earlier`).
    """
    row = conn.execute(select(movement).where(movement.c.id == movement_id)).one_or_none()
    if row is None:
        return 0
    if earlier:
        queue_moved(conn, _other_reads(conn, row), now_ms, earlier=True)
        return 0
    mine = (delivery.c.movement_id == movement_id) & (delivery.c.topic == MOVED)
    conn.execute(
        update(delivery)
        .where(mine, delivery.c.state == "queued", delivery.c.leased_until_ms.is_(None))
        .values(state="cancelled", settled_at_ms=now_ms, reason="undone")
    )
    perhaps = delivery.c.state.in_(("queued", "sent")) | delivery.c.leased_until_ms.is_not(None)
    told = select(delivery.c.guardian_id).where(mine, perhaps)
    corrected = select(delivery.c.guardian_id).where(delivery.c.movement_id == movement_id, delivery.c.topic == UNDONE)
    fresh = sorted(set(conn.execute(told).scalars()) - set(conn.execute(corrected).scalars()))
    if fresh:
        conn.execute(
            insert(delivery), [_row(movement_id, each, UNDONE, now_ms=now_ms, due_at_ms=now_ms) for each in fresh]
        )
    queue_moved(conn, _other_reads(conn, row), now_ms)
    return len(fresh)


def _standing(conn: Connection, movement_ids: Sequence[str]) -> list[Row[Any]]:
    """Return the movements that were not taken back, in the order asked for."""
    found: dict[str, Row[Any]] = {}
    for some in chunks(movement_ids):
        asked = (
            select(movement, site.c.undo_s)
            .join(site, site.c.id == movement.c.site_id)
            .where(movement.c.id.in_(some), movement.c.undone_at_ms.is_(None))
        )
        found.update({row.id: row for row in conn.execute(asked)})
    return [found[each] for each in movement_ids if each in found]


def _consenting(conn: Connection, children: Iterable[str]) -> dict[str, list[str]]:
    """Return the guardians who want notices, by child; children without any are left out."""
    found: dict[str, list[str]] = {}
    for some in chunks(sorted(children)):
        asked = (
            select(guardianship.c.child_id, guardian.c.id)
            .join(guardian, guardian.c.id == guardianship.c.guardian_id)
            .where(
                guardianship.c.child_id.in_(some),
                guardian.c.consented_at_ms.is_not(None),
                guardian.c.suspended_at_ms.is_(None),
            )
            .order_by(guardian.c.id)
        )
        for child_id, guardian_id in conn.execute(asked):
            found.setdefault(child_id, []).append(guardian_id)
    return found


def _day_of(row: Row[Any]) -> _Day:
    return row.child_id, row.site_id, row.day


def _reads(conn: Connection, moved: Iterable[Row[Any]]) -> dict[_Day, list[Movement]]:
    """Return all that the children of the movements did on those days at those sites, in order."""
    wanted = {_day_of(row) for row in moved}
    found: dict[_Day, list[Movement]] = {each: [] for each in wanted}
    for site_id, day in sorted({(site_id, day) for _, site_id, day in wanted}):
        for some in chunks(sorted(child for child, *rest in wanted if rest == [site_id, day])):
            asked = select(movement).where(
                movement.c.child_id.in_(some),
                movement.c.day == day,
                movement.c.site_id == site_id,
                movement.c.undone_at_ms.is_(None),
            )
            for row in conn.execute(asked):
                read = Movement(row.id, row.child_id, Direction(row.direction), row.at_ms)
                found[_day_of(row)].append(read)
    return {each: in_order(reads) for each, reads in found.items()}


def _told(conn: Connection, movement_ids: Iterable[str]) -> dict[str, set[str]]:
    """Return who has a notice of which movement."""
    found: dict[str, set[str]] = {}
    for some in chunks(sorted(movement_ids)):
        asked = select(delivery.c.movement_id, delivery.c.guardian_id).where(
            delivery.c.movement_id.in_(some), delivery.c.topic == MOVED
        )
        for movement_id, guardian_id in conn.execute(asked):
            found.setdefault(movement_id, set()).add(guardian_id)
    return found


def _same_walk(reads: Sequence[Movement], movement_id: str) -> set[str]:
    """Return the other reads of a movement's walk through the door, before and after it."""
    place = next(index for index, read in enumerate(reads) if read.id == movement_id)
    pairs = pairwise(reads[max(place - 1, 0) : place + 2])
    return {read.id for pair in pairs if repeats(*pair) for read in pair} - {movement_id}


def _parted(walks: Iterable[Sequence[Movement]], fresh: set[str]) -> list[tuple[str, str]]:
    """Return the reads that were of one walk until a fresh one came between them, as from a session that came late."""
    parted = []
    for reads in walks:
        known = [read for read in reads if read.id not in fresh]
        together = {(first.id, second.id) for first, second in pairwise(reads)}
        pairs = [(first.id, second.id) for first, second in pairwise(known) if repeats(first, second)]
        parted += [pair for pair in pairs if pair not in together]
    return parted


def _row(movement_id: str, guardian_id: str, topic: str, *, now_ms: int, due_at_ms: int) -> dict[str, Any]:
    return {
        "id": new_id(),
        "movement_id": movement_id,
        "guardian_id": guardian_id,
        "topic": topic,
        "channel": MAIL,
        "state": "queued",
        "queued_at_ms": now_ms,
        "due_at_ms": due_at_ms,
        "settled_at_ms": None,
        "reason": None,
    }


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
