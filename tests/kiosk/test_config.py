import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from attendance.catalogue import Language
from attendance.clock import JST, ManualClock
from attendance.errors import SettingsError
from attendance.settings import show
from hardware.fake import FakeReader, FakeSignal
from hardware.gpio_signal import GpioSignal
from hardware.key_scanner import KeyScanner
from hardware.nfc_auto import AutoNfcReader
from hardware.qr_camera import QrCamera
from hardware.signal import Cue
from hardware.soft_card import SoftField
from hardware.soft_tags import Type3Tag
from hardware.sound import SoundSignal
from kiosk.config import (
    GreetingSettings,
    KioskSettings,
    ReaderKind,
    ReaderSettings,
    SignalKind,
    SignalSettings,
    load,
)
from kiosk.devices import make_driver, make_reader, make_signal

EVENING = datetime(2026, 11, 24, 18, 30, tzinfo=JST)
DOCUMENT = Path(__file__).parents[2] / "docs" / "kiosk-settings.md"


def loaded(tmp_path: Path, toml: str = "", *, environ: Mapping[str, str] | None = None, **flags: str) -> KioskSettings:
    file = tmp_path / "kiosk.toml"
    file.write_text(toml, encoding="utf-8")
    dotted = {name.replace("__", "."): value for name, value in flags.items()}
    return load(file, environ=environ or {}, flags=dotted)


def problems(tmp_path: Path, toml: str) -> str:
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, toml)
    return str(caught.value)


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert loaded(tmp_path) == KioskSettings()


def test_readers_and_signals_are_tables_of_the_file(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        """
        language = "en"
        [[readers]]
        name = "front"
        kind = "qr_camera"
        source = "0"
        [[readers]]
        name = "training"
        kind = "fake"
        [[signals]]
        name = "lights"
        kind = "gpio"
        green_pin = 17
        red_pin = "BOARD11"
        """,
    )
    assert [reader.kind for reader in settings.readers] == [ReaderKind.QR_CAMERA, ReaderKind.FAKE]
    assert (settings.signals[0].green_pin, settings.signals[0].red_pin) == (17, "BOARD11")
    assert settings.language is Language.EN


def test_environment_goes_over_file_and_command_line_over_both(tmp_path: Path) -> None:
    toml = 'data_dir = "/file"\nruntime_dir = "/file"\n[screen]\nport = 1\n'
    environ = {"TADAIMA_KIOSK_RUNTIME_DIR": "/environment", "TADAIMA_KIOSK_SCREEN_PORT": "2"}
    settings = loaded(tmp_path, toml, environ=environ, screen__port="3")
    assert (settings.data_dir, settings.runtime_dir) == (Path("/file"), Path("/environment"))
    assert settings.screen.port == 3


def test_all_mistakes_are_told_at_once_and_with_what_was_meant(tmp_path: Path) -> None:
    told = problems(tmp_path, 'langauge = "en"\n[screen]\nport = 70000\n[sync]\ninterval_s = 0\n')
    assert "did you mean 'language'?" in told
    assert "screen.port" in told
    assert "sync.interval_s" in told


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ('[[readers]]\nname = "a"\nkind = "keys"\n', "which device"),
        ('[[readers]]\nname = "a b"\nkind = "fake"\n', "readers[0].name"),
        ('[[readers]]\nname = "a"\nkind = "telepathy"\n', "readers[0].kind"),
        ('[[readers]]\nname = "a"\nkind = "fake"\n[[signals]]\nname = "a"\nkind = "fake"\n', "used twice"),
        ('[[readers]]\nname = "a"\nkind = "fake"\nsystem_codes = []\n', "readers[0].system_codes"),
        ('[[readers]]\nname = "a"\nkind = "fake"\nsystem_codes = [0x10000]\n', "readers[0].system_codes"),
        ('[[signals]]\nname = "a"\nkind = "sound"\nvolume = 2\n', "signals[0].volume"),
        ('[[signals]]\nname = "a"\nkind = "sound"\nquiet_from = "18:00"\n', "signals[0]: quiet_from and quiet_until"),
        ('[[signals]]\nname = "a"\nkind = "sound"\nquiet_from = "18:00"\nquiet_until = "18:00"\n', "the same time"),
        ('[[signals]]\nname = "a"\nkind = "sound"\nquiet_from = "25:00"\nquiet_until = "8:00"\n', "[0].quiet_until"),
        (
            '[[signals]]\nname = "a"\nkind = "sound"\nvolume = 0.2\nquiet_from = "18:00"\nquiet_until = "08:00"\n',
            "quiet_volume: louder than volume",
        ),
        ('[greetings]\nmorning_until = "eleven"\n', "greetings.morning_until"),
        ('[texts]\n"screen.in.titel" = "おかえり"\n', "did you mean 'screen.in.title'?"),
        ('[texts]\n"screen.in.title" = 5\n', "texts"),
        ('readers = "front"\n', "array of tables"),
        ("data_dir = 5\n", "a path is wanted"),
        ('data_dir = ""\n', "a path is wanted"),
        ("language = ", "not valid TOML"),
    ],
)
def test_a_mistake_is_told_where_it_is(tmp_path: Path, toml: str, told: str) -> None:
    assert told in problems(tmp_path, toml)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load(tmp_path / "none.toml", environ={}, flags={})


