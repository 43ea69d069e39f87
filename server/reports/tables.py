"""The daily report as tables, as CSV and Excel both write them: figures, children, and what to check; pure."""

from dataclasses import dataclass, field
from datetime import date, time
from enum import StrEnum
from typing import assert_never

from attendance.catalogue import Catalogue
from attendance.clock import local_time
from server.reports.daily import ChildLine, DailyReport, MatterLine, SiteReport
from server.reports.figures import Figures
from server.timeline import BestTime

Cell = str | int | date | time | None

_FIGURES = (
    *("day", "site_code", "site", "unit", "present_ever", "entries", "exits", "double_reads", "peak", "peak_at"),
    *("extended", "still_in", "unsettled", "unknown_cards", "silent_kiosks"),
    *("contradictions", "unreadable", "peak_at_err_s"),
)
_CHILDREN = (
    *("day", "site_code", "site", "unit", "number", "name", "kana", "school_class", "first_entry", "last_exit"),
    *("extended", "still_in", "unsettled", "first_entry_err_s", "last_exit_err_s"),
)
_CLOSING = (
    *("day", "site_code", "site", "matter", "number", "name", "kana", "time", "time_err_s"),
    *("before", "before_err_s", "kiosk", "made_by", "card", "record"),
)


class TableName(StrEnum):
    """Which table."""

    FIGURES = "figures"
    CHILDREN = "children"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class Table:
    """Titles and rows in the reader's language; times are those of the clock on the site's wall."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...] = field(repr=False)


def to_table(report: DailyReport, name: TableName, words: Catalogue) -> Table:
    """Return a table of the report: a row for each site and each of its units, for each child, or for each matter."""
    columns: tuple[str, ...]
    match name:
        case TableName.FIGURES:
            columns = _FIGURES
            rows = [row for each in report.sites for row in _figure_rows(report.day, each, words)]
        case TableName.CHILDREN:
            columns = _CHILDREN
            rows = [_child_row(report.day, each, line, words) for each in report.sites for line in each.children]
        case TableName.CLOSING:
            columns = _CLOSING
            rows = [_closing_row(report.day, each, line, words) for each in report.sites for line in each.closing]
        case _:
            assert_never(name)
    return Table(
        title=words.text(f"report.table.{name}"),
        header=tuple(words.text(f"report.column.{column}") for column in columns),
        rows=tuple(rows),
    )


def _figure_rows(day: date, each: SiteReport, words: Catalogue) -> list[tuple[Cell, ...]]:
    whole = (each.unknown_cards, each.silent_kiosks, each.figures.contradictions, each.unreadable)
    rows = [(*_figure_row(day, each, words.text("report.whole_site"), each.figures), *whole)]
    for part in each.units:
        unit = part.name or words.text("report.no_unit")
        rows.append((*_figure_row(day, each, unit, part.figures), None, None, part.figures.contradictions, None))
    peaks = [each.figures.peak_at, *(part.figures.peak_at for part in each.units)]
    return [(*row, _err_s(peak, words)) for row, peak in zip(rows, peaks, strict=True)]


def _figure_row(day: date, each: SiteReport, unit: str, counted: Figures) -> tuple[Cell, ...]:
    return (
        *(day, each.code, each.name, unit, counted.present_ever, counted.entries, counted.exits, counted.double_reads),
        *(counted.peak, _wall_time(counted.peak_at), counted.extended, counted.still_in, counted.unsettled),
    )


def _child_row(day: date, each: SiteReport, line: ChildLine, words: Catalogue) -> tuple[Cell, ...]:
    yes = words.text("report.yes")
    marks = (yes if holds else None for holds in (line.extended, line.still_in, line.unsettled))
    return (
        *(day, each.code, each.name, line.unit, line.number, line.name, line.kana, line.school_class),
        *(_wall_time(line.first_entry), _wall_time(line.last_exit), *marks),
        *(_err_s(line.first_entry, words), _err_s(line.last_exit, words)),
    )


def _closing_row(day: date, each: SiteReport, line: MatterLine, words: Catalogue) -> tuple[Cell, ...]:
    matter = line.matter
    return (
        *(day, each.code, each.name, words.text(f"report.matter.{matter.kind}"), line.number, line.name, line.kana),
        *(_wall_time(matter.time), _err_s(matter.time, words), _wall_time(matter.before), _err_s(matter.before, words)),
        matter.kiosk,
        *(None if matter.by is None else words.text(f"web.by.{matter.by}"), matter.card, matter.record),
    )


def _err_s(at: BestTime | None, words: Catalogue) -> Cell:
    """Return by how many seconds, rounded up, a time may be off, or a word when nobody knows."""
    if at is None:
        return None
    return words.text("report.no_bound") if at.err_ms is None else -(-at.err_ms // 1000)


def _wall_time(at: BestTime | None) -> time | None:
    if at is None:
        return None
    shown = local_time(at.at_ms)
    return time(shown.hour, shown.minute)
