"""`tadaima-server account`: make, list and disable the logins of staff and office."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from attendance.catalogue import Catalogue, Language
from attendance.clock import SystemClock
from server.audit import COMMAND, record
from server.catalogues import catalogues
from server.config import ServerSettings, pass_settings
from server.store.engine import Store, using_store
from server.web.accounts import (
    AccountRefused,
    Role,
    add_account,
    disable_account,
    list_accounts,
    set_password,
)

_password_file = click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read the password from the first line of a file instead of asking for it.",
)


@click.group()
def account() -> None:
    """Make, list and disable the logins of staff and office."""


@account.command("add")
@click.argument("login")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--site", "site_code", help="Code of the one site that staff may see.")
@click.option("--name", default="", help="What the pages call the person; the login when left out.")
@click.option("--language", type=click.Choice([each.value for each in Language]), default=Language.JA.value)
@_password_file
@pass_settings
def add(
    settings: ServerSettings,
    login: str,
    role: str,
    site_code: str | None,
    name: str,
    language: str,
    password_file: Path | None,
) -> None:
    """Make an account; the password is asked for twice."""
    password = _password(settings, password_file)
    with _store(settings) as store, store.write() as conn:
        account_id = add_account(
            conn, login, name=name, role=Role(role), site_code=site_code, language=Language(language), password=password
        )
        record(conn, COMMAND, "account.add", account_id, _now_ms())
    click.echo(_words(settings).text("account.added", login=login))


@account.command("list")
@pass_settings
def list_(settings: ServerSettings) -> None:
    """List all accounts: login, role, site, name, and whether it is disabled."""
    with _store(settings) as store, store.read() as conn:
        for each in list_accounts(conn):
            state = "disabled" if each.disabled else "active"  # codes, like role: the list is also for scripts
            click.echo("\t".join([each.login, each.role, each.site or "-", each.language, state, each.name]))


@account.command("disable")
@click.argument("login")
@pass_settings
def disable(settings: ServerSettings, login: str) -> None:
    """Let an account log in no more and end its sessions."""
    with _store(settings) as store, store.write() as conn:
        record(conn, COMMAND, "account.disable", disable_account(conn, login, _now_ms()), _now_ms())
    click.echo(_words(settings).text("account.disabled", login=login))


@account.command("password")
@click.argument("login")
@_password_file
@pass_settings
def password_(settings: ServerSettings, login: str, password_file: Path | None) -> None:
    """Give an account a new password and end its sessions."""
    password = _password(settings, password_file)
    with _store(settings) as store, store.write() as conn:
        record(conn, COMMAND, "account.password", set_password(conn, login, password), _now_ms())
    click.echo(_words(settings).text("account.password", login=login))


@contextmanager
def _store(settings: ServerSettings) -> Iterator[Store]:
    """Give the store, close it, and tell a refusal as a sentence."""
    try:
        with using_store(settings.store_url) as store:
            yield store
    except AccountRefused as error:
        raise click.ClickException(_words(settings).text(f"account.refused.{error.code}")) from error


def _password(settings: ServerSettings, file: Path | None) -> str:
    words = _words(settings)
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise click.FileError(str(file), hint="not UTF-8") from error
        except OSError as error:
            raise click.FileError(str(file), hint=error.strerror) from error
        return lines[0] if lines else ""
    if not sys.stdin.isatty():
        raise click.UsageError(words.text("account.no_terminal"))
    first = getpass.getpass(words.text("account.ask"))
    if getpass.getpass(words.text("account.ask_again")) != first:
        raise click.UsageError(words.text("account.differ"))
    return first


def _words(settings: ServerSettings) -> Catalogue:
    return catalogues()[settings.languages[0]]


def _now_ms() -> int:
    return SystemClock().read().wall_ms
