"""`tadaima-server report daily`: the day's figures as a file for the office."""

import sys
from datetime import date, datetime
from pathlib import Path

import click
from sqlalchemy import Connection

from attendance.catalogue import Catalogue
from attendance.clock import SystemClock, from_ms, local_day
from server import audit
from server.catalogues import catalogues
from server.config import ServerSettings, pass_settings
from server.reports.daily import DailyReport, daily_report, is_reportable
from server.reports.tables import TableName
from server.reports.write_csv import GETA, Encoding, Unwritable, to_csv
from server.reports.write_json import to_json
from server.reports.write_xlsx import to_xlsx
from server.sites import all_sites, find_site
from server.store.engine import using_store

INCOMPLETE = 3
"""Exit status when the file is written, but with characters missing."""


@click.group()
def report() -> None:
    """Write figures for the office."""


@report.command("daily")
@click.option(
    "--day",
    "when",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DAY",
    help="The day, as 2026-04-15; today when left out.",
)
@click.option("--site", "site_code", help="Code of one site; all sites when left out.")
@click.option("--format", "kind", type=click.Choice(["csv", "xlsx", "json"]), default="csv", show_default=True)
@click.option(
    "--table",
    type=click.Choice([each.value for each in TableName]),
    default=TableName.FIGURES.value,
    show_default=True,
    help="Which table a CSV file holds; xlsx and json hold all.",
)
@click.option(
    "--encoding",
    type=click.Choice([each.value for each in Encoding]),
    default=Encoding.UTF_8_SIG.value,
    show_default=True,
    help="Of a CSV file. What cp932 cannot write is listed, and the command then exits with 3.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write instead of the output.")
@pass_settings
def daily(
    settings: ServerSettings,
    when: datetime | None,
    site_code: str | None,
    kind: str,
    table: str,
    encoding: str,
    out: Path | None,
) -> None:
    """Write who was here on a day, entries and exits, the most at once, extended stays, and what does not add up."""
    words = catalogues()[settings.languages[0]]
    if kind == "xlsx" and out is None and sys.stdout.isatty():
        raise click.UsageError(words.text("report.out_wanted"))
    now_ms = SystemClock().read().wall_ms
    day = local_day(from_ms(now_ms)) if when is None else when.date()
    if not is_reportable(day, now_ms):
        raise click.UsageError(words.text("report.no_such_day", day=day))
    made = _report(settings, day, site_code, words, now_ms)
    missing: tuple[Unwritable, ...] = ()
    if kind == "json":
        content = to_json(made)
    elif kind == "xlsx":
        content = to_xlsx(made, words)
    else:
        written = to_csv(made, words, table=TableName(table), encoding=Encoding(encoding))
        content, missing = written.content, written.unwritable
    _write(content, out, words)
    for each in missing:
        code = f"U+{ord(each.character):04X}"
        place = {"row": each.row, "column": each.column}
        click.echo(words.text("report.unwritable", character=each.character, code=code, geta=GETA, **place), err=True)
    if missing:
        click.echo(words.text("report.unwritable_end", encoding=encoding), err=True)
        sys.exit(INCOMPLETE)


def _report(settings: ServerSettings, day: date, site_code: str | None, words: Catalogue, now_ms: int) -> DailyReport:
    with using_store(settings.store_url) as store, store.write() as conn:
        made = daily_report(conn, _site_ids(conn, site_code, words), day, now_ms)
        for each in made.sites:
            audit.record(conn, audit.COMMAND, "report.daily", f"{each.code} {day}", now_ms)
    return made


def _site_ids(conn: Connection, code: str | None, words: Catalogue) -> list[str]:
    if code is None:
        return [site.id for site in all_sites(conn)]
    site = find_site(conn, code)
    if site is None:
        raise click.ClickException(words.text("report.no_site", site=code))
    return [site.id]


def _write(content: bytes, out: Path | None, words: Catalogue) -> None:
    if out is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        out.write_bytes(content)
    except OSError as error:
        raise click.ClickException(words.text("report.not_written", file=out, why=error.strerror)) from error
