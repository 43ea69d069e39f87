"""The daily report as CSV: UTF-8 with BOM, which Excel knows by it, or CP932 for programs that know nothing else."""

import csv
import io
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum

from attendance.catalogue import Catalogue
from server.reports.daily import DailyReport
from server.reports.tables import Cell, Table, TableName, to_table

GETA = "\N{GETA MARK}"
"""What Japanese printing sets where a character is missing."""
_FORMULA_SIGNS = tuple(
    "=+-@\t\r\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}"
)
_SAME_SIGNS = str.maketrans(
    # The same signs as JIS has them and as CP932 has them: no reader sees a difference.
    {
        "\N{WAVE DASH}": "\N{FULLWIDTH TILDE}",
        "\N{MINUS SIGN}": "\N{FULLWIDTH HYPHEN-MINUS}",
        "\N{EM DASH}": "\N{HORIZONTAL BAR}",
        "\N{DOUBLE VERTICAL LINE}": "\N{PARALLEL TO}",
    }
)


class Encoding(StrEnum):
    """What a CSV file may be written in."""

    UTF_8_SIG = "utf-8-sig"
    CP932 = "cp932"


@dataclass(frozen=True, slots=True)
class Unwritable:
    """A character that the encoding does not have; a geta mark stands in its place."""

    row: int
    """As a person sees it in Excel: the titles are row 1."""
    column: str
    character: str


@dataclass(frozen=True, slots=True)
class Written:
    """A CSV file and what is missing in it."""

    content: bytes
    unwritable: tuple[Unwritable, ...]


def to_csv(
    report: DailyReport,
    words: Catalogue,
    *,
    table: TableName = TableName.FIGURES,
    encoding: Encoding = Encoding.UTF_8_SIG,
) -> Written:
    """Return a table of the report as a file, and each character that could not be written."""
    return write_table(to_table(report, table, words), encoding)


def write_table(table: Table, encoding: Encoding) -> Written:
    """Return a table as a file, and each character that could not be written."""
    unwritable: list[Unwritable] = []
    lines = []
    for number, cells in enumerate((table.header, *table.rows), start=1):
        line = []
        for title, cell in zip(table.header, cells, strict=True):
            text, missing = _writable(_text(cell), encoding)
            unwritable += [Unwritable(number, title, character) for character in missing]
            line.append(text)
        lines.append(line)
    out = io.StringIO(newline="")
    csv.writer(out).writerows(lines)
    return Written(out.getvalue().encode(encoding), tuple(unwritable))


def harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: with an apostrophe before it where it could."""
    return f"'{text}" if text.startswith(_FORMULA_SIGNS) else text


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case time():
            return cell.isoformat("minutes")
        case date():
            return cell.isoformat()
        case int():
            return str(cell)
        case _:
            return harmless(cell)


def _writable(text: str, encoding: Encoding) -> tuple[str, list[str]]:
    if encoding is Encoding.UTF_8_SIG:
        return text, []
    plain = text.translate(_SAME_SIGNS)
    missing = [character for character in plain if not _has(encoding, character)]
    for character in missing:
        plain = plain.replace(character, GETA)
    return plain, missing


def _has(encoding: Encoding, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
