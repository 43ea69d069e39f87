"""The server's settings: server.toml, TADAIMA_SERVER_* and the command line, in one frozen type.

docs/server-settings.md tells each of them.
"""

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import click
import msgspec

from attendance.catalogue import Language
from attendance.errors import SettingsError
from attendance.settings import load, parse_toml
from server.store.engine import sqlite_url

PREFIX = "TADAIMA_SERVER"
DEFAULT_FILE = Path("/etc/tadaima/server.toml")

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[int, msgspec.Meta(gt=0)]


class BindSettings(msgspec.Struct, frozen=True):
    """Where staff, office and kiosks reach the server."""

    host: str = "127.0.0.1"
    port: Port = 8000
    """0 takes any free one."""


class LiveSettings(msgspec.Struct, frozen=True):
    """Where staff screens reach the live stream, which is a process of its own."""

    host: str = "127.0.0.1"
    port: Port = 8001
    """0 takes any free one."""
    threads: Count = 200
    """One for each open screen."""


class SmtpSecurity(StrEnum):
    """How the way to the mail server is encrypted."""

    NONE = "none"
    STARTTLS = "starttls"
    """Begins in clear, usually on port 587."""
    TLS = "tls"
    """From the first byte, usually on port 465."""


class SmtpSettings(msgspec.Struct, frozen=True):
    """The mail server that takes the notices."""

    host: str = "127.0.0.1"
    port: Port = 25
    security: SmtpSecurity = SmtpSecurity.NONE
    ca_file: str = ""
    """Certificates to trust, for a mail server with a certificate of the municipality's own; empty: the system's."""
    user: str = ""
    password_file: str = ""
    """A file that holds the password; empty for none."""
    sender: str = "tadaima@localhost"
    timeout_s: Seconds = 20


class NoticeSettings(msgspec.Struct, frozen=True):
    """How notices to guardians are sent."""

    late_after_s: Seconds = 300
    """A notice sent later than this after its movement says that it is late."""
    give_up_after_s: Seconds = 86_400
    lease_s: Seconds = 120


class BackupSettings(msgspec.Struct, frozen=True):
    """Where `tadaima-server backup` writes, and who can open it."""

    folder: str = ""
    recipients: tuple[str, ...] = ()
    """Public keys, as `tadaima-server backup key` prints them."""
    keep: Count = 30


class ServerSettings(msgspec.Struct, frozen=True):
    """Everything that can be set."""

    data_dir: str = "/var/lib/tadaima-server"
    database_url: str = ""
    """Empty: the SQLite file tadaima.db in data_dir."""
    base_url: str = ""
    """The address people type, with https; empty while there is none."""
    live_url: str = ""
    """The address of the live stream as browsers reach it; empty: this machine's own, at the live port."""
    proxies: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many reverse proxies of ours stand before the server and add X-Forwarded-For."""
    threads: Count = 8
    """More than writers on SQLite need: a client that stalls holds one for some seconds."""
    languages: tuple[Language, ...] = (Language.JA, Language.JA_EASY, Language.EN)
    """What staff may choose from; the first is that of the commands."""
    bind: BindSettings = BindSettings()
    live: LiveSettings = LiveSettings()
    smtp: SmtpSettings = SmtpSettings()
    notices: NoticeSettings = NoticeSettings()
    backup: BackupSettings = BackupSettings()

    def __post_init__(self) -> None:
        if not self.languages:
            msg = "languages: at least one is wanted"
            raise ValueError(msg)
        for url in (self.base_url, self.live_url):
            if url and not _is_address(url):
                msg = f"{url}: an address beginning with https:// is wanted, as https://kids.example.jp"
                raise ValueError(msg)

    @property
    def store_url(self) -> str:
        """The database URL in force."""
        return self.database_url or sqlite_url(Path(self.data_dir) / "tadaima.db")


def _is_address(url: str) -> bool:
    """Say whether a browser could be sent to an address: http or https, a host a port that can be."""
    try:
        parts = urlsplit(url)
        name = (parts.hostname or "").encode("idna")
        return parts.scheme in {"http", "https"} and bool(name) and parts.port != 0 and not set(url) & set(" \t\r\n")
    except ValueError:  # UnicodeError is one: a name with an empty part, or one too long
        return False


pass_settings = click.make_pass_decorator(ServerSettings)
"""Gives a command the settings as its first argument."""


def load_settings(
    file: Path | None, *, environ: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> ServerSettings:
    """Return the settings from a file (the default file when there is one), environment and flags.

    Raises: SettingsError with everything that is wrong.
    """
    return load(
        ServerSettings,
        table=_read(file),
        environ=os.environ if environ is None else environ,
        prefix=PREFIX,
        flags=flags or {},
    )


def _read(file: Path | None) -> dict[str, Any]:
    path = file or DEFAULT_FILE
    try:
        return parse_toml(path.read_text(encoding="utf-8"), file=path)
    except FileNotFoundError as error:
        if file is None:
            return {}
        raise SettingsError((f"{file}: no such file",)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError((f"{path}: cannot be read ({error})",)) from error
