"""`tadaima-server backup` and `restore`."""

import tempfile
from pathlib import Path

import click

from attendance.clock import SystemClock, local_time
from server.backup.make import make_backup
from server.backup.restore import make_key, open_backup, restore
from server.catalogues import catalogues
from server.config import ServerSettings, pass_settings
from server.errors import BackupRefused

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(invoke_without_command=True)
@click.pass_context
def backup(context: click.Context) -> None:
    """Back up database and secrets, encrypted, to backup.folder; the server may run meanwhile."""
    if context.invoked_subcommand is None:
        settings: ServerSettings = context.obj
        if not settings.backup.folder:
            raise BackupRefused("set backup.folder: a disk of another machine, or one that can be carried away")
        made = make_backup(
            settings.store_url,
            Path(settings.data_dir),
            Path(settings.backup.folder),
            recipients=settings.backup.recipients,
            keep=settings.backup.keep,
            now_ms=SystemClock().read().wall_ms,
        )
        words = catalogues()[settings.languages[0]]
        click.echo(words.text("cli.backup.made", path=made.path, kilobytes=-(-made.size_bytes // 1000)))
        if made.removed:
            click.echo(words.counted("cli.backup.removed", len(made.removed)))


@backup.command()
@click.argument("file", type=_FILE)
@pass_settings
def key(settings: ServerSettings, file: Path) -> None:
    """Make a key: the private part into FILE, to be kept away from this machine; the public part is printed."""
    public = make_key(file)
    words = catalogues()[settings.languages[0]]
    click.echo(words.text("cli.backup.key", file=file))
    click.echo(f'[backup]\nrecipients = ["{public}"]')


@backup.command()
@click.argument("file", type=_FILE)
@click.option("--key", "private", type=_FILE, required=True, help="The private key.")
@pass_settings
def check(settings: ServerSettings, file: Path, private: Path) -> None:
    """Open the backup FILE and check all of it; changes nothing."""
    with tempfile.TemporaryDirectory(prefix="tadaima-check-") as scratch:
        manifest = open_backup(file, private, Path(scratch))
    click.echo(catalogues()[settings.languages[0]].text("cli.backup.whole", made=_text(manifest.made_at_ms)))


@click.command("restore")
@click.argument("file", type=_FILE)
@click.option("--key", "private", type=_FILE, help="The private key; not for a bare database.")
@click.option("--replace", is_flag=True, help="Put what is there now into a folder beside.")
@pass_settings
def restore_(settings: ServerSettings, file: Path, private: Path | None, *, replace: bool) -> None:
    """Put the backup FILE, or a database as litestream restores it, into data_dir.

    Stop the server and the dispatcher first, and start them afterwards.
    """
    if settings.database_url:
        raise BackupRefused("database_url is set: this command restores the SQLite file in data_dir (docs/backup.md)")
    made_at_ms = restore(file, private, Path(settings.data_dir), replace=replace, now_ms=SystemClock().read().wall_ms)
    click.echo(catalogues()[settings.languages[0]].text("cli.restore.done", made=_text(made_at_ms)))


def _text(at_ms: int) -> str:
    return f"{local_time(at_ms):%Y-%m-%d %H:%M}"
