"""Reading a roster file as it comes from an office PC: CSV in UTF-8 (with or without BOM) or CP932, or .xlsx."""

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from attendance.catalogue import Catalogue
from server.errors import RosterRefused

MAX_ROWS = 20_000
_ENCODINGS = ("utf-8-sig", "cp932")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file as text cells; `rows` carry the row number that a person sees in Excel."""

    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]


def read_sheet(path: Path, words: Catalogue) -> Sheet:
    """Return the first sheet of a file. Raises: RosterRefused with one sentence when it cannot be read."""
    try:
        excel = path.suffix.lower() in {".xlsx", ".xlsm"}
        lines = list(_excel_rows(path) if excel else _csv_rows(path, words))
    except FileNotFoundError as error:
        raise RosterRefused([words.text("roster.no_file", file=path.name)]) from error
    except (OSError, zipfile.BadZipFile, InvalidFileException, csv.Error, KeyError, ValueError) as error:
        raise RosterRefused([words.text("roster.unreadable", file=path.name)]) from error
    filled = [(number, cells) for number, cells in lines if any(cells)]
    if not filled:
        raise RosterRefused([words.text("roster.empty", file=path.name)])
    if len(filled) > MAX_ROWS:
        raise RosterRefused([words.text("roster.too_long", most=MAX_ROWS)])
    (_, header), *rows = filled
    return Sheet(header=header, rows=tuple(rows))


def _csv_rows(path: Path, words: Catalogue) -> Iterator[tuple[int, tuple[str, ...]]]:
    text = _decoded(path.read_bytes(), path.name, words)
    first_line = text.partition("\n")[0]
    delimiter = "\t" if first_line.count("\t") > first_line.count(",") else ","
    for number, cells in enumerate(
        csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), start=1
    ):
        yield number, tuple(cell.strip() for cell in cells)


def _decoded(raw: bytes, name: str, words: Catalogue) -> str:
    for encoding in _ENCODINGS:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise RosterRefused([words.text("roster.encoding", file=name)])


def _excel_rows(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        for number, row in enumerate(book.worksheets[0].iter_rows(values_only=True), start=1):
            yield number, tuple(_cell_text(value) for value in row)
    finally:
        book.close()


def _cell_text(value: object) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return value.date().isoformat()
        case date():
            return value.isoformat()
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value).strip()
