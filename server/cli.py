"""The command `tadaima-server`: sets the server up, runs it, and hands on to the rooms' own commands."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from attendance.clock import SystemClock
from attendance.errors import SettingsError
from attendance.logs import log_to_stderr
from attendance.settings import show
from server.account_cli import account
from server.backup.cli import backup, restore_
from server.catalogues import catalogues
from server.config import DEFAULT_FILE, ServerSettings, load_settings, pass_settings
from server.errors import ServerError, StoreError
from server.keys import load_secrets, lost_secrets, make_secrets
from server.kiosks_cli import kiosks
from server.notify.cli import dispatch
from server.report_cli import report
from server.roster_cli import cards, roster
from server.sites_cli import sites
from server.store.engine import using_store
from server.store.migrations import is_set_up, migrate

EXIT_WRONG = 1
EXIT_SETTINGS = 2


class _Group(click.Group):
    """Turns the errors that a person can mend into a sentence and exit status 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ServerError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, help="The server: headcount, notices, rosters, kiosks.")
@click.version_option(package_name="tadaima")
@click.option(
    "--config",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"The settings file; {DEFAULT_FILE} if there is one.",
)
@click.option(
    "--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A setting, e.g. bind.port=80; may be repeated."
)
@click.pass_context
def main(context: click.Context, file: Path | None, pairs: tuple[str, ...]) -> None:
    """Read the settings for the subcommand."""
    try:
        context.obj = load_settings(file, flags=_flags(pairs))
    except SettingsError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        sys.exit(EXIT_SETTINGS)


@main.command()
@pass_settings
def init(settings: ServerSettings) -> None:
    """Make what the server needs: data folder, secrets, database. Does no harm when run again."""
    folder = Path(settings.data_dir)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder} cannot be made ({error.strerror}); choose another data_dir") from error
    with using_store(settings.store_url) as store:
        if is_set_up(store) and (lost := lost_secrets(folder)):  # new ones fit neither cards nor names that kiosks have
            advice = "restore the secrets too, or copy them from another server of it (docs/backup.md)"
            raise StoreError(f"{lost[0]} is missing, and the database is there: {advice}")
        make_secrets(folder)
        migrate(store)
    click.echo(catalogues()[settings.languages[0]].text("cli.init.done", folder=folder))


@main.command("run")
@click.option("--only", type=click.Choice(["web", "live"]), help="Run one of the two processes alone.")
@pass_settings
def run_(settings: ServerSettings, only: str | None) -> None:
    """Serve until SIGTERM or Ctrl-C. Prints the addresses once connections are taken."""
    from server.run import Listener, Part, run

    def announce(listeners: Sequence[Listener]) -> None:
        click.echo("listening " + " ".join(f"{each.part}={each.url}" for each in listeners))

    log_to_stderr(quiet=("alembic",))
    load_secrets(Path(settings.data_dir))
    _migrate(settings)
    sys.exit(run(settings, list(Part) if only is None else [Part(only)], announce))


@main.command()
@click.option("--full", is_flag=True, help="Read every entry and all that follows from it; takes minutes.")
@pass_settings
def doctor(settings: ServerSettings, *, full: bool) -> None:
    """Say whether this server can work, and what to do if not. Exit status 1 when something is wrong."""
    from server.doctor import examine

    words = catalogues()[settings.languages[0]]
    wrong = 0
    for finding in examine(settings, SystemClock().read().wall_ms, full=full):
        wrong += finding.wrong
        found, *remedy = finding.sentences(words)
        click.echo(words.text("doctor.line.wrong" if finding.wrong else "doctor.line.good", found=found))
        for sentence in remedy:
            click.echo(words.text("doctor.line.remedy", remedy=sentence))
    click.echo(words.counted("doctor.wrong", wrong) if wrong else words.text("doctor.well"))
    sys.exit(EXIT_WRONG if wrong else 0)


@main.command("show-config")
@pass_settings
def show_config(settings: ServerSettings) -> None:
    """Print every setting as it is in force; a star marks what is not its default."""
    for line in show(settings, masked=frozenset({"database_url"})):
        click.echo(line)


def _migrate(settings: ServerSettings) -> None:
    with using_store(settings.store_url) as store:
        migrate(store)


def _flags(pairs: tuple[str, ...]) -> dict[str, str]:
    """The `--set` options as a table. Raises: SettingsError."""
    wrong = tuple(f"--set {pair}: KEY=VALUE is wanted" for pair in pairs if not pair.partition("=")[1])
    if wrong:
        raise SettingsError(wrong)
    return {key: value for key, _, value in (pair.partition("=") for pair in pairs)}


for _command in (account, backup, cards, dispatch, kiosks, report, restore_, roster, sites):
    main.add_command(_command)
