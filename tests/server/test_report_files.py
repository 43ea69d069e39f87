"""The files of the daily report, opened again as the office's programs open them."""

import csv
import io
import json
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance.catalogue import Language
from attendance.records import MadeBy
from server.catalogues import catalogues
from server.closing import Matter, MatterKind
from server.reports.daily import ChildLine, DailyReport, MatterLine, SiteReport, UnitFigures
from server.reports.figures import Figures
from server.reports.tables import Table, TableName, to_table
from server.reports.write_csv import GETA, Encoding, Unwritable, harmless, to_csv, write_table
from server.reports.write_json import to_json
from server.reports.write_xlsx import to_xlsx
from server.timeline import BestTime, TimeSource
from tests.server import factories as make

WORDS = catalogues()[Language.EN]
MINUTE_MS = 60_000
FIGURES = Figures(
    present_ever=3,
    entries=4,
    exits=3,
    double_reads=1,
    peak=2,
    peak_at=BestTime(make.NOON_MS + 4 * MINUTE_MS + 59_000, TimeSource.WALL, 20),
    extended=1,
    still_in=1,
    unsettled=0,
    contradictions=1,
)
LINE = ChildLine(
    number="R8-1",
    name="髙橋 花",
    kana="たかはし はな",
    school_class="1-1",
    unit="ひまわり",
    first_entry=BestTime(make.NOON_MS, TimeSource.ANCHOR, 1500),
    last_exit=None,
    still_in=True,
    extended=False,
    unsettled=False,
)
MATTER = Matter(
    kind=MatterKind.ENTRY_AGAIN,
    record="5e55:7",
    time=BestTime(make.NOON_MS + 30 * MINUTE_MS, TimeSource.UNSETTLED, None),
    child="child",
    before=BestTime(make.NOON_MS, TimeSource.ANCHOR, 1500),
    kiosk="裏口",
    by=MadeBy.STAFF,
)
SITE = SiteReport(
    code="HARU",
    name="はるのクラブ",
    figures=FIGURES,
    unknown_cards=2,
    unreadable=0,
    silent_kiosks=1,
    units=(UnitFigures("ひまわり", FIGURES), UnitFigures("", FIGURES)),
    children=(LINE,),
    closing=(MatterLine(MATTER, number="R8-1", name="髙橋 花", kana="たかはし はな"),),
)
REPORT = DailyReport(day=make.DAY, made_at_ms=make.NOON_MS, sites=(SITE,))


def report_of(**values: Any) -> DailyReport:
    """The report with another child in it."""
    return replace(REPORT, sites=(replace(SITE, children=(replace(LINE, **values),)),))


def read_csv(content: bytes, encoding: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(encoding), newline="")))


def children_csv(report: DailyReport, encoding: Encoding = Encoding.UTF_8_SIG) -> list[dict[str, str]]:
    written = to_csv(report, WORDS, table=TableName.CHILDREN, encoding=encoding)
    return read_csv(written.content, encoding)


def open_xlsx(content: bytes) -> dict[str, list[list[Any]]]:
    book = openpyxl.load_workbook(io.BytesIO(content))
    try:
        return {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book.worksheets}
    finally:
        book.close()


def test_csv_has_a_row_for_the_site_and_one_for_each_unit() -> None:
    content = to_csv(REPORT, WORDS).content
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"\r\n") == content.count(b"\n") == 4
    rows = read_csv(content, "utf-8-sig")
    assert [row["Unit"] for row in rows] == ["whole site", "ひまわり", "no unit"]
    assert rows[0] == {
        "Day": "2026-04-15",
        "Site code": "HARU",
        "Site": "はるのクラブ",
        "Unit": "whole site",
        "Children here": "3",
        "Entries": "4",
        "Exits": "3",
        "Of these read twice": "1",
        "Peak": "2",
        "Peak at": "12:04",
        "Extended stay": "1",
        "No exit": "1",
        "Time not settled": "0",
        "Unknown cards": "2",
        "Silent kiosks": "1",
        "Records that do not fit": "1",
        "Unreadable records": "0",
        "Peak at, error (s)": "1",
    }
    assert (rows[1]["Unknown cards"], rows[1]["Silent kiosks"]) == ("", "")


def test_csv_of_children_has_a_row_for_each_child() -> None:
    assert children_csv(REPORT) == [
        {
            "Day": "2026-04-15",
            "Site code": "HARU",
            "Site": "はるのクラブ",
            "Unit": "ひまわり",
            "Number": "R8-1",
            "Name": "髙橋 花",
            "Kana": "たかはし はな",
            "Class": "1-1",
            "First entry": "12:00",
            "Last exit": "",
            "Extended stay": "",
            "No exit": "yes",
            "Time not settled": "",
            "First entry, error (s)": "2",
            "Last exit, error (s)": "",
        }
    ]


