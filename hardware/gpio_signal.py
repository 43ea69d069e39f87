"""Three lights and a buzzer on GPIO pins, through gpiozero: a signal at step 7 of the straight line.

A cue has a light and a rhythm, and no two cues share a rhythm: whoever cannot tell the colours apart, or cannot hear,
is answered all the same.
"""

import logging
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, assert_never

from hardware.errors import DriverMissing, SignalLost
from hardware.signal import Cue

log = logging.getLogger(__name__)

TICK_S = 0.06
_LGPIO_REMEDY = "apt install python3-lgpio, and make the virtual environment with --system-site-packages"
"""The package of Raspberry Pi OS, since there are no wheels of lgpio for Python 3.13; Debian 13 has none either."""


class Lamp(StrEnum):
    """The lights, by colour."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Pattern:
    """What light and buzzer do together, a character a tick: `#` on, `.` off."""

    lamp: Lamp
    rhythm: str


def pattern(cue: Cue) -> Pattern:
    """The light and rhythm of a cue."""
    match cue:
        case Cue.IN:
            return Pattern(Lamp.GREEN, "##########")
        case Cue.OUT:
            return Pattern(Lamp.GREEN, "#####...#####")
        case Cue.AGAIN:
            return Pattern(Lamp.YELLOW, "#..#")
        case Cue.UNDONE:
            return Pattern(Lamp.YELLOW, "#..########")
        case Cue.UNKNOWN:
            return Pattern(Lamp.RED, "##..##..##")
        case Cue.STAFF:
            return Pattern(Lamp.RED, "##..######..##..######")
        case Cue.ASK:
            return Pattern(Lamp.YELLOW, "########..#")
        case Cue.BROKEN:
            return Pattern(Lamp.RED, "#.#.#.#.#.#.#.#.#.#.#.#.#.#.#")
    assert_never(cue)


class GpioSignal:
    """Lights and a buzzer (active, with a driver of its own) on GPIO pins by gpiozero's names; None for one not fitted.

    `pin_factory` is a gpiozero pin factory; without one lgpio is used, and nothing else is tried.
    """

    def __init__(
        self,
        name: str,
        *,
        green_pin: int | str | None,
        yellow_pin: int | str | None,
        red_pin: int | str | None,
        buzzer_pin: int | str | None,
        pin_factory: Any = None,
    ) -> None:
        self.name = name
        self._lamp_pins = {Lamp.GREEN: green_pin, Lamp.YELLOW: yellow_pin, Lamp.RED: red_pin}
        self._buzzer_pin = buzzer_pin
        self._given_factory = pin_factory
        self._own_factory: Any = None
        self._lamps: dict[Lamp, Any] = {}
        self._buzzer: Any = None
        self._faults: tuple[type[Exception], ...] = ()
        """What gpiozero and the library below it raise."""

    def open(self) -> None:
        """Take the pins. Raises: SignalLost when one cannot be had, DriverMissing when gpiozero or lgpio is missing."""
        self.close()
        try:
            from gpiozero import DigitalOutputDevice, GPIOZeroError
        except ImportError as error:
            raise DriverMissing("gpiozero", "install Tadaima with its extra 'kiosk'") from error
        self._faults = (GPIOZeroError, OSError)
        factory = self._given_factory or self._take_lgpio()
        try:
            for lamp, pin in self._lamp_pins.items():
                if pin is not None:
                    self._lamps[lamp] = DigitalOutputDevice(pin, pin_factory=factory)
            if self._buzzer_pin is not None:
                self._buzzer = DigitalOutputDevice(self._buzzer_pin, pin_factory=factory)
        except self._faults as error:
            self.close()
            raise SignalLost(self.name, str(error)) from error

    def play(self, cue: Cue) -> None:
        """Start the cue's light and rhythm. Raises: SignalLost when not open or a pin fails."""
        devices = self._devices()
        if not devices:
            raise SignalLost(self.name, "not open")
        wanted = pattern(cue)
        values = [tick == "#" for tick in wanted.rhythm] + [False]
        try:
            _darken(devices)
            for device in (self._lamps.get(wanted.lamp), self._buzzer):
                if device is not None:
                    device.source_delay = TICK_S
                    device.source = values
        except self._faults as error:
            raise SignalLost(self.name, str(error)) from error

    def close(self) -> None:
        """Darken, silence and let go of the pins. Idempotent; never raises."""
        devices, self._lamps, self._buzzer = self._devices(), {}, None
        factory, self._own_factory = self._own_factory, None
        # One that fails must not leave the others alight, nor the chip taken.
        for let_go in (
            *(partial(_darken, [device]) for device in devices),
            *(device.close for device in devices),
            *([] if factory is None else [factory.close]),
        ):
            try:
                let_go()
            except Exception as error:  # noqa: BLE001 - a chip that is gone may fail in ways of its driver's own
                log.info("gpio did not close cleanly signal=%s error=%s", self.name, type(error).__name__)

    def _devices(self) -> list[Any]:
        return [*self._lamps.values(), *([] if self._buzzer is None else [self._buzzer])]

    def _take_lgpio(self) -> Any:
        try:
            import lgpio
            from gpiozero.pins.lgpio import LGPIOFactory
        except ImportError as error:
            raise DriverMissing("lgpio", f"{_LGPIO_REMEDY}; see docs/install.md") from error
        except OSError as error:  # lgpio makes a file in the working directory when it is imported
            raise SignalLost(self.name, f"lgpio needs a working directory it may write to: {error}") from error
        self._faults = (*self._faults, lgpio.error)
        try:
            self._own_factory = LGPIOFactory()
        except self._faults as error:
            raise SignalLost(self.name, str(error)) from error
        return self._own_factory


def _darken(devices: list[Any]) -> None:
    for device in devices:
        device.source = None
        device.off()
