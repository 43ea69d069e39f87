"""Reading a roster file as it comes from an office PC: CSV or TSV (UTF-8, CP932, Excel's UTF-16), or .xlsx."""

import csv
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from xml.etree.ElementTree import ParseError

import openpyxl

from attendance.catalogue import Catalogue
from server.errors import RosterRefused

MAX_ROWS = 2_000
"""A site has a few hundred children, and while a file is brought in kiosks wait: some 2 ms a row."""
MAX_FILE_BYTES = 20_000_000
MAX_UNPACKED_BYTES = 200_000_000
"""Of a workbook, which is a zip: one of a few kilobytes may be made to fill any memory."""

_ENCODINGS = ("utf-8-sig", "cp932")
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_ZIP_MARK = b"PK\x03\x04"

Line = tuple[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file as text cells; `rows` carry the row number that a person sees in Excel."""

    header: tuple[str, ...]
    rows: tuple[Line, ...] = field(repr=False)


class _Refused(Exception):
    """The file as a whole is no roster; the text is the id of a sentence."""


def read_sheet(path: Path, words: Catalogue) -> Sheet:
    """Return the first sheet of a file. Raises: RosterRefused with one sentence when it cannot be read."""
    try:
        return _sheet(_lines(_content(path)))
    except _Refused as refusal:
        raise RosterRefused([words.text(f"roster.{refusal}", file=path.name, most=MAX_ROWS)]) from refusal


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise _Refused("no_file") from error
    except OSError as error:
        raise _Refused("unreadable") from error
    if len(raw) > MAX_FILE_BYTES:
        raise _Refused("too_big")
    return raw


def _sheet(lines: Iterable[Line]) -> Sheet:
    filled: list[Line] = []
    for number, cells in lines:
        if any(cells):
            filled.append((number, cells))
        if len(filled) > MAX_ROWS + 1:
            raise _Refused("too_long")
    if len(filled) < 2:  # titles and a child
        raise _Refused("empty")
    (_, header), *rows = filled
    return Sheet(header=header, rows=tuple(rows))


def _lines(raw: bytes) -> Iterator[Line]:
    """Yield the rows of a file, which is told by its content: names of files are often wrong."""
    if not raw.startswith(_ZIP_MARK):
        yield from _text_lines(raw)
        return
    try:
        yield from _excel_lines(raw)
    # What openpyxl and the libraries below it answer to a file that is broken, locked or no workbook at all.
    except (
        *(OSError, EOFError, ParseError, zipfile.BadZipFile, zlib.error),
        *(LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError),
    ) as error:
        raise _Refused("unreadable") from error


def _text_lines(raw: bytes) -> Iterator[Line]:
    text = _decoded(raw)
    first_line = text.partition("\n")[0]
    delimiter = "\t" if first_line.count("\t") > first_line.count(",") else ","
    records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for number, cells in enumerate(records, start=1):
            yield number, tuple(cell.strip() for cell in cells)
    except csv.Error as error:
        raise _Refused("unreadable") from error


def _decoded(raw: bytes) -> str:
    encodings = ("utf-16",) if raw.startswith(_UTF_16_MARKS) else _ENCODINGS
    for encoding in encodings:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _Refused("encoding")


def _excel_lines(raw: bytes) -> Iterator[Line]:
    with zipfile.ZipFile(io.BytesIO(raw)) as packed:
        if sum(member.file_size for member in packed.infolist()) > MAX_UNPACKED_BYTES:
            raise _Refused("too_big")
    book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
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