def test_paths_can_be_shown(tmp_path: Path) -> None:
    assert '* data_dir = "/elsewhere"' in list(show(loaded(tmp_path, data_dir="/elsewhere")))


def test_the_files_of_a_kiosk_lie_in_its_folders() -> None:
    settings = KioskSettings(data_dir=Path("/d"), runtime_dir=Path("/r"))
    assert (settings.journal_path, settings.cache_path) == (Path("/d/journal.db"), Path("/d/cache.db"))
    assert settings.names_key_path == Path("/r/names.key")


def leaves(kind: type[msgspec.Struct], under: str = "") -> Iterator[str]:
    for info in msgspec.structs.fields(kind):
        item = {"readers": ReaderSettings, "signals": SignalSettings}.get(info.name, info.type)
        if isinstance(item, type) and issubclass(item, msgspec.Struct):
            yield from leaves(item, f"{under}{info.name}.")
        else:
            yield f"{under}{info.name}"


def documented() -> dict[str, str]:
    """Each setting of the document with its default as written there."""
    rows = re.findall(r"^\| `([a-z_.]+)` \| ([^|]+) \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: default.strip() for name, default in rows}


def test_every_setting_is_in_the_document_and_no_other() -> None:
    assert sorted(documented()) == sorted(leaves(KioskSettings))


def test_the_document_tells_the_defaults() -> None:
    reader = ReaderSettings(name="x", kind=ReaderKind.FAKE)
    signal = SignalSettings(name="y", kind=SignalKind.FAKE)
    lines = [*show(KioskSettings(readers=(reader,), signals=(signal,)))]
    shown = dict(re.sub(r"\[0\]", "", line[2:]).split(" = ", 1) for line in lines)
    for name, default in documented().items():
        match default:
            case "empty":
                assert shown[name] == '""', name
            case "none":
                assert shown[name] == "null", name
            case _ if default.startswith("none, must be given"):
                assert name.rpartition(".")[2] in {"name", "kind", "source"}, name
            case _:
                assert shown[name].strip('"') == default.strip("`"), name


def test_the_example_of_the_document_is_valid(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert [reader.name for reader in loaded(tmp_path, example).readers] == ["front", "table"]


@pytest.mark.parametrize(
    ("kind", "source", "driver"),
    [
        (ReaderKind.QR_CAMERA, "0", QrCamera),
        (ReaderKind.NFC, "usb", AutoNfcReader),
        (ReaderKind.KEYS, "/dev/input/event0", KeyScanner),
        (ReaderKind.FAKE, "", FakeReader),
    ],
)
def test_every_kind_of_reader_has_its_driver(kind: ReaderKind, source: str, driver: type) -> None:
    reader = make_driver(ReaderSettings(name="front", kind=kind, source=source))
    assert type(reader) is driver
    assert reader.name == "front"


def test_an_nfc_reader_asks_for_the_felica_system_that_is_set(tmp_path: Path) -> None:
    card = Type3Tag(bytes.fromhex("012e4c1122334455"), b"", system=0xFE00)  # also answers for 12FC, by another number
    with SoftField() as field:
        toml = f'[[readers]]\nname = "a"\nkind = "nfc"\nsource = "udp:127.0.0.1:{field.port}"\nsystem_codes = [0x12FC]'
        (wanted,) = loaded(tmp_path, toml).readers
        reader = make_reader(wanted)
        reader.open()
        field.lay(card)
        read = next(iter(reader.reads()))
        reader.close()
    assert read.payload.hex() == "12fc" + "112e4c1122334455"


@pytest.mark.parametrize(
    ("kind", "driver"),
    [(SignalKind.SOUND, SoundSignal), (SignalKind.GPIO, GpioSignal), (SignalKind.FAKE, FakeSignal)],
)
def test_every_kind_of_signal_has_its_driver(kind: SignalKind, driver: type) -> None:
    signal = make_signal(SignalSettings(name="beep", kind=kind), ManualClock(EVENING), GreetingSettings())
    assert type(signal) is driver


def test_a_speaker_is_given_its_folders_and_asks_for_the_volume_at_each_cue() -> None:
    wanted = SignalSettings(
        name="beep",
        kind=SignalKind.SOUND,
        directory="/own",
        voice_directory="/voice",
        quiet_from="18:00",
        quiet_until="08:00",
    )
    clock = ManualClock(EVENING)
    signal = make_signal(wanted, clock, GreetingSettings())
    assert isinstance(signal, SoundSignal)
    assert (signal._directory, signal._voice_directory) == (Path("/own"), Path("/voice"))
    assert signal._manner(Cue.AGAIN).volume == 0.3
    clock.advance(14 * 3600)
    assert signal._manner(Cue.AGAIN).volume == 1.0
