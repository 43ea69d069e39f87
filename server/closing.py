"""The closing list of a site's day: what does not add up, for people to look at, each thing once (after step 11).

Folded from the records whenever it is asked for and never kept, so nothing that comes again, late or in another order
can put a thing on it twice. It holds no names; who shows it adds them.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from enum import StrEnum
from functools import cache, partial
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from attendance.clock import JST, ClockReading, day_bounds, from_ms, local_day, to_ms
from attendance.presence import Flag, Movement, fold, logical, movement_id
from attendance.records import Direction, JournalLine, MadeBy
from server.derive import find_anchor
from server.entries import kiosk_of
from server.headcount import Recorded, UnknownCardSeen, recorded_of_day, unknown_cards_of_day
from server.ledger import OTHER_KIOSK
from server.store.tables import entry, journal_session, kiosk, site
from server.timeline import Anchor, BestTime, TimeSource, best_time, is_possible

_AnchorOf = Callable[[str, str], Anchor | None]
"""The anchor of a kiosk's boot."""


class MatterKind(StrEnum):
    """What does not add up."""

    ENTRY_AGAIN = "entry_again"
    """An entry of a child who is in."""
    EXIT_AGAIN = "exit_again"
    """An exit of a child who has left."""
    EXIT_WITHOUT_ENTRY = "exit_without_entry"
    """An exit of a child who has not come that day."""
    STILL_IN = "still_in"
    """No exit, and the site is closed."""
    UNSETTLED = "unsettled"
    """A movement at a time that nothing vouches for; it may be one of the above as well."""
    UNREADABLE = "unreadable"
    """An entry that is kept as it came, in quarantine."""
    UNKNOWN_CARD = "unknown_card"


@dataclass(frozen=True, slots=True)
class Matter:
    """One thing that does not add up."""

    kind: MatterKind
    record: str
    """Id of the movement or entry that it is about."""
    time: BestTime
    """Of an entry in quarantine whose own time is not settled: when it was received."""
    child: str = ""
    before: BestTime | None = None
    """When the child came or left before; of contradictions."""
    kiosk: str = ""
    """By name; empty for none."""
    by: MadeBy | None = None
    card: str = ""
    """First digits of a card's hash."""

    @property
    def key(self) -> str:
        """What this is known by on its day: the same however often and in whichever order things were told."""
        return f"{self.kind}:{self.child if self.kind is MatterKind.STILL_IN else self.record}"


def closing_list(conn: Connection, site_id: str, day: date, now_ms: int) -> tuple[Matter, ...]:
    """Return what does not add up on a local day at a site by all that is known now, by time."""
    records = recorded_of_day(conn, site_id, day)
    closes_at = conn.execute(select(site.c.closes_at).where(site.c.id == site_id)).scalar_one()
    of_movements = matters_of(records, is_over=is_over(day, closes_at, now_ms))
    anchor_of = cache(partial(find_anchor, conn))
    others = [*_unreadable(conn, site_id, day, anchor_of), *_unknown_cards(conn, site_id, day, anchor_of)]
    return tuple(sorted([*of_movements, *others], key=_order))


def is_over(day: date, closes_at: str, now_ms: int) -> bool:
    """Say whether a site has closed for that day; `closes_at` is HH:MM."""
    return now_ms >= to_ms(datetime.combine(day, time.fromisoformat(closes_at), JST))


def matters_of(records: Iterable[Recorded], *, is_over: bool) -> tuple[Matter, ...]:
    """Return what does not add up about the movements of one local day at one site, in any order; pure."""
    once = {each.movement.id: each for each in records}
    movements = [each.movement for each in once.values()]
    found = [
        *contradictions(once.values()),
        *(_of(each, MatterKind.UNSETTLED) for each in once.values() if each.time.source is TimeSource.UNSETTLED),
    ]
    if is_over:
        still_in = {presence.child: presence.since_ms for presence in fold(movements).values() if presence.present}
        entries = [each for each in logical(movements) if each.direction is Direction.ENTRY]
        came = {each.child: each.id for each in reversed(entries) if each.at_ms == still_in.get(each.child)}
        found += [_of(once[walk], MatterKind.STILL_IN) for walk in came.values()]
    return tuple(sorted(found, key=_order))


def contradictions(records: Iterable[Recorded]) -> tuple[Matter, ...]:
    """Return the movements of one local day at one site that contradict the state before them, by time; pure."""
    once = {each.movement.id: each for each in records}
    movements = [each.movement for each in once.values()]
    before = dict(_befores(movements))
    flags = [flag for presence in fold(movements).values() for flag in presence.flags]
    found = []
    for flag, about in flags:
        earlier = before[about]
        found.append(_contradiction(once[about], flag, None if earlier is None else once[earlier.id].time))
    return tuple(sorted(found, key=_order))


