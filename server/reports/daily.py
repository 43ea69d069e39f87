"""The daily report of sites: read from the records of the day, with the children behind the figures (after step 11)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Connection, Row, func, select

from attendance.clock import JST, day_bounds, from_ms, local_day, to_ms
from attendance.kana import kana_key
from attendance.presence import Movement, fold
from server.doors import SILENT_MS
from server.enrolled import lasts_on
from server.headcount import movements_of_day
from server.reports.figures import Figures, extended_children, figures
from server.store.chunks import chunks
from server.store.tables import child, enrolment, kiosk, movement, site, unit, unknown_card
from server.timeline import TimeSource

FIRST_DAY = date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class UnitFigures:
    """The part of a site's figures that falls to a unit."""

    name: str
    """Empty for the children who are in none."""
    figures: Figures


@dataclass(frozen=True, slots=True)
class ChildLine:
    """A child who was here."""

    number: str
    name: str = field(repr=False)
    kana: str = field(repr=False)
    school_class: str
    unit: str
    first_entry_ms: int | None
    last_exit_ms: int | None
    still_in: bool
    extended: bool
    unsettled: bool


@dataclass(frozen=True, slots=True)
class SiteReport:
    """A site's day."""

    code: str
    name: str
    figures: Figures
    unknown_cards: int
    silent_kiosks: int
    """Kiosks not heard from since, whose records may be missing."""
    units: tuple[UnitFigures, ...]
    """By name; empty when no child who was here is in a unit."""
    children: tuple[ChildLine, ...]
    """By kana."""


@dataclass(frozen=True, slots=True)
class DailyReport:
    """A day at one site or more, by code."""

    day: date
    made_at_ms: int
    sites: tuple[SiteReport, ...]


def is_reportable(day: date, now_ms: int) -> bool:
    """Say whether there can be records of a day: it has come, and it is not from before there were any."""
    return FIRST_DAY <= day <= local_day(from_ms(now_ms))


def daily_report(conn: Connection, site_ids: Iterable[str], day: date, now_ms: int) -> DailyReport:
    """Return the report of a day from all that is known now."""
    wanted = set(site_ids)
    sites = [row for row in conn.execute(select(site).order_by(site.c.code)) if row.id in wanted]
    return DailyReport(day=day, made_at_ms=now_ms, sites=tuple(_site_report(conn, each, day, now_ms) for each in sites))


def _site_report(conn: Connection, the_site: Row[Any], day: date, now_ms: int) -> SiteReport:
    movements = movements_of_day(conn, the_site.id, day)
    extended_from_ms = to_ms(datetime.combine(day, time.fromisoformat(the_site.extended_from), JST))
    unsettled = _unsettled(conn, the_site.id, day)
    units = _units(conn, the_site.id, day)
    return SiteReport(
        code=the_site.code,
        name=the_site.name,
        figures=figures(movements, extended_from_ms=extended_from_ms, unsettled=unsettled),
        unknown_cards=_unknown_cards(conn, the_site.id, day),
        silent_kiosks=_silent_kiosks(conn, the_site.id, day, now_ms),
        units=_unit_figures(movements, units, extended_from_ms, unsettled),
        children=_lines(conn, movements, units, extended_from_ms, unsettled),
    )


def _unit_figures(
    movements: Sequence[Movement], units: Mapping[str, str], extended_from_ms: int, unsettled: Collection[str]
) -> tuple[UnitFigures, ...]:
    parts: dict[str, list[Movement]] = {}
    for each in movements:
        parts.setdefault(units.get(each.child, ""), []).append(each)
    if not any(parts):
        return ()
    by_name = sorted(parts.items(), key=lambda part: (not part[0], part[0]))
    return tuple(
        UnitFigures(name, figures(part, extended_from_ms=extended_from_ms, unsettled=unsettled))
        for name, part in by_name
    )


def _lines(
    conn: Connection,
    movements: Sequence[Movement],
    units: Mapping[str, str],
    extended_from_ms: int,
    unsettled: Collection[str],
) -> tuple[ChildLine, ...]:
    folded = fold(movements)
    extended = extended_children(movements, extended_from_ms)
    doubtful = {each.child for each in movements if each.id in unsettled}
    lines = []
    for row in _children(conn, sorted(folded)):
        presence = folded[row.id]
        lines.append(
            ChildLine(
                number=row.number,
                name=row.name,
                kana=row.kana,
                school_class=row.school_class,
                unit=units.get(row.id, ""),
                first_entry_ms=presence.first_entry_ms,
                last_exit_ms=presence.last_exit_ms,
                still_in=presence.present,
                extended=row.id in extended,
                unsettled=row.id in doubtful,
            )
        )
    return tuple(sorted(lines, key=lambda line: (kana_key(line.kana), line.number)))


def _children(conn: Connection, ids: Sequence[str]) -> list[Row[Any]]:
    return [row for some in chunks(ids) for row in conn.execute(select(child).where(child.c.id.in_(some)))]


def _units(conn: Connection, site_id: str, day: date) -> dict[str, str]:
    """Return the unit of each child that is in one on a day; the later enrolment counts."""
    rows = conn.execute(
        select(enrolment.c.child_id, unit.c.name)
        .outerjoin(unit, unit.c.id == enrolment.c.unit_id)
        .where(enrolment.c.site_id == site_id, lasts_on(day))
        .order_by(enrolment.c.from_day)
    )
    return {row.child_id: row.name or "" for row in rows}


def _unsettled(conn: Connection, site_id: str, day: date) -> frozenset[str]:
    of_day = (movement.c.day == day) & (movement.c.site_id == site_id)
    doubtful = select(movement.c.id).where(of_day, movement.c.at_source == TimeSource.UNSETTLED)
    return frozenset(conn.execute(doubtful).scalars())


def _unknown_cards(conn: Connection, site_id: str, day: date) -> int:
    """Count how often a card that nobody holds was shown."""
    of_day = (unknown_card.c.day == day) & (unknown_card.c.site_id == site_id)
    return conn.execute(select(func.count()).select_from(unknown_card).where(of_day)).scalar_one()


def _silent_kiosks(conn: Connection, site_id: str, day: date, now_ms: int) -> int:
    """Count the kiosks that were in service on a day and have not been heard from since its end, or lately."""
    day_ends_ms = to_ms(day_bounds(day)[1])
    rows = conn.execute(
        select(kiosk.c.heard_at_ms).where(
            kiosk.c.site_id == site_id, kiosk.c.revoked_at_ms.is_(None), kiosk.c.enrolled_at_ms < day_ends_ms
        )
    )
    since_ms = min(day_ends_ms, now_ms - SILENT_MS)
    return sum(row.heard_at_ms is None or row.heard_at_ms < since_ms for row in rows)
