"""The daily report as two tables, figures and children, as CSV and Excel both write them; pure."""

from dataclasses import dataclass, field
from datetime import date, time
from enum import StrEnum

from attendance.catalogue import Catalogue
from attendance.clock import JST, from_ms
from server.reports.daily import ChildLine, DailyReport, SiteReport
from server.reports.figures import Figures

Cell = str | int | date | time | None

_FIGURES = (
    *("day", "site_code", "site", "unit", "present_ever", "entries", "exits", "double_reads", "peak", "peak_at"),
    *("extended", "still_in", "unsettled", "unknown_cards", "silent_kiosks"),
)
_CHILDREN = (
    *("day", "site_code", "site", "unit", "number", "name", "kana", "school_class", "first_entry", "last_exit"),
    *("extended", "still_in", "unsettled"),
)


class TableName(StrEnum):
    """Which table."""

    FIGURES = "figures"
    CHILDREN = "children"


@dataclass(frozen=True, slots=True)
class Table:
    """Titles and rows in the reader's language; times are those of the clock on the site's wall."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...] = field(repr=False)


def to_table(report: DailyReport, name: TableName, words: Catalogue) -> Table:
    """Return a table of the report: a row for each site and each of its units, or a row for each child."""
    columns: tuple[str, ...]
    if name is TableName.FIGURES:
        columns = _FIGURES
        rows = [row for each in report.sites for row in _figure_rows(report.day, each, words)]
    else:
        columns = _CHILDREN
        rows = [_child_row(report.day, each, line, words) for each in report.sites for line in each.children]
    return Table(
        title=words.text(f"report.table.{name}"),
        header=tuple(words.text(f"report.column.{column}") for column in columns),
        rows=tuple(rows),
    )


def _figure_rows(day: date, each: SiteReport, words: Catalogue) -> list[tuple[Cell, ...]]:
    whole = _figure_row(day, each, words.text("report.whole_site"), each.figures)
    parts = [
        (*_figure_row(day, each, part.name or words.text("report.no_unit"), part.figures), None, None)
        for part in each.units
    ]
    return [(*whole, each.unknown_cards, each.silent_kiosks), *parts]


def _figure_row(day: date, each: SiteReport, unit: str, counted: Figures) -> tuple[Cell, ...]:
    return (
        *(day, each.code, each.name, unit, counted.present_ever, counted.entries, counted.exits, counted.double_reads),
        *(counted.peak, _wall_time(counted.peak_at_ms), counted.extended, counted.still_in, counted.unsettled),
    )


def _child_row(day: date, each: SiteReport, line: ChildLine, words: Catalogue) -> tuple[Cell, ...]:
    yes = words.text("report.yes")
    marks = (yes if holds else None for holds in (line.extended, line.still_in, line.unsettled))
    return (
        *(day, each.code, each.name, line.unit, line.number, line.name, line.kana, line.school_class),
        *(_wall_time(line.first_entry_ms), _wall_time(line.last_exit_ms), *marks),
    )


def _wall_time(at_ms: int | None) -> time | None:
    if at_ms is None:
        return None
    at = from_ms(at_ms).astimezone(JST)
    return time(at.hour, at.minute)
