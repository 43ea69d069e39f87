"""The daily report as an Excel workbook without macros: a sheet for each table."""

import io
import re
from datetime import date, time

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from attendance.catalogue import Catalogue
from attendance.clock import from_ms
from server.reports.daily import DailyReport
from server.reports.tables import Cell, Table, TableName, to_table

_WIDEST = 40
_TEXT = "@"
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # what XML 1.0 has no way to write


def to_xlsx(report: DailyReport, words: Catalogue) -> bytes:
    """Return all tables of the report as a workbook."""
    book = Workbook()
    book.remove(book.worksheets[0])
    book.properties.creator = words.text("web.title")
    book.properties.created = from_ms(report.made_at_ms).replace(tzinfo=None)  # the format knows UTC alone
    for name in TableName:
        table = to_table(report, name, words)
        _fill(book.create_sheet(table.title), table)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _fill(sheet: Worksheet, table: Table) -> None:
    for row, cells in enumerate((table.header, *table.rows), start=1):
        for column, value in enumerate(cells, start=1):
            _put(sheet, row, column, value)
    for column, title in enumerate(table.header, start=1):
        head = sheet.cell(1, column)
        head.font = Font(bold=True)
        head.alignment = Alignment(wrap_text=True, vertical="top")
        widest = max([_width(title) / 2, *(_width(cells[column - 1]) for cells in table.rows)])
        sheet.column_dimensions[get_column_letter(column)].width = min(widest + 3, _WIDEST)
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions
    sheet.print_title_rows = "1:1"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = sheet.PAPERSIZE_A4
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)


def _put(sheet: Worksheet, row: int, column: int, value: Cell) -> None:
    cell = sheet.cell(row, column)
    if not isinstance(value, str):
        cell.value = value
        if isinstance(value, time):
            cell.number_format = "h:mm"
        elif isinstance(value, date):
            cell.number_format = "yyyy-mm-dd"
        return
    text = _NO_XML.sub("", value)
    if not text:
        return
    # As text for good: neither a formula now, nor a date or a formula when somebody edits the cell.
    cell.value = text
    cell.data_type = "s"
    cell.number_format = _TEXT
    cell.quotePrefix = True


def _width(value: Cell) -> int:
    """Return how many narrow characters wide a value is shown."""
    text = value.isoformat()[:10] if isinstance(value, date | time) else str(value or "")
    return sum(2 if ord(character) > 0xFF else 1 for character in text)