def _befores(movements: Iterable[Movement]) -> Iterator[tuple[str, Movement | None]]:
    """Yield each walk through the door with the child's one before it."""
    last: dict[str, Movement] = {}
    for walk in logical(movements):
        yield walk.id, last.get(walk.child)
        last[walk.child] = walk


def _contradiction(record: Recorded, flag: Flag, before: BestTime | None) -> Matter:
    if flag is Flag.ENTRY_WHILE_PRESENT:
        kind = MatterKind.ENTRY_AGAIN
    else:
        kind = MatterKind.EXIT_WITHOUT_ENTRY if before is None else MatterKind.EXIT_AGAIN
    return _of(record, kind, before)


def _of(record: Recorded, kind: MatterKind, before: BestTime | None = None) -> Matter:
    return Matter(
        kind=kind,
        record=record.movement.id,
        time=record.time,
        child=record.movement.child,
        before=before,
        kiosk=record.kiosk,
        by=record.by,
    )


def _order(matter: Matter) -> tuple[int, str]:
    return matter.time.at_ms, matter.key


def _unknown_cards(conn: Connection, site_id: str, day: date, anchor_of: _AnchorOf) -> list[Matter]:
    return [_unknown_card(conn, each, anchor_of) for each in unknown_cards_of_day(conn, site_id, day)]


def _unknown_card(conn: Connection, seen: UnknownCardSeen, anchor_of: _AnchorOf) -> Matter:
    """Return a card that was seen, at the time kept of it, which is worth what its boot's anchor is worth."""
    session, _, seq = seen.id.rpartition(":")
    row = conn.execute(_ENTRIES.where(entry.c.session == session, entry.c.seq == int(seq))).one_or_none()
    settled = None if row is None else _settled(row, anchor_of)
    return Matter(
        kind=MatterKind.UNKNOWN_CARD,
        record=seen.id,
        time=_guessed(seen.at_ms) if settled is None else replace(settled, at_ms=seen.at_ms),
        kiosk="" if row is None else row.name,
        card=seen.short,
    )


def _unreadable(conn: Connection, site_id: str, day: date, anchor_of: _AnchorOf) -> list[Matter]:
    """Return the entries in quarantine that were written on a day, or received when nobody knows that.

    What a kiosk that was moved brings of its former self belongs to the site where that wrote it.
    """
    kept = select(entry.c.id).where(entry.c.quarantined.is_not(None))  # few, and indexed
    since = journal_session.c.grown_at_ms >= to_ms(day_bounds(day)[0])  # what ended before has none of it
    near = (kiosk.c.site_id == site_id) | (entry.c.quarantined == OTHER_KIOSK)
    rows = conn.execute(_ENTRIES.where(entry.c.id.in_(kept), near, since)).all()
    bearer = cache(partial(_bearer, conn))
    written = [(row, _writer(row, bearer)) for row in rows]
    found = [
        Matter(
            kind=MatterKind.UNREADABLE,
            record=movement_id(row.session, row.seq),
            time=_settled(row, anchor_of) or _guessed(row.received_at_ms),
            kiosk=writer.name,
        )
        for row, writer in written
        if writer.site_id == site_id
    ]
    return [each for each in found if local_day(from_ms(each.time.at_ms)) == day]


def _writer(row: Row[Any], bearer: Callable[[str], Row[Any] | None]) -> Row[Any]:
    """Return name and site of the kiosk that an entry names, or of the one that brought it when that is unknown."""
    named = kiosk_of(JournalLine(row.line, "")) if row.quarantined == OTHER_KIOSK else None
    return (None if named is None else bearer(named)) or row


def _bearer(conn: Connection, kiosk_id: str) -> Row[Any] | None:
    return conn.execute(select(kiosk).where(kiosk.c.id == kiosk_id)).one_or_none()


_ENTRIES = (
    select(entry, kiosk.c.name, kiosk.c.site_id, journal_session.c.boot)
    .join(journal_session, journal_session.c.session == entry.c.session)
    .join(kiosk, kiosk.c.id == journal_session.c.kiosk_id)
)


def _settled(row: Row[Any], anchor_of: _AnchorOf) -> BestTime | None:
    """Return the best time of an entry, as far as its line can be read; None when nothing vouches for it."""
    try:
        at = _clocks.decode(row.line).at
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None
    anchor = anchor_of(row.kiosk_id, row.boot)
    if anchor is None or not is_possible(at):
        return None
    best = best_time(at, anchor)
    return None if best.source is TimeSource.UNSETTLED else best


def _guessed(at_ms: int) -> BestTime:
    return BestTime(at_ms, TimeSource.UNSETTLED, None)


class _Clocks(msgspec.Struct):
    """The one field of a line that says when it was written."""

    at: ClockReading


_clocks = msgspec.json.Decoder(_Clocks)
