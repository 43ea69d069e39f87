"""`tadaima-server kiosks`: codes for new kiosks, the kiosks there are, and shutting one out."""

import click
from sqlalchemy import select

from attendance.clock import SystemClock, local_time
from server.audit import COMMAND
from server.catalogues import catalogues
from server.config import ServerSettings, pass_settings
from server.enrolment import issue, revoke
from server.errors import EnrolmentRefused
from server.store.engine import using_store
from server.store.tables import kiosk, site

_COLUMNS = ("id", "site", "name", "state", "heard_at", "unsent", "app", "trouble")


@click.group()
def kiosks() -> None:
    """Enrol, list and shut out kiosks."""


@kiosks.command()
@click.argument("site_code", metavar="SITE")
@click.argument("name")
@pass_settings
def code(settings: ServerSettings, site_code: str, name: str) -> None:
    """Print a one-time code with which a new kiosk NAME joins SITE."""
    with using_store(settings.store_url) as store, store.write() as conn:
        issued = issue(conn, site_code, name, SystemClock().read().wall_ms, who=COMMAND)
    click.echo(issued.code)
    words = catalogues()[settings.languages[0]]
    click.echo(words.text("cli.kiosks.expires", time=_local(issued.expires_at_ms)), err=True)


@kiosks.command("list")
@pass_settings
def list_(settings: ServerSettings) -> None:
    """Print the kiosks, separated by tabs."""
    click.echo("\t".join(_COLUMNS))
    asked = select(kiosk, site.c.code).join(site, site.c.id == kiosk.c.site_id).order_by(site.c.code, kiosk.c.name)
    with using_store(settings.store_url) as store, store.read() as conn:
        for row in conn.execute(asked):
            state = "in_service" if row.revoked_at_ms is None else "revoked"
            heard = "" if row.heard_at_ms is None else _local(row.heard_at_ms)
            cells = (row.id, row.code, row.name, state, heard, str(row.unsent), row.app, row.trouble)
            click.echo("\t".join(cells))


@kiosks.command("revoke")
@click.argument("kiosk_id", metavar="ID")
@pass_settings
def revoke_(settings: ServerSettings, kiosk_id: str) -> None:
    """Shut out the kiosk ID (see list), as when it was stolen; it keeps its unsent entries and loses all names."""
    with using_store(settings.store_url) as store, store.write() as conn:
        if not revoke(conn, kiosk_id, SystemClock().read().wall_ms, who=COMMAND):
            raise EnrolmentRefused(f"there is no kiosk {kiosk_id} in service")
        last = conn.execute(select(kiosk.c.unsent, kiosk.c.heard_at_ms).where(kiosk.c.id == kiosk_id)).one()
    words = catalogues()[settings.languages[0]]
    click.echo(words.text("cli.kiosks.revoked", kiosk=kiosk_id))
    if last.unsent and last.heard_at_ms is not None:
        click.echo(words.counted("cli.kiosks.unsent", last.unsent, time=_local(last.heard_at_ms)), err=True)


def _local(at_ms: int) -> str:
    return f"{local_time(at_ms):%Y-%m-%d %H:%M:%S}"
