"""`tadaima-server roster import`, `cards tokens` and `cards replace`: children and their cards, from the office."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
from sqlalchemy import Connection, select

from attendance.catalogue import Catalogue
from attendance.clock import SystemClock, from_ms, local_day
from server import audit
from server.cards import bind, issue, revoke_all, token_cards, unknown_cards
from server.catalogues import catalogues
from server.config import ServerSettings, pass_settings
from server.errors import RosterRefused
from server.keys import load_secrets
from server.roster.apply import GUARDIANS, Changes, apply
from server.roster.check import check
from server.roster.columns import title
from server.roster.table import read_sheet
from server.sites import find_site
from server.store.engine import using_store
from server.store.tables import child

MOST_LINES = 50
"""Of one kind; a person mends these first, and the rest is often the same mistake."""


@click.group()
def roster() -> None:
    """Bring in who is enrolled."""


@roster.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--site", "site_code", required=True, help="Code of the site.")
@click.option("--apply", "wanted", is_flag=True, help="Write it; without this, only say what would change.")
@pass_settings
def import_(settings: ServerSettings, file: Path, site_code: str, *, wanted: bool) -> None:
    """Check FILE (CSV, TSV or .xlsx) and bring it in, all of it or nothing."""
    words = catalogues()[settings.languages[0]]
    now_ms = SystemClock().read().wall_ms
    master = load_secrets(Path(settings.data_dir)).names
    try:
        found = check(read_sheet(file, words), catalogues(), words, local_day(from_ms(now_ms)))
        with using_store(settings.store_url) as store, store.write() as conn:
            changes = apply(conn, _site_id(conn, site_code, words), found.rows, words, now_ms, master=master)
            audit.record(conn, audit.COMMAND, "roster.import", site_code, now_ms)
            if not wanted:
                conn.rollback()
    except RosterRefused as error:
        for line in _first(error.problems, words):
            click.echo(line, err=True)
        click.echo(words.counted("roster.refused", len(error.problems)), err=True)
        sys.exit(1)
    for line in _told(changes, found.unused, words):
        click.echo(line)
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
    now_ms = SystemClock().read().wall_ms
    with using_store(settings.store_url) as store, store.write() as conn:
        issued = token_cards(conn, _site_id(conn, site_code, words), local_day(from_ms(now_ms)))
        audit.record(conn, audit.COMMAND, "cards.tokens", site_code, now_ms)
    click.echo(words.text("cards.header"))
    for one in issued:
        click.echo(f"{one.number},{one.token.text}")


@cards.command("replace")
@click.argument("number")
@pass_settings
def replace(settings: ServerSettings, number: str) -> None:
    """Make the lost cards of the child with this number invalid, and give it a new one to print."""
    words = catalogues()[settings.languages[0]]
    now_ms = SystemClock().read().wall_ms
    with using_store(settings.store_url) as store, store.write() as conn:
        child_id = _child_id(conn, number, words)
        revoked = revoke_all(conn, child_id, now_ms)
        issue(conn, child_id, now_ms)
        audit.record(conn, audit.COMMAND, "cards.replace", child_id, now_ms)
    click.echo(words.counted("cards.replaced", revoked))


@cards.command("bind")
@click.argument("number")
@click.argument("digits")
@pass_settings
def bind_(settings: ServerSettings, number: str, digits: str) -> None:
    """Let the child with this number use a card it has already: DIGITS as the staff page showed them at the door."""
    words = catalogues()[settings.languages[0]]
    if not re.fullmatch("[0-9a-fA-F]{8,64}", digits):
        raise click.ClickException(words.text("cards.not_digits"))
    now_ms = SystemClock().read().wall_ms
    with using_store(settings.store_url) as store, store.write() as conn:
        child_id = _child_id(conn, number, words)
        seen = unknown_cards(conn, digits)
        if len(seen) != 1:
            raise click.ClickException(words.text("cards.not_seen" if not seen else "cards.not_one", digits=digits))
        bind(conn, child_id, seen[0], now_ms)
        audit.record(conn, audit.COMMAND, "cards.bind", child_id, now_ms)
    click.echo(words.text("cards.bound", number=number))


def _child_id(conn: Connection, number: str, words: Catalogue) -> str:
    child_id: str | None = conn.execute(select(child.c.id).where(child.c.number == number)).scalar_one_or_none()
    if child_id is None:
        raise click.ClickException(words.text("cards.no_child", number=number))
    return child_id


def _site_id(conn: Connection, code: str, words: Catalogue) -> str:
    site = find_site(conn, code)
    if site is None:
        raise RosterRefused([words.text("roster.no_site", site=code)])
    return str(site.id)


def _told(changes: Changes, unused: Sequence[str], words: Catalogue) -> Iterator[str]:
    """Yield what an import does, line by line: rows and numbers, and no name."""
    if changes.added:
        yield words.counted("roster.added", len(changes.added), rows=_spans(changes.added))
    if changes.changed:
        yield words.counted("roster.changed", len(changes.changed))
        lines = [
            words.text("roster.change", row=change.row, number=change.number, columns=_columns(change.columns, words))
            for change in changes.changed
        ]
        yield from _first(lines, words)
    if changes.unchanged:
        yield words.counted("roster.unchanged", changes.unchanged)
    if changes.absent_from_file:
        yield words.counted("roster.absent", changes.absent_from_file)
    if changes.elsewhere:
        yield words.counted("roster.elsewhere", len(changes.elsewhere), rows=_spans(changes.elsewhere))
    if changes.new_marks:
        yield words.counted("roster.new_marks", len(changes.new_marks), rows=_spans(changes.new_marks))
    if changes.cards_issued:
        yield words.counted("roster.cards", changes.cards_issued)
    if changes.recovered:
        yield words.counted("roster.recovered", changes.recovered)
    if unused:
        yield words.text("roster.unused", columns=", ".join(unused))


def _columns(codes: Iterable[str], words: Catalogue) -> str:
    return ", ".join(words.text("roster.guardians") if code == GUARDIANS else title(words, code) for code in codes)


def _first(lines: Sequence[str], words: Catalogue) -> Iterator[str]:
    """Yield as many lines as a person reads, and how many more there are."""
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield words.counted("roster.more", len(lines) - MOST_LINES)


def _spans(rows: Sequence[int]) -> str:
    """Return row numbers with those in a row together: 2-5, 8."""
    spans: list[list[int]] = []
    for row in rows:
        if spans and spans[-1][1] == row - 1:
            spans[-1][1] = row
        else:
            spans.append([row, row])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
