"""The office's page and its example say what the program does."""

from datetime import date
from pathlib import Path

import pytest

from attendance.catalogue import Language
from server.catalogues import catalogues
from server.reports.daily import DailyReport
from server.reports.tables import TableName, to_table
from server.roster.check import check
from server.roster.columns import REQUIRED, columns, title
from server.roster.table import MAX_ROWS, read_sheet
from tests.server import factories as make

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "office.md").read_text(encoding="utf-8")
WORDS = catalogues()[Language.JA]
OF_EVERY_ROW = {"day", "site_code", "site", "unit"}


@pytest.mark.parametrize("column", list(columns()))
def test_every_column_of_a_roster_is_in_the_table_with_whether_it_is_needed(column: str) -> None:
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| {title(WORDS, column)} |")]
    assert (line.split("|")[2].strip() == "○") is (column in REQUIRED)


@pytest.mark.parametrize("name", list(TableName))
def test_every_column_of_the_report_is_explained(name: TableName) -> None:
    table = to_table(DailyReport(make.DAY, make.NOON_MS, ()), name, WORDS)
    known = {WORDS.text(f"report.column.{column}") for column in OF_EVERY_ROW}
    assert [heading for heading in table.header if heading not in known and heading not in PAGE] == []
    assert table.title in PAGE


def test_the_example_is_a_roster_without_mistakes_that_shows_every_column() -> None:
    found = check(read_sheet(DOCS / "examples" / "roster-example.csv", WORDS), catalogues(), WORDS, date(2026, 4, 15))
    assert len(found.rows) == 4
    assert found.unused == ()
    sheet = read_sheet(DOCS / "examples" / "roster-example.csv", WORDS)
    assert set(sheet.header) == {title(WORDS, column) for column in columns()}


def test_the_most_rows_are_those_the_page_names() -> None:
    assert f"{MAX_ROWS:,} 行まで" in PAGE


@pytest.mark.parametrize("message", ["made_a_date", "duplicate", "number_of_another", "encoding", "unused"])
def test_what_the_page_helps_with_is_what_the_program_says(message: str) -> None:
    said = WORDS.text(f"roster.{message}", value="V", rows="R", site="S", file="F", columns="C")
    helps = [line.split("|")[1].strip() for line in PAGE.partition("## こんなときは")[2].splitlines() if "|" in line]
    assert any(all(part in said for part in help_.split("…")) for help_ in helps)