def test_csv_of_what_to_check_has_a_row_for_each_matter() -> None:
    written = to_csv(REPORT, WORDS, table=TableName.CLOSING)
    assert read_csv(written.content, "utf-8-sig") == [
        {
            "Day": "2026-04-15",
            "Site code": "HARU",
            "Site": "はるのクラブ",
            "What": "Came again without having left",
            "Number": "R8-1",
            "Name": "髙橋 花",
            "Kana": "たかはし はな",
            "Time": "12:30",
            "Error (s)": "not known",
            "Time before": "12:00",
            "Time before, error (s)": "2",
            "Kiosk": "裏口",
            "Made by": "by staff",
            "Card": "",
            "Record": "5e55:7",
        }
    ]


@pytest.mark.parametrize("kind", list(MatterKind))
@pytest.mark.parametrize("language", list(Language))
def test_every_matter_is_told_in_words(kind: MatterKind, language: Language) -> None:
    line = MatterLine(replace(MATTER, kind=kind), number="", name="", kana="")
    report = replace(REPORT, sites=(replace(SITE, closing=(line,)),))
    (row,) = to_table(report, TableName.CLOSING, catalogues()[language]).rows
    assert row[3] == catalogues()[language].text(f"report.matter.{kind}")


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("name", list(TableName))
def test_titles_are_there_in_every_language_and_differ(language: Language, name: TableName) -> None:
    table = to_table(REPORT, name, catalogues()[language])
    assert len(set(table.header)) == len(table.header)
    assert {len(row) for row in table.rows} == {len(table.header)}


def test_cp932_writes_the_rare_characters_it_has() -> None:
    report = report_of(name="髙橋 﨑 ①㈱")
    assert children_csv(report, Encoding.CP932)[0]["Name"] == "髙橋 﨑 ①㈱"
    assert to_csv(report, WORDS, table=TableName.CHILDREN, encoding=Encoding.CP932).unwritable == ()


def test_what_cp932_lacks_is_marked_and_told_by_row_and_column() -> None:
    written = to_csv(report_of(name="𠮷野 é花é"), WORDS, table=TableName.CHILDREN, encoding=Encoding.CP932)
    assert read_csv(written.content, "cp932")[0]["Name"] == f"{GETA}野 {GETA}花{GETA}"
    assert written.unwritable == (Unwritable(2, "Name", "𠮷"), Unwritable(2, "Name", "é"), Unwritable(2, "Name", "é"))


def test_signs_that_jis_and_cp932_number_differently_are_written() -> None:
    written = write_table(Table("t", ("a",), (("9時〜18時−—‖",),)), Encoding.CP932)
    assert written.content.decode("cp932").splitlines()[1] == "9時～18時－―∥"
    assert written.unwritable == ()


@pytest.mark.parametrize("name", ["=1+1", "+81", "-1", "@SUM(A1)", "\t=1", "＝1+1", "＋1", "－1", "＠a"])
def test_a_name_that_a_spreadsheet_would_run_is_made_harmless(name: str) -> None:
    assert children_csv(report_of(name=name))[0]["Name"] == f"'{name}"
    sheet = openpyxl.load_workbook(io.BytesIO(to_xlsx(report_of(name=name), WORDS))).worksheets[1]
    cell = sheet.cell(2, 6)
    assert (cell.value, cell.data_type, cell.quotePrefix) == (name, "s", True)


def test_other_names_stay_as_they_are() -> None:
    assert harmless("1-1") == "1-1"
    assert harmless("") == ""


def test_a_workbook_has_all_tables() -> None:
    sheets = open_xlsx(to_xlsx(REPORT, WORDS))
    assert list(sheets) == ["Day", "Children", "To check"]
    titles, whole, *_ = sheets["Day"]
    assert dict(zip(titles, whole, strict=True)) | {"Day": None} == {
        "Day": None,
        "Site code": "HARU",
        "Site": "はるのクラブ",
        "Unit": "whole site",
        "Children here": 3,
        "Entries": 4,
        "Exits": 3,
        "Of these read twice": 1,
        "Peak": 2,
        "Peak at": time(12, 4),
        "Extended stay": 1,
        "No exit": 1,
        "Time not settled": 0,
        "Unknown cards": 2,
        "Silent kiosks": 1,
        "Records that do not fit": 1,
        "Unreadable records": 0,
        "Peak at, error (s)": 1,
    }
    assert whole[0] == datetime(2026, 4, 15)  # noqa: DTZ001 - a workbook's days have no zone


