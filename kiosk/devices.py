"""From settings to drivers: the only place of the kiosk that names driver classes."""

import sys
from pathlib import Path
from typing import assert_never

import msgspec

from attendance.cards import looks_like_card
from attendance.clock import Clock
from hardware.fake import FakeReader, FakeSignal
from hardware.gpio_signal import GpioSignal
from hardware.key_scanner import KeyScanner
from hardware.nfc_auto import AutoNfcReader
from hardware.qr_camera import QrCamera, Watch
from hardware.reader import CardReader
from hardware.signal import Signal
from hardware.sound import SoundSignal
from hardware.supervised import SupervisedReader
from kiosk.config import GreetingSettings, ReaderKind, ReaderSettings, SignalKind, SignalSettings
from kiosk.manner import manner

READER_PROCESS = (sys.executable, "-P", "-m", "kiosk.reader_process")
"""The settings go to its standard input; `-P`: the folder that the door runs in holds no code."""


def make_reader(wanted: ReaderSettings) -> CardReader:
    """Return the reader of a door, not opened. Raises: ValueError when its source makes no sense to the driver."""
    driver = make_driver(wanted)
    if not wanted.stands_alone:
        return driver
    return SupervisedReader(wanted.name, READER_PROCESS, msgspec.json.encode(wanted))


def make_driver(wanted: ReaderSettings, *, watch: Watch | None = None) -> CardReader:
    """Return the driver itself, in this process, not opened; a camera tells `watch` of its frames.

    Raises: ValueError when its source makes no sense to the driver.
    """
    match wanted.kind:
        case ReaderKind.QR_CAMERA:
            return QrCamera(
                wanted.name,
                wanted.source,
                width=wanted.width,
                height=wanted.height,
                fps=wanted.fps,
                loop=wanted.loop,
                hold_off_s=wanted.hold_off_s,
                exposure=wanted.exposure,
                focus=wanted.focus,
                budget_s=wanted.budget_ms / 1000,
                accept=looks_like_card,
                watch=watch,
            )
        case ReaderKind.NFC:
            return AutoNfcReader(
                wanted.name, wanted.source, system_codes=wanted.system_codes, hold_off_s=wanted.hold_off_s
            )
        case ReaderKind.KEYS:
            return KeyScanner(wanted.name, wanted.source, hold_off_s=wanted.hold_off_s)
        case ReaderKind.FAKE:
            return FakeReader(wanted.name, Path(wanted.source) if wanted.source else None)
        case _:
            assert_never(wanted.kind)


def make_signal(wanted: SignalSettings, clock: Clock, greetings: GreetingSettings) -> Signal:
    """Return the signal, not opened; a speaker looks at the clock at each cue."""
    match wanted.kind:
        case SignalKind.SOUND:
            return SoundSignal(
                wanted.name,
                directory=Path(wanted.directory) if wanted.directory else None,
                voice_directory=Path(wanted.voice_directory) if wanted.voice_directory else None,
                device=wanted.device,
                manner=lambda cue: manner(cue, wanted, greetings, clock.read()),
            )
        case SignalKind.GPIO:
            return GpioSignal(
                wanted.name,
                green_pin=wanted.green_pin,
                yellow_pin=wanted.yellow_pin,
                red_pin=wanted.red_pin,
                buzzer_pin=wanted.buzzer_pin,
            )
        case SignalKind.FAKE:
            return FakeSignal(wanted.name)
        case _:
            assert_never(wanted.kind)
