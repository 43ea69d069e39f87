"""The command `tadaima-provision`: enrol, demo."""

import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import click

from attendance.catalogue import Language
from attendance.errors import SettingsError
from kiosk import config
from kiosk.timekeeping import KioskClock
from kiosk.version import version
from provisioning.catalogues import catalogues
from provisioning.enrol import enrol, unsent_entries
from provisioning.errors import EnrolmentFailed

EXIT_WRONG = 1
EXIT_SETTINGS = 2
CLOCK_IS_OFF_S = 120
"""Records stand on the wall clock until the server resolves them; more than this is worth a word."""


class _Commands(click.Group):
    """Finds the demo only when asked for it: what that needs (the extra `demo`) is not installed on a kiosk."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), "demo"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != "demo":
            return super().get_command(ctx, cmd_name)
        if find_spec("aiosmtpd") is None:
            return _demo_is_missing
        from provisioning.demo.command import demo

        return demo


@click.command("demo", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def _demo_is_missing() -> None:
    """A day at a site on this computer; needs the extra `demo`."""
    raise click.ClickException(catalogues()[language_of(os.environ)].text("demo.missing"))


@click.group(cls=_Commands, help="From box to door.")
@click.version_option(version())
def main() -> None:
    """Take a subcommand."""


@main.command(name="enrol", help="Make this machine a kiosk of a site, with a one-time code from the office.")
@click.option("--server", "server_url", required=True, metavar="URL", help="The server, e.g. https://tadaima.example")
@click.option("--code", metavar="CODE", help="The one-time code; asked for when left out.")
@click.option(
    "--config",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"The kiosk's settings file; {config.DEFAULT_FILE} if there is one.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the kiosk keeps its files; by default where its settings say.",
)
@click.option("--replace", is_flag=True, help="Enrol again, giving up the identity that is there.")
@click.option("--with-unsent", is_flag=True, help="Enrol again although entries here have not been sent yet.")
@click.option("--allow-http", is_flag=True, help="Accept a server without TLS on another machine.")
@click.option("--language", type=click.Choice([each.value for each in Language]), help="Of what this command says.")
def enrol_command(
    server_url: str,
    code: str | None,
    file: Path | None,
    data_dir: Path | None,
    *,
    replace: bool,
    with_unsent: bool,
    allow_http: bool,
    language: str | None,
) -> None:
    """Enrol and say what became of it."""
    words = catalogues()[Language(language) if language else language_of(os.environ)]
    try:
        settings = config.load(file, environ=os.environ, flags={"data_dir": str(data_dir) if data_dir else None})
    except SettingsError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        sys.exit(EXIT_SETTINGS)
    number = unsent_entries(settings) if replace and not with_unsent else 0
    if number:
        click.echo(words.counted("enrol.unsent", number), err=True)
        sys.exit(EXIT_WRONG)
    typed = code or click.prompt(words.text("enrol.ask_code"))
    try:
        done = enrol(
            server_url,
            typed,
            settings.data_dir,
            clock=KioskClock(),
            replace=replace,
            allow_http=allow_http,
            way=settings.sync,
        )
    except EnrolmentFailed as error:
        click.echo(words.text(f"enrol.{error.trouble}"), err=True)
        click.echo(error.detail, err=True)
        sys.exit(EXIT_WRONG)
    click.echo(words.text("enrol.done", site=done.identity.site_name, kiosk=done.identity.kiosk))
    if replace:
        click.echo(words.text("enrol.restart"))
    if abs(done.clock_off_s) > CLOCK_IS_OFF_S:
        click.echo(words.text("enrol.clock_off", minutes=round(abs(done.clock_off_s) / 60)), err=True)


def language_of(environ: Mapping[str, str]) -> Language:
    """Return the language that the locale of a terminal asks for: Japanese, or else English."""
    asked = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    return Language.JA if asked.lower().startswith("ja") else Language.EN
