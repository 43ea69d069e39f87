"""Lights and buzzer: what gpiozero's mock pins see of each cue."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory, MockPin

from hardware.errors import DriverMissing, SignalLost
from hardware.gpio_signal import TICK_S, GpioSignal, Lamp, pattern
from hardware.signal import Cue

PINS = {Lamp.GREEN: 17, Lamp.YELLOW: 27, Lamp.RED: 4}
BUZZER_PIN = 22


@dataclass
class Panel:
    """An open signal and its pins."""

    signal: GpioSignal
    factory: MockFactory

    def on(self) -> set[int]:
        """The pins that are on now."""
        return {number for number in (*PINS.values(), BUZZER_PIN) if self.factory.pin(number).state}

    def went_on(self) -> set[int]:
        """The pins that have been on since the signal was opened."""
        return {
            number
            for number in (*PINS.values(), BUZZER_PIN)
            if any(state.state for state in self.factory.pin(number).states)
        }

    def wait(self, *, dark: bool) -> None:
        """Wait until something is on, or nothing is."""
        deadline_s = time.monotonic() + 10.0
        while bool(self.on()) == dark:
            assert time.monotonic() < deadline_s
            time.sleep(TICK_S / 10)


@pytest.fixture
def panel() -> Iterator[Panel]:
    factory = MockFactory()
    signal = GpioSignal(
        "lamp",
        green_pin=PINS[Lamp.GREEN],
        yellow_pin=PINS[Lamp.YELLOW],
        red_pin=PINS[Lamp.RED],
        buzzer_pin=BUZZER_PIN,
        pin_factory=factory,
    )
    signal.open()
    yield Panel(signal, factory)
    signal.close()


@pytest.mark.parametrize("cue", Cue)
def test_a_cue_lights_its_lamp_and_no_other_sounds_the_buzzer_and_ends_dark(panel: Panel, cue: Cue) -> None:
    panel.signal.play(cue)
    panel.wait(dark=False)
    time.sleep(len(pattern(cue).rhythm) * TICK_S)
    panel.wait(dark=True)
    assert panel.went_on() == {PINS[pattern(cue).lamp], BUZZER_PIN}


def test_a_new_cue_darkens_the_lamp_of_the_one_before(panel: Panel) -> None:
    panel.signal.play(Cue.IN)
    panel.wait(dark=False)
    panel.signal.play(Cue.UNKNOWN)
    assert PINS[Lamp.GREEN] not in panel.on()
    panel.wait(dark=False)
    assert PINS[Lamp.RED] in panel.on() or BUZZER_PIN in panel.on()


def test_closing_darkens_everything_and_gives_the_pins_back(panel: Panel) -> None:
    panel.signal.play(Cue.ASK)
    panel.wait(dark=False)
    panel.signal.close()
    assert panel.on() == set()
    panel.signal.open()


def test_no_two_cues_share_a_rhythm_even_without_colour() -> None:
    rhythms = [pattern(cue).rhythm for cue in Cue]
    assert len(set(rhythms)) == len(Cue)
    # Nor do two that could be told apart by nothing but a beat's length: beats as short or long.
    beats = [tuple("long" if len(beat) > 3 else "short" for beat in rhythm.split(".") if beat) for rhythm in rhythms]
    assert len(set(beats)) == len(Cue)


def test_a_signal_without_a_buzzer_still_lights() -> None:
    factory = MockFactory()
    signal = GpioSignal("lamp", green_pin=17, yellow_pin=None, red_pin=None, buzzer_pin=None, pin_factory=factory)
    signal.open()
    signal.play(Cue.BROKEN)  # has no lamp fitted: nothing to do, and no error
    signal.play(Cue.IN)
    deadline_s = time.monotonic() + 10.0
    while not factory.pin(17).state:
        assert time.monotonic() < deadline_s
    signal.close()


class StuckPin(MockPin):  # type: ignore[misc]  # gpiozero has no types
    """A pin that cannot be set once it is gone."""

    gone = False

    def _set_state(self, value: bool) -> None:
        if self.gone:
            raise OSError("gone")
        super()._set_state(value)


def test_a_pin_that_fails_at_closing_does_not_keep_the_others() -> None:
    factory = MockFactory()
    pin = factory.pin(17, pin_class=StuckPin)
    signal = GpioSignal("lamp", green_pin=17, yellow_pin=27, red_pin=None, buzzer_pin=22, pin_factory=factory)
    signal.open()
    pin.gone = True
    signal.close()
    others = GpioSignal("lamp", green_pin=None, yellow_pin=27, red_pin=None, buzzer_pin=22, pin_factory=factory)
    others.open()
    others.close()


def lamp_on_lgpio(monkeypatch: pytest.MonkeyPatch, folder: Path, lgpio: str) -> GpioSignal:
    """A signal on a machine whose lgpio is the given source."""
    (folder / "lgpio.py").write_text(lgpio)
    monkeypatch.syspath_prepend(folder)
    for module in ("lgpio", "gpiozero.pins.lgpio"):
        monkeypatch.setitem(sys.modules, module, None)  # so that what the test imports is forgotten after it
        del sys.modules[module]
    return GpioSignal("lamp", green_pin=17, yellow_pin=None, red_pin=None, buzzer_pin=None)


def test_without_lgpio_nothing_else_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lgpio", None)
    signal = GpioSignal("lamp", green_pin=17, yellow_pin=None, red_pin=None, buzzer_pin=None)
    with pytest.raises(DriverMissing, match=r"python3-lgpio.*system-site-packages"):
        signal.open()


def test_a_machine_that_is_no_pi_has_no_lights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    signal = lamp_on_lgpio(
        monkeypatch, tmp_path, "class error(Exception): ...\ndef __getattr__(name): return 0\n__path__ = None\n"
    )
    with pytest.raises(SignalLost, match="revision"):
        signal.open()


def test_lgpio_in_a_directory_it_may_not_write_to_is_told_as_that(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    signal = lamp_on_lgpio(monkeypatch, tmp_path, "open('/nonexistent/.lgd-nfy-3')")
    with pytest.raises(SignalLost, match="working directory"):
        signal.open()
