"""The headcount of a site: who is in now, who left, who is expected and not here (after step 11).

A fold over the day's movements (attendance.presence, as on the kiosk), never a number kept aside.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Connection, Row, and_, select

from attendance.clock import JST, from_ms, local_day, to_ms
from attendance.kana import kana_key
from attendance.presence import Movement, Presence, fold, in_order
from attendance.records import Direction, MadeBy
from attendance.roster import Animal, Colour, Mark
from server.enrolled import lasts_on
from server.store.chunks import chunks
from server.store.tables import absence, child, enrolment, kiosk, movement, site, unknown_card
from server.timeline import BestTime, TimeSource


@dataclass(frozen=True, slots=True)
class Recorded:
    """A movement that counts, with what its time is worth and who or what made it."""

    movement: Movement
    time: BestTime
    by: MadeBy
    kiosk: str
    """By name; empty for none."""


@dataclass(frozen=True, slots=True)
class Person:
    """A child as staff know it."""

    child: str
    name: str
    kana: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class Attendee:
    """A child who came today, and is present or has left."""

    person: Person
    since: BestTime


@dataclass(frozen=True, slots=True)
class Expected:
    """A child who should come today and has not."""

    person: Person
    late: bool
    """Past the time by which children of the site are here."""


@dataclass(frozen=True, slots=True)
class UnknownCardSeen:
    """Somebody stood at the door with a card that nobody holds."""

    id: str
    """`session:seq` of the record."""
    short: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Headcount:
    """One look at a site's day; people are sorted by kana."""

    day: date
    present: tuple[Attendee, ...]
    expected: tuple[Expected, ...]
    left: tuple[Attendee, ...]
    unknown_cards: tuple[UnknownCardSeen, ...]
    records: tuple[Recorded, ...]
    """What all this is folded from, by time."""


def movements_of_day(conn: Connection, site_id: str, day: date) -> list[Movement]:
    """Return the movements that count on a local day at a site, in the order they are folded."""
    return in_order(each.movement for each in recorded_of_day(conn, site_id, day))


def recorded_of_day(conn: Connection, site_id: str, day: date) -> list[Recorded]:
    """Return the movements that count on a local day at a site, with how they were made, by time and id."""
    counted = (
        select(movement, kiosk.c.name)
        .outerjoin(kiosk, kiosk.c.id == movement.c.kiosk_id)
        .where(movement.c.day == day, movement.c.site_id == site_id, movement.c.undone_at_ms.is_(None))
        .order_by(movement.c.at_ms, movement.c.id)
    )
    return [_recorded(row) for row in conn.execute(counted)]


def times_of(records: Iterable[Recorded]) -> dict[tuple[str, int], BestTime]:
    """Return what the time is worth at which each child moved, by child and instant; of two, what is worth less."""
    by_worth = sorted(records, key=lambda each: (each.time.source is TimeSource.UNSETTLED, each.time.err_ms or 0))
    return {(each.movement.child, each.time.at_ms): each.time for each in by_worth}


def headcount(conn: Connection, site_id: str, at_ms: int) -> Headcount:
    """Return the headcount of a site from all that is known of the local day of an instant, which is now."""
    day = local_day(from_ms(at_ms))
    the_site = conn.execute(select(site).where(site.c.id == site_id)).one()
    records = recorded_of_day(conn, site_id, day)
    folded = fold(each.movement for each in records)
    times = times_of(records)
    expected = expected_children(conn, site_id, day)
    people = _people(conn, folded.keys() | expected)
    came = [(_attendee(people[each.child], each, times), each.present) for each in folded.values()]
    late = at_ms >= to_ms(datetime.combine(day, time.fromisoformat(the_site.expected_by), JST))
    not_here = [Expected(people[each], late) for each in expected - folded.keys()]
    return Headcount(
        day=day,
        present=_by_kana(each for each, present in came if present),
        expected=tuple(sorted(not_here, key=lambda each: _kana(each.person))),
        left=_by_kana(each for each, present in came if not present),
        unknown_cards=unknown_cards_of_day(conn, site_id, day),
        records=tuple(records),
    )


def expected_children(conn: Connection, site_id: str, day: date) -> set[str]:
    """Return who is enrolled at a site, expected on that day of the week, and not told to be absent."""
    rows = conn.execute(
        select(enrolment.c.child_id, enrolment.c.weekdays)
        .outerjoin(absence, and_(absence.c.child_id == enrolment.c.child_id, absence.c.day == day))
        .where(
            enrolment.c.site_id == site_id,
            lasts_on(day),
            absence.c.child_id.is_(None),
        )
    )
    return {row.child_id for row in rows if row.weekdays[day.weekday() : day.weekday() + 1] == "1"}


def unknown_cards_of_day(conn: Connection, site_id: str, day: date) -> tuple[UnknownCardSeen, ...]:
    """Return how often a card that nobody holds was shown on a local day at a site, in that order."""
    seen = (
        select(unknown_card)
        .where(unknown_card.c.day == day, unknown_card.c.site_id == site_id)
        .order_by(unknown_card.c.at_ms, unknown_card.c.id)
    )
    return tuple(UnknownCardSeen(row.id, row.card_hash[:8], row.at_ms) for row in conn.execute(seen))


def _recorded(row: Row[Any]) -> Recorded:
    return Recorded(
        movement=Movement(id=row.id, child=row.child_id, direction=Direction(row.direction), at_ms=row.at_ms),
        time=BestTime(row.at_ms, TimeSource(row.at_source), row.at_err_ms),
        by=MadeBy(row.made_by),
        kiosk=row.name or "",
    )


def _people(conn: Connection, ids: Iterable[str]) -> dict[str, Person]:
    people = {}
    for some in chunks(sorted(ids)):
        for row in conn.execute(select(child).where(child.c.id.in_(some))):
            mark = Mark(Animal(row.animal), Colour(row.colour))
            people[row.id] = Person(child=row.id, name=row.name, kana=row.kana, mark=mark)
    return people


def _attendee(person: Person, presence: Presence, times: Mapping[tuple[str, int], BestTime]) -> Attendee:
    return Attendee(person=person, since=times[person.child, presence.since_ms])


def _by_kana(attendees: Iterable[Attendee]) -> tuple[Attendee, ...]:
    return tuple(sorted(attendees, key=lambda each: _kana(each.person)))


def _kana(person: Person) -> tuple[object, ...]:
    return kana_key(person.kana), person.child
