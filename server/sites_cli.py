"""`tadaima-server sites`: the places with children, and their rules."""

import click
import msgspec

from attendance.clock import SystemClock
from attendance.staff_pin import hash_pin
from server.audit import COMMAND
from server.catalogues import catalogues
from server.config import ServerSettings, pass_settings
from server.errors import SiteRefused
from server.sites import SiteRules, add_site, all_sites, choose_pin, set_pin, set_rules
from server.store.engine import using_store


@click.group()
def sites() -> None:
    """Make, list and set up sites."""


@sites.command()
@click.argument("code")
@click.argument("name")
@pass_settings
def add(settings: ServerSettings, code: str, name: str) -> None:
    """Make a site with a staff PIN; CODE is what files and addresses call it, NAME what people read."""
    chosen = choose_pin(None)
    hashed = hash_pin(chosen)
    with using_store(settings.store_url) as store, store.write() as conn:
        now_ms = SystemClock().read().wall_ms
        add_site(conn, code, name, now_ms, who=COMMAND)
        set_pin(conn, code, hashed, now_ms, who=COMMAND)
    words = catalogues()[settings.languages[0]]
    click.echo(words.text("cli.sites.added", code=code))
    click.echo(words.text("cli.sites.pin", pin=chosen))


@sites.command("pin")
@click.argument("code")
@click.option("--pin", "wish", metavar="DIGITS", help="This one, 4 to 8 digits, and not a random one.")
@click.option("--remove", is_flag=True, help="Let nobody enter children by hand at this site.")
@pass_settings
def pin_(settings: ServerSettings, code: str, wish: str | None, *, remove: bool) -> None:
    """Give the site CODE a new staff PIN and print it, once; its kiosks learn of it by themselves."""
    if remove and wish is not None:
        raise click.UsageError("--pin and --remove do not go together")
    chosen = None if remove else choose_pin(wish)
    hashed = None if chosen is None else hash_pin(chosen)
    with using_store(settings.store_url) as store, store.write() as conn:
        set_pin(conn, code, hashed, SystemClock().read().wall_ms, who=COMMAND)
    words = catalogues()[settings.languages[0]]
    click.echo(words.text("cli.sites.no_pin") if chosen is None else words.text("cli.sites.pin", pin=chosen))


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
