"""The daily report of sites: read from the records of the day, with the children behind the figures (after step 11)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Connection, Row, select

from attendance.clock import JST, day_bounds, from_ms, local_day, to_ms
from attendance.kana import kana_key
from attendance.presence import fold
from server.closing import Matter, MatterKind, closing_list
from server.doors import is_silent
from server.enrolled import lasts_on
from server.headcount import Recorded, recorded_of_day, times_of
from server.reports.figures import Figures, extended_children, figures
from server.store.chunks import chunks
from server.store.tables import child, enrolment, kiosk, site, unit
from server.timeline import BestTime, TimeSource

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
    first_entry: BestTime | None
    last_exit: BestTime | None
    still_in: bool
    extended: bool
    unsettled: bool


@dataclass(frozen=True, slots=True)
class MatterLine:
    """Something that does not add up, with the child that it is about; its name and number are empty for none."""

    matter: Matter
    number: str
    name: str = field(repr=False)
    kana: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SiteReport:
    """A site's day."""

    code: str
    name: str
    figures: Figures
    unknown_cards: int
    unreadable: int
    """Entries in quarantine."""
    silent_kiosks: int
    """Kiosks not heard from since, whose records may be missing."""
    units: tuple[UnitFigures, ...]
    """By name; empty when no child who was here is in a unit."""
    children: tuple[ChildLine, ...]
    """By kana."""
    closing: tuple[MatterLine, ...]
    """By time; what counts as a contradiction, unsettled, unreadable or an unknown card above is a line here."""


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
    records = recorded_of_day(conn, the_site.id, day)
    matters = closing_list(conn, the_site.id, day, now_ms)
    extended_from_ms = to_ms(datetime.combine(day, time.fromisoformat(the_site.extended_from), JST))
    units = _units(conn, the_site.id, day)
    children = {row.id: row for row in _children(conn, sorted({each.movement.child for each in records}))}
    return SiteReport(
        code=the_site.code,
        name=the_site.name,
        figures=figures(records, extended_from_ms=extended_from_ms),
        unknown_cards=sum(each.kind is MatterKind.UNKNOWN_CARD for each in matters),
        unreadable=sum(each.kind is MatterKind.UNREADABLE for each in matters),
        silent_kiosks=_silent_kiosks(conn, the_site.id, day, now_ms),
        units=_unit_figures(records, units, extended_from_ms),
        children=_lines(children, records, units, extended_from_ms),
        closing=tuple(_matter_line(each, children.get(each.child)) for each in matters),
    )


def _unit_figures(
    records: Sequence[Recorded], units: Mapping[str, str], extended_from_ms: int
) -> tuple[UnitFigures, ...]:
    parts: dict[str, list[Recorded]] = {}
    for each in records:
        parts.setdefault(units.get(each.movement.child, ""), []).append(each)
    if not any(parts):
        return ()
    by_name = sorted(parts.items(), key=lambda part: (not part[0], part[0]))
    return tuple(UnitFigures(name, figures(part, extended_from_ms=extended_from_ms)) for name, part in by_name)


def _lines(
    children: Mapping[str, Row[Any]], records: Sequence[Recorded], units: Mapping[str, str], extended_from_ms: int
) -> tuple[ChildLine, ...]:
    movements = [each.movement for each in records]
    extended = extended_children(movements, extended_from_ms)
    doubtful = {each.movement.child for each in records if each.time.source is TimeSource.UNSETTLED}
    times = times_of(records)
    lines = []
    for presence in fold(movements).values():
        row = children[presence.child]
        entry_ms, exit_ms = presence.first_entry_ms, presence.last_exit_ms
        lines.append(
            ChildLine(
                number=row.number,
                name=row.name,
                kana=row.kana,
                school_class=row.school_class,
                unit=units.get(row.id, ""),
                first_entry=None if entry_ms is None else times[row.id, entry_ms],
                last_exit=None if exit_ms is None else times[row.id, exit_ms],
                still_in=presence.present,
                extended=row.id in extended,
                unsettled=row.id in doubtful,
            )
        )
    return tuple(sorted(lines, key=lambda line: (kana_key(line.kana), line.number)))


def _matter_line(matter: Matter, about: Row[Any] | None) -> MatterLine:
    if about is None:
        return MatterLine(matter, number="", name="", kana="")
    return MatterLine(matter, number=about.number, name=about.name, kana=about.kana)


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


def _silent_kiosks(conn: Connection, site_id: str, day: date, now_ms: int) -> int:
    """Count the kiosks that were in service on a day and have not been heard from since its end, or lately."""
    day_ends_ms = to_ms(day_bounds(day)[1])
    heard = conn.execute(
        select(kiosk.c.heard_at_ms).where(
            kiosk.c.site_id == site_id, kiosk.c.revoked_at_ms.is_(None), kiosk.c.enrolled_at_ms < day_ends_ms
        )
    )
    since = range(day_ends_ms, now_ms + 1)
    return sum(is_silent(at_ms, now_ms) and at_ms not in since for at_ms in heard.scalars())