def test_a_class_such_as_1_1_is_text_in_a_workbook() -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(to_xlsx(REPORT, WORDS))).worksheets[1]
    place = [cell.value for cell in sheet[1]].index("Class") + 1
    cell = sheet.cell(2, place)
    assert (cell.value, cell.data_type, cell.number_format) == ("1-1", "s", "@")


def test_a_workbook_is_ready_to_be_read_and_printed() -> None:
    book = openpyxl.load_workbook(io.BytesIO(to_xlsx(REPORT, catalogues()[Language.JA])))
    for sheet in book.worksheets:
        assert sheet.freeze_panes == "A2"
        assert sheet.auto_filter.ref == sheet.dimensions
        assert (sheet.page_setup.orientation, sheet.print_title_rows) == ("landscape", "$1:$1")
        assert all(sheet.column_dimensions[letter].width > 3 for letter in "ABCDEFGHIJKLM")
    assert book.properties.creator == catalogues()[Language.JA].text("web.title")


@settings(max_examples=40)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_name_can_be_written_everywhere(name: str) -> None:
    report = report_of(name=name, unit=name, school_class=name)
    sheet = openpyxl.load_workbook(io.BytesIO(to_xlsx(report, WORDS))).worksheets[1]
    assert sheet.cell(2, 6).data_type in {"s", "n"}
    assert json.loads(to_json(report))["sites"][0]["children"][0]["name"] == name
    (row,) = children_csv(report)
    assert row["Name"] == harmless(name)
    written = to_csv(report, WORDS, table=TableName.CHILDREN, encoding=Encoding.CP932)
    lost = written.content.decode("cp932").count(GETA)
    assert lost == len(written.unwritable) + 3 * name.count(GETA)


def test_json_is_for_programs_with_local_time_in_full() -> None:
    document = json.loads(to_json(REPORT))
    assert (document["day"], document["made_at"]) == ("2026-04-15", "2026-04-15T12:00:00+09:00")
    (site,) = document["sites"]
    assert {name: site[name] for name in ("site", "entries", "exits", "present_ever", "still_in", "unknown_cards")} == {
        "site": "HARU",
        "entries": 4,
        "exits": 3,
        "present_ever": 3,
        "still_in": 1,
        "unknown_cards": 2,
    }
    assert site["peak_at"] == "2026-04-15T12:04:59+09:00"
    assert (site["peak_at_err_ms"], site["peak_at_source"]) == (20, "wall")
    assert [part["unit"] for part in site["units"]] == ["ひまわり", ""]
    assert site["children"][0] == {
        "number": "R8-1",
        "name": "髙橋 花",
        "kana": "たかはし はな",
        "school_class": "1-1",
        "unit": "ひまわり",
        "first_entry": "2026-04-15T12:00:00+09:00",
        "first_entry_err_ms": 1500,
        "first_entry_source": "anchor",
        "last_exit": None,
        "last_exit_err_ms": None,
        "last_exit_source": None,
        "still_in": True,
        "extended": False,
        "unsettled": False,
    }
    assert site["closing"] == [
        {
            "key": "entry_again:5e55:7",
            "kind": "entry_again",
            "record": "5e55:7",
            "number": "R8-1",
            "name": "髙橋 花",
            "kana": "たかはし はな",
            "at": "2026-04-15T12:30:00+09:00",
            "at_err_ms": None,
            "at_source": "unsettled",
            "before": "2026-04-15T12:00:00+09:00",
            "before_err_ms": 1500,
            "before_source": "anchor",
            "kiosk": "裏口",
            "by": "staff",
            "card": "",
        }
    ]


def test_no_table_shows_its_rows_by_itself() -> None:
    for name in TableName:
        assert "髙橋" not in repr(to_table(REPORT, name, WORDS))
    assert "髙橋" not in repr(REPORT)


def test_a_report_of_no_site_is_an_empty_file() -> None:
    nothing = DailyReport(day=date(2026, 4, 15), made_at_ms=make.NOON_MS, sites=())
    assert read_csv(to_csv(nothing, WORDS).content, "utf-8-sig") == []
    assert all(len(rows) == 1 for rows in open_xlsx(to_xlsx(nothing, WORDS)).values())
    assert json.loads(to_json(nothing))["sites"] == []
