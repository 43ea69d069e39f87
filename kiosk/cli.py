"""The command `tadaima-kiosk`: run, sync, doctor, show-config."""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from attendance.catalogue import Catalogue
from attendance.errors import SettingsError
from attendance.logs import log_to_stderr
from attendance.settings import show
from kiosk import config
from kiosk.catalogues import catalogues
from kiosk.config import KioskSettings
from kiosk.errors import AlreadyRunning, KioskError, NotEnrolled
from kiosk.version import version

if TYPE_CHECKING:
    from kiosk.doctor import Finding

EXIT_WRONG = 1
EXIT_SETTINGS = 2
_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.group(help="The kiosk at the door.")
@click.version_option(version())
def main() -> None:
    """Take a subcommand."""


def _with_settings(command: _Command) -> _Command:
    """Give a command the options from which the settings come."""
    pairs = click.option(
        "--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A setting, e.g. screen.port=8800; may be repeated."
    )
    file = click.option(
        "--config",
        "file",
        type=click.Path(dir_okay=False, path_type=Path),
        help=f"The settings file; {config.DEFAULT_FILE} if there is one.",
    )
    return file(pairs(command))


@main.command(name="run", help="Open the door: readers, journal, screen. Ends at SIGTERM or Ctrl-C.")
@_with_settings
def run_command(file: Path | None, pairs: tuple[str, ...]) -> None:
    """Run the door process."""
    from kiosk.run import run

    settings = _settings(file, pairs)
    words = _words(settings)
    log_to_stderr()
    try:
        run(settings, lambda url: click.echo(words.text("cli.screen", url=url)))
    except NotEnrolled as error:
        _fail(words.text("cli.not_enrolled"), str(error))
    except AlreadyRunning as error:
        _fail(words.text("cli.already_running"), str(error))
    except (KioskError, OSError, ValueError) as error:
        _fail(words.text("cli.cannot_run"), str(error))


@main.command(help="Bring the journal to the server and the roster to the kiosk. Ends at SIGTERM or Ctrl-C.")
@_with_settings
def sync(file: Path | None, pairs: tuple[str, ...]) -> None:
    """Run the sync process."""
    from kiosk.sync_process import run_forever

    settings = _settings(file, pairs)
    words = _words(settings)
    log_to_stderr()
    try:
        run_forever(settings)
    except NotEnrolled as error:
        _fail(words.text("cli.not_enrolled"), str(error))
    except (KioskError, OSError) as error:
        _fail(words.text("cli.cannot_sync"), str(error))


@main.command(help="Say whether this kiosk can work, and what to do if not. Exit status 1 when something is wrong.")
@click.option("--live", is_flag=True, help="Show what each reader sees, to aim a camera or try a card. Ends at Ctrl-C.")
@_with_settings
def doctor(file: Path | None, pairs: tuple[str, ...], *, live: bool) -> None:
    """Examine the kiosk, or show its readers at work."""
    from kiosk.doctor import Finding, examine
    from kiosk.timekeeping import KioskClock

    settings = _settings(file, pairs)
    words = _words(settings)
    if live:
        _show_readers(settings, words)
        return
    wrong: list[Finding] = []
    for finding in examine(settings, KioskClock()):
        _say_found(finding, words)
        if finding.wrong:
            wrong.append(finding)
    click.echo()
    if not wrong:
        click.secho(words.text("doctor.well"), bold=True)
        return
    # Once more at the end, where a terminal stands still, and with numbers, to be told over the telephone.
    click.secho(words.counted("doctor.wrong", len(wrong)), bold=True)
    for number, finding in enumerate(wrong, start=1):
        found, *remedy = finding.sentences(words)
        click.echo(words.text("doctor.line.number", number=number, found=found))
        _say_remedy(remedy, words)
    sys.exit(EXIT_WRONG)


@main.command(name="show-config", help="Print every setting as it is in force; a star marks what is not its default.")
@_with_settings
def show_config(file: Path | None, pairs: tuple[str, ...]) -> None:
    """Print the settings."""
    for line in show(_settings(file, pairs), masked=config.SECRET):
        click.echo(line)


def _show_readers(settings: KioskSettings, words: Catalogue) -> None:
    """Show what the readers see, or say what stands in the way."""
    from attendance.process_owner import wrong_user
    from kiosk.doctor import Finding
    from kiosk.doctor.readers import doubled
    from kiosk.live.run import run_live

    stranger = wrong_user(settings.data_dir)
    if stranger is not None or not settings.readers:
        _say(stranger or Finding("readers_none", wrong=True), words)
        sys.exit(EXIT_WRONG)
    for finding in doubled(settings.readers):
        _say(finding, words)
    try:
        run_live(settings, words, click.echo)
    except AlreadyRunning as error:
        _fail(words.text("cli.live_door_runs"), str(error))
    except (KioskError, OSError) as error:
        _fail(words.text("cli.live_cannot_run"), str(error))


def _say(finding: "Finding", words: Catalogue) -> None:
    """Print a finding with what to do about it."""
    _say_found(finding, words)
    _say_remedy(finding.sentences(words)[1:], words)


def _say_found(finding: "Finding", words: Catalogue) -> None:
    found = finding.sentences(words)[0]
    line = words.text("doctor.line.wrong" if finding.wrong else "doctor.line.good", found=found)
    click.secho(line, fg="red" if finding.wrong else None)


def _say_remedy(remedy: Iterable[str], words: Catalogue) -> None:
    for sentence in remedy:
        click.echo(words.text("doctor.line.remedy", remedy=sentence))


def _settings(file: Path | None, pairs: tuple[str, ...]) -> KioskSettings:
    try:
        return config.load(file, environ=os.environ, flags=_flags(pairs))
    except SettingsError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        sys.exit(EXIT_SETTINGS)


def _flags(pairs: tuple[str, ...]) -> dict[str, str]:
    """The `--set` options as a table. Raises: SettingsError."""
    wrong = tuple(f"--set {pair}: KEY=VALUE is wanted" for pair in pairs if not pair.partition("=")[1])
    if wrong:
        raise SettingsError(wrong)
    return {key: value for key, _, value in (pair.partition("=") for pair in pairs)}


def _words(settings: KioskSettings) -> Catalogue:
    return catalogues()[settings.language]


def _fail(sentence: str, reason: str) -> None:
    click.echo(sentence, err=True)
    click.echo(reason, err=True)
    sys.exit(EXIT_WRONG)
