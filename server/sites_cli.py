"""`tadaima-server sites`: the places with children, and their rules."""

import click
import msgspec

from attendance.clock import SystemClock
from server.audit import COMMAND
from server.catalogues import catalogues
from server.config import ServerSettings, pass_settings
from server.errors import SiteRefused
from server.sites import SiteRules, add_site, all_sites, set_rules
from server.store.engine import using_store


@click.group()
def sites() -> None:
    """Make, list and set up sites."""


@sites.command()
@click.argument("code")
@click.argument("name")
@pass_settings
def add(settings: ServerSettings, code: str, name: str) -> None:
    """Make a site; CODE is what files and addresses call it, NAME what people read."""
    with using_store(settings.store_url) as store, store.write() as conn:
        add_site(conn, code, name, SystemClock().read().wall_ms, who=COMMAND)
    click.echo(catalogues()[settings.languages[0]].text("cli.sites.added", code=code))


@sites.command("list")
@pass_settings
def list_(settings: ServerSettings) -> None:
    """Print the sites with their rules, separated by tabs."""
    click.echo("\t".join(["code", *SiteRules.__struct_fields__]))
    with using_store(settings.store_url) as store, store.read() as conn:
        for row in all_sites(conn):
            click.echo("\t".join([row.code, *(_text(getattr(row, name)) for name in SiteRules.__struct_fields__)]))


@sites.command("set")
@click.argument("code")
@click.argument("changes", nargs=-1, required=True, metavar="KEY=VALUE...")
@pass_settings
def set_(settings: ServerSettings, code: str, changes: tuple[str, ...]) -> None:
    """Change rules of the site CODE, for example expected_by=16:00; its kiosks learn of it by themselves."""
    pairs = [change.partition("=") for change in changes]
    wrong = [change for change, (_, equals, _) in zip(changes, pairs, strict=True) if not equals]
    if wrong:
        raise SiteRefused(f"{', '.join(wrong)}: KEY=VALUE is wanted")
    with using_store(settings.store_url) as store, store.write() as conn:
        set_rules(conn, code, {key: value for key, _, value in pairs}, SystemClock().read().wall_ms, who=COMMAND)
    click.echo(catalogues()[settings.languages[0]].text("cli.sites.changed", code=code))


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
