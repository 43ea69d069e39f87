"""What the staff screen shows of a headcount, with times as the clock on the wall shows them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row

from attendance.records import MadeBy
from attendance.roster import Mark
from server.closing import Matter, MatterKind, contradictions, is_over
from server.doors import Door, doors
from server.headcount import Attendee, Expected, Person, headcount
from server.timeline import BestTime
from server.web.doubt import Doubt, doubt, hh_mm
from server.web.trouble import TWIN, Trouble, troubles

NEW_MS = 60_000
"""How long an arrival is marked as just come."""


@dataclass(frozen=True, slots=True)
class Here:
    """A child who came or left."""

    child: str
    name: str
    kana: str
    mark: Mark
    since: BestTime
    time: str
    """HH:MM of `since`."""
    doubt: Doubt | None
    new: bool


@dataclass(frozen=True, slots=True)
class Missing:
    """A child who is expected and has not come."""

    child: str
    name: str
    kana: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A movement that cannot follow the one before it."""

    key: str
    kind: MatterKind
    child: str
    name: str
    kana: str
    mark: Mark
    at: BestTime
    time: str
    """HH:MM of `at`."""
    doubt: Doubt | None
    before: BestTime | None
    """When the child came or left before, None for not at all."""
    time_before: str
    """HH:MM of `before`, else empty."""
    kiosk: str
    """By name; empty for none."""
    by: MadeBy | None


@dataclass(frozen=True, slots=True)
class Stray:
    """A card that nobody holds, shown at the door."""

    time: str
    short: str


@dataclass(frozen=True, slots=True)
class Kiosk:
    """A kiosk, to the minute: a tag made of this must not change with each contact."""

    id: str
    name: str
    heard: str
    """HH:MM, empty for never."""
    silent: bool
    unsent: int
    troubles: tuple[Trouble, ...]
    """None of a silent kiosk: what it said last is old, and its silence is told."""


@dataclass(frozen=True, slots=True)
class Board:
    """All a staff screen shows, at the minute `at`; children by kana."""

    at: str
    expected_by: str
    present: tuple[Here, ...]
    late: tuple[Missing, ...]
    """Past the site's time: 未着."""
    waiting: tuple[Missing, ...]
    """Still in time."""
    left: tuple[Here, ...]
    contradictions: tuple[Contradiction, ...]
    """By time."""
    closed_at: str
    """HH:MM of the site's closing when it is over and children are in; else empty."""
    unknown: tuple[Stray, ...]
    kiosks: tuple[Kiosk, ...]


def read_board(conn: Connection, site: Row[Any], at_ms: int) -> Board:
    """Return what to show of a site, a row of its table, now."""
    now = headcount(conn, site.id, at_ms)
    people = {each.person.child: each.person for each in (*now.present, *now.left)}
    return Board(
        at=hh_mm(at_ms),
        expected_by=site.expected_by,
        present=_here(now.present, at_ms),
        late=_missing(each for each in now.expected if each.late),
        waiting=_missing(each for each in now.expected if not each.late),
        left=_here(now.left, at_ms),
        contradictions=tuple(_contradiction(each, people[each.child], at_ms) for each in contradictions(now.records)),
        closed_at=site.closes_at if now.present and is_over(now.day, site.closes_at, at_ms) else "",
        unknown=tuple(Stray(hh_mm(card.at_ms), card.short) for card in now.unknown_cards),
        kiosks=tuple(_kiosk(door) for door in doors(conn, site.id, at_ms)),
    )


def _here(attendees: Iterable[Attendee], at_ms: int) -> tuple[Here, ...]:
    return tuple(
        Here(
            child=each.person.child,
            name=each.person.name,
            kana=each.person.kana,
            mark=each.person.mark,
            since=each.since,
            time=hh_mm(each.since.at_ms),
            doubt=doubt(each.since, at_ms),
            new=at_ms - each.since.at_ms < NEW_MS,
        )
        for each in attendees
    )


def _missing(expected: Iterable[Expected]) -> tuple[Missing, ...]:
    return tuple(
        Missing(child=each.person.child, name=each.person.name, kana=each.person.kana, mark=each.person.mark)
        for each in expected
    )


def _contradiction(each: Matter, person: Person, at_ms: int) -> Contradiction:
    return Contradiction(
        key=each.key,
        kind=each.kind,
        child=person.child,
        name=person.name,
        kana=person.kana,
        mark=person.mark,
        at=each.time,
        time=hh_mm(each.time.at_ms),
        doubt=doubt(each.time, at_ms),
        before=each.before,
        time_before="" if each.before is None else hh_mm(each.before.at_ms),
        kiosk=each.kiosk,
        by=each.by,
    )


def _kiosk(door: Door) -> Kiosk:
    return Kiosk(
        id=door.id,
        name=door.name,
        heard="" if door.heard_at_ms is None else hh_mm(door.heard_at_ms),
        silent=door.silent,
        unsent=door.unsent,
        troubles=() if door.silent else ((TWIN,) if door.twin else ()) + troubles(door.trouble),
    )
