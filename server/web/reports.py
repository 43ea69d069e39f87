"""The day's report as a file, from the office's start page; staff, whose screen needs no file, get none."""

from datetime import date

from flask import Response
from werkzeug.exceptions import NotFound

from server.audit import record
from server.reports.daily import daily_report, is_reportable
from server.reports.tables import TableName
from server.reports.write_csv import Encoding, to_csv
from server.reports.write_xlsx import to_xlsx
from server.services import services
from server.web.pages import catalogue, office_or_404, pages, site_or_404

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pages.get("/report/<code>/<day>.<any(csv, xlsx):kind>")
def report_file(code: str, day: str, kind: str) -> Response:
    """Give the report of a site and a day: a workbook with all tables, or the figures as CSV in UTF-8 with BOM."""
    office = office_or_404()
    site = site_or_404(code)
    try:
        wanted = date.fromisoformat(day)
    except ValueError as error:
        raise NotFound from error
    parts = services()
    now_ms = parts.clock.read().wall_ms
    if not is_reportable(wanted, now_ms):
        raise NotFound
    with parts.store.write() as conn:
        made = daily_report(conn, [site.id], wanted, now_ms)
        record(conn, office.id, "report.daily", f"{site.code} {wanted}", now_ms)
    if kind == "xlsx":
        answer = Response(to_xlsx(made, catalogue()), mimetype=_XLSX)
    else:
        written = to_csv(made, catalogue(), table=TableName.FIGURES, encoding=Encoding.UTF_8_SIG)
        answer = Response(written.content, mimetype="text/csv")
    name = f"{site.code}-{wanted}.{kind}"
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer
