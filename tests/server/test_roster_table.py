"""Roster files as offices make them, and files that are none."""

import csv
import io
import zipfile
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.catalogue import Language
from server.catalogues import catalogues
from server.errors import RosterRefused
from server.roster import table
from server.roster.table import MAX_ROWS, Sheet, read_sheet

WORDS = catalogues()[Language.EN]
TITLES = ("番号", "氏名")
# The first two of these three are in CP932; the last is in Unicode alone.
HASHIGO, TATSU, TSUCHI_YOSHI = "髙橋", "山﨑", "𠮷野"


def write_csv(path: Path, rows: list[tuple[str, ...]], encoding: str = "utf-8", delimiter: str = ",") -> Path:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def write_xlsx(path: Path, rows: Sequence[tuple[object, ...]]) -> Path:
    book = openpyxl.Workbook()
    for number, cells in enumerate(rows, start=1):
        for column, value in enumerate(cells, start=1):
            book.worksheets[0].cell(number, column).value = value  # type: ignore[assignment]
    book.save(path)
    book.close()
    return path


def refusal(path: Path) -> str:
    with pytest.raises(RosterRefused) as refused:
        read_sheet(path, WORDS)
    (sentence,) = refused.value.problems
    return sentence


def problems_of(path: Path) -> int:
    """How many sentences a file is refused with; none when it is read."""
    try:
        read_sheet(path, WORDS)
    except RosterRefused as refused:
        return len(refused.problems)
    return 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
def test_a_csv_file_is_read_in_any_encoding_an_office_saves(tmp_path: Path, encoding: str) -> None:
    path = write_csv(tmp_path / "roster.csv", [TITLES, ("1", HASHIGO), ("2", TATSU)], encoding)
    assert read_sheet(path, WORDS) == Sheet(header=TITLES, rows=((2, ("1", HASHIGO)), (3, ("2", TATSU))))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_rare_character_comes_through_as_it_is(tmp_path: Path, encoding: str) -> None:
    path = write_csv(tmp_path / "roster.csv", [TITLES, ("1", TSUCHI_YOSHI)], encoding)
    assert read_sheet(path, WORDS).rows == ((2, ("1", TSUCHI_YOSHI)),)


def test_tabs_part_cells_too(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "roster.txt", [TITLES, ("1", "a,b")], delimiter="\t")
    assert read_sheet(path, WORDS).rows == ((2, ("1", "a,b")),)


def test_rows_are_counted_as_excel_shows_them(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_text('番号,氏名\n\n1,"two\nlines"\n,\n2,b\n', encoding="utf-8")
    assert [number for number, _ in read_sheet(path, WORDS).rows] == [3, 5]


def test_rows_of_a_workbook_are_counted_as_excel_shows_them(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "roster.xlsx", [TITLES, ("1", "a"), (None, None), (None, None), ("2", "b")])
    assert [number for number, _ in read_sheet(path, WORDS).rows] == [2, 5]


def test_a_workbook_is_read_with_its_days_and_numbers(tmp_path: Path) -> None:
    rows = [TITLES, (1, datetime(2026, 4, 1)), (2.0, date(2026, 4, 1)), (2.5, HASHIGO), (True, None)]  # noqa: DTZ001
    path = write_xlsx(tmp_path / "roster.xlsx", rows)
    assert [cells for _, cells in read_sheet(path, WORDS).rows] == [
        ("1", "2026-04-01"),
        ("2", "2026-04-01"),
        ("2.5", HASHIGO),
        ("True", ""),
    ]


def test_a_workbook_is_known_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "roster.xlsx", [TITLES, ("1", "a")])
    assert read_sheet(path.rename(tmp_path / "roster.csv"), WORDS).rows == ((2, ("1", "a")),)


def test_the_longest_file_that_may_be_is_read_and_one_row_more_is_refused(tmp_path: Path) -> None:
    children = [(str(number), "a") for number in range(MAX_ROWS)]
    assert len(read_sheet(write_csv(tmp_path / "a.csv", [TITLES, *children]), WORDS).rows) == MAX_ROWS
    assert "too many rows" in refusal(write_csv(tmp_path / "b.csv", [TITLES, *children, ("x", "a")]))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "list.csv was not found" in refusal(tmp_path / "list.csv")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n\n", b",,\n", "番号,氏名\n".encode()])
def test_a_file_that_names_nobody_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes(content)
    assert "names no child" in refusal(path)


@pytest.mark.parametrize(
    "content",
    [b"\x80\x81\xff\xfe" * 100, b"\xff\xfe\x00", b'a,"b\n', b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99)],
    ids=["garbage", "half a UTF-16", "open quote", "old .xls"],
)
def test_garbage_is_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "roster.csv"
    path.write_bytes(content)
    assert refusal(path)


def test_a_zip_that_is_no_workbook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "roster.xlsx"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("holiday.txt", "sea")
    assert "cannot be read" in refusal(path)


def test_a_workbook_made_to_fill_the_memory_is_refused_unopened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MAX_UNPACKED_BYTES", 100_000)
    path = write_xlsx(tmp_path / "roster.xlsx", [TITLES, ("1", "a")])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/media/zeros.png", bytes(200_000))
    assert "too big" in refusal(path)


def test_a_huge_file_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MAX_FILE_BYTES", 1000)
    path = tmp_path / "roster.csv"
    path.write_bytes(b"a" * 1001)
    assert "too big" in refusal(path)


@given(cut=st.integers(0, 6000), place=st.integers(0, 6000), put=st.binary(min_size=1, max_size=8))
def test_a_damaged_workbook_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, cut: int, place: int, put: bytes
) -> None:
    path = write_xlsx(tmp_path_factory.mktemp("damaged") / "roster.xlsx", [TITLES, ("1", "a")])
    raw = bytearray(path.read_bytes())
    raw[place : place + len(put)] = put
    path.write_bytes(bytes(raw[: max(len(raw) - cut, 0)] if cut % 2 else raw))
    assert problems_of(path) <= 1


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_and_nothing_else(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "roster.csv"
    path.write_bytes(raw)
    assert problems_of(path) <= 1


def test_a_sheet_shows_no_row_of_its_own() -> None:
    assert HASHIGO not in repr(Sheet(header=TITLES, rows=((2, ("1", HASHIGO)),)))
