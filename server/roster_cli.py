"""`tadaima-server roster import` and `cards tokens`: children and their cards, from and to the office's files."""

from pathlib import Path

import click
from sqlalchemy import Connection, select

from attendance.catalogue import Catalogue
from attendance.clock import SystemClock
from server import audit
from server.cards import token_cards
from server.catalogues import catalogues
from server.config import ServerSettings, pass_settings
from server.errors import RosterRefused
from server.roster.apply import Changes, apply
from server.roster.check import check
from server.roster.table import read_sheet
from server.store.engine import open_store
from server.store.tables import site

WHO = "command"


@click.group()
def roster() -> None:
    """Bring in who is enrolled."""


@roster.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--site", "site_code", required=True, help="Code of the site.")
@click.option("--apply", "wanted", is_flag=True, help="Write it; without this, only say what would change.")
@pass_settings
def import_(settings: ServerSettings, file: Path, site_code: str, *, wanted: bool) -> None:
    """Check FILE (CSV in UTF-8 or CP932, or .xlsx) and bring it in, all of it or nothing."""
    words = catalogues()[settings.languages[0]]
    now_ms = SystemClock().read().wall_ms
    store = open_store(settings.store_url)
    try:
        rows = check(read_sheet(file, words), catalogues(), words)
        with store.write() as conn:
            changes = apply(conn, _site_id(conn, site_code, words), rows, now_ms)
            audit.record(conn, WHO, "roster.import", site_code, now_ms)
            if not wanted:
                conn.rollback()
    except RosterRefused as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        raise click.ClickException(words.text("roster.refused", n=len(error.problems))) from error
    finally:
        store.close()
    click.echo(_summary(changes, words))
    click.echo(words.text("roster.applied" if wanted else "roster.dry_run"))


@click.group()
def cards() -> None:
    """Cards of children."""


@cards.command("tokens")
@click.argument("site_code")
@pass_settings
def tokens(settings: ServerSettings, site_code: str) -> None:
    """Print number and token of each card of a site, as CSV, to write NFC tags from. Keep it secret."""
    words = catalogues()[settings.languages[0]]
    store = open_store(settings.store_url)
    try:
        with store.write() as conn:
            issued = token_cards(conn, _site_id(conn, site_code, words))
            audit.record(conn, WHO, "cards.tokens", site_code, SystemClock().read().wall_ms)
    finally:
        store.close()
    click.echo(words.text("cards.header"))
    for one in issued:
        click.echo(f"{one.number},{one.token.text}")


def _site_id(conn: Connection, code: str, words: Catalogue) -> str:
    found: str | None = conn.execute(select(site.c.id).where(site.c.code == code)).scalar_one_or_none()
    if found is None:
        raise RosterRefused([words.text("roster.no_site", site=code)])
    return found


def _summary(changes: Changes, words: Catalogue) -> str:
    return words.text(
        "roster.summary",
        added=len(changes.added),
        changed=len(changes.changed),
        unchanged=len(changes.unchanged),
        absent=changes.absent_from_file,
        cards=changes.cards_issued,
    )
