"""The settings of a kiosk: kiosk.toml, environment and command line, into one type (docs/kiosk-settings.md)."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec

from attendance import settings
from attendance.catalogue import Language
from attendance.errors import SettingsError
from kiosk import own_texts
from kiosk.catalogues import catalogues
from kiosk.hours import HourMinute

PREFIX = "TADAIMA_KIOSK"
DEFAULT_FILE = Path("/etc/tadaima/kiosk.toml")
SECRET = frozenset({"proxy"})
"""Settings that may hold a password, and are not shown."""

Name = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,32}$", description="a name of up to 32 letters a-z, digits, - and _")
]
"""Of a reader or signal; it stands in logs and on the screen."""
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Waiting = Annotated[float, msgspec.Meta(gt=0, le=600)]
Volume = Annotated[float, msgspec.Meta(ge=0, le=1)]
Pin = int | str | None
"""As gpiozero names it: 17, "GPIO17" or "BOARD11"."""

SystemCodes = Annotated[tuple[Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)], ...], msgspec.Meta(min_length=1)]


class ReaderKind(StrEnum):
    """The drivers of card readers."""

    QR_CAMERA = "qr_camera"
    NFC = "nfc"
    KEYS = "keys"
    FAKE = "fake"


class SignalKind(StrEnum):
    """The drivers of lights and sounds."""

    SOUND = "sound"
    GPIO = "gpio"
    FAKE = "fake"


class ReaderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One `[[readers]]`."""

    name: Name
    kind: ReaderKind
    source: str = ""
    """Which device, as its driver names it; empty for whichever NFC reader is plugged in, or a fake without FIFO."""
    width: Annotated[int, msgspec.Meta(ge=64, le=4096)] = 640
    height: Annotated[int, msgspec.Meta(ge=64, le=4096)] = 480
    fps: Annotated[float, msgspec.Meta(gt=0, le=120)] = 15.0
    loop: bool = False
    """Play a recording again and again."""
    hold_off_s: Seconds = 1.0
    """How long a card must be gone before it is read again."""
    exposure: float | None = None
    focus: float | None = None
    budget_ms: Annotated[float, msgspec.Meta(ge=5, le=1000)] = 60.0
    """How long a camera's frame may be looked at."""
    system_codes: SystemCodes = (0xFFFF,)
    """FeliCa systems to ask an NFC card for, in turn."""
    own_process: bool | None = None
    """None for as suits the kind."""

    @property
    def stands_alone(self) -> bool:
        """Whether its driver runs in a process of its own: where decoders of pictures are at work, unless set."""
        return self.kind is ReaderKind.QR_CAMERA if self.own_process is None else self.own_process

    def __post_init__(self) -> None:
        if not self.source and self.kind not in (ReaderKind.FAKE, ReaderKind.NFC):
            raise ValueError("source: missing; which device?")


class SignalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One `[[signals]]`."""

    name: Name
    kind: SignalKind
    directory: str = ""
    """Of sounds in place of those that come with Tadaima."""
    voice_directory: str = ""
    """Of recordings that are spoken after the tone."""
    device: str = "default"
    """ALSA's name of the sound card."""
    volume: Volume = 1.0
    quiet_volume: Volume = 0.3
    quiet_from: HourMinute | None = None
    quiet_until: HourMinute | None = None
    green_pin: Pin = None
    yellow_pin: Pin = None
    red_pin: Pin = None
    buzzer_pin: Pin = None

    def __post_init__(self) -> None:
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise ValueError("quiet_from and quiet_until: one needs the other")
        if self.quiet_from is None:
            return
        if self.quiet_from == self.quiet_until:
            raise ValueError("quiet_from and quiet_until: the same time; set volume instead")
        if self.quiet_volume > self.volume:
            raise ValueError("quiet_volume: louder than volume")


class ScreenSettings(msgspec.Struct, frozen=True):
    """`[screen]`."""

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8750
    enabled: bool = True


class GreetingSettings(msgspec.Struct, frozen=True):
    """`[greetings]`: until when a child who comes or goes is greeted otherwise than in the afternoon."""

    morning_until: HourMinute = "11:00"
    """Before the first school ends, at the earliest; children who come by then were not at school."""
    going_out_until: HourMinute = "16:00"
    """Before children are fetched or sent home."""


class SyncSettings(msgspec.Struct, frozen=True):
    """`[sync]`."""

    interval_s: Waiting = 2.0
    """Between two questions to the server while there is nothing to send."""
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0
    """For one answer of the server, which counts on no longer (docs/protocol.md, times)."""
    proxy: str = ""
    """Of the municipality, with scheme and port; may hold a name and a password. Empty for none."""
    ca_file: str = ""
    """Certificates (PEM) to trust in place of the usual ones, as where a proxy looks into TLS."""

    def __post_init__(self) -> None:
        if self.proxy and not _is_proxy(self.proxy):
            raise ValueError("proxy: an address with its port is wanted, such as http://proxy.example:8080")


class JournalSettings(msgspec.Struct, frozen=True):
    """`[journal]`."""

    busy_timeout_s: Waiting = 5.0
    """How long a write waits for another process before the child is told that it failed."""


class KioskSettings(msgspec.Struct, frozen=True):
    """Everything that can be set on a kiosk; what can be a rule of the site is in its policy on the server instead."""

    data_dir: Path = Path("/var/lib/tadaima-kiosk")
    runtime_dir: Path = Path("/run/tadaima-kiosk")
    server_url: str = ""
    """Empty for the one the kiosk was enrolled with."""
    language: Language = Language.JA_EASY
    screen: ScreenSettings = ScreenSettings()
    greetings: GreetingSettings = GreetingSettings()
    texts: dict[str, str] = {}
    """Of the child's screen, in place of the catalogue's, by their ids."""
    journal: JournalSettings = JournalSettings()
    sync: SyncSettings = SyncSettings()
    readers: tuple[ReaderSettings, ...] = ()
    signals: tuple[SignalSettings, ...] = ()

    def __post_init__(self) -> None:
        names = [reader.name for reader in self.readers] + [signal.name for signal in self.signals]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"readers and signals need names of their own, {', '.join(doubled)} is used twice")

    @property
    def journal_path(self) -> Path:
        """The record."""
        return self.data_dir / "journal.db"

    @property
    def cache_path(self) -> Path:
        """Roster, presence, policy and sync state."""
        return self.data_dir / "cache.db"

    @property
    def names_key_path(self) -> Path:
        """The key of the names, on a tmpfs."""
        return self.runtime_dir / "names.key"


def _is_proxy(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and bool(parts.port)
    except ValueError:
        return False


def load(file: Path | None, *, environ: Mapping[str, str], flags: Mapping[str, Any]) -> KioskSettings:
    """Return the settings; without a file, those of `DEFAULT_FILE` if it is there. Raises: SettingsError."""
    path = file or DEFAULT_FILE
    table: dict[str, Any] = {}
    if file is not None or path.exists():
        try:
            table = settings.parse_toml(path.read_text(encoding="utf-8"), file=path)
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError((f"{path}: {error}",)) from error
    loaded = settings.load(KioskSettings, table=table, environ=environ, prefix=PREFIX, flags=flags)
    if loaded.texts and (wrong := tuple(own_texts.problems(catalogues()[loaded.language], loaded.texts))):
        raise SettingsError(wrong)
    return loaded
