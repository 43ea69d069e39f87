"""What every signal promises, tried on each driver: a fake, gpiozero on its own mock pins, aplay on the null device."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from gpiozero.pins.mock import MockFactory

from hardware.errors import SignalLost
from hardware.fake import FakeSignal
from hardware.gpio_signal import GpioSignal
from hardware.signal import Cue, Signal
from hardware.sound import SoundSignal

Maker = Callable[..., Signal]


def fake(*, there: bool = True) -> Signal:
    signal = FakeSignal("lamp")
    if not there:
        signal.unplug()
    return signal


def gpio(*, there: bool = True) -> Signal:
    buzzer_pin = 22 if there else 99
    return GpioSignal("lamp", green_pin=17, yellow_pin=27, red_pin=4, buzzer_pin=buzzer_pin, pin_factory=MockFactory())


def sound(*, there: bool = True) -> Signal:
    if shutil.which("aplay") is None:
        pytest.fail("aplay is missing: apt install alsa-utils")
    return SoundSignal("lamp", device="null" if there else "no-such-device")


@pytest.fixture(params=[fake, gpio, sound])
def make(request: pytest.FixtureRequest) -> Maker:
    maker: Maker = request.param
    return maker


@pytest.fixture
def signal(make: Maker) -> Iterator[Signal]:
    signal = make()
    signal.open()
    yield signal
    signal.close()


def test_opening_a_signal_that_is_not_there_says_which_one(make: Maker) -> None:
    with pytest.raises(SignalLost) as caught:
        make(there=False).open()
    assert caught.value.signal == "lamp"


def test_every_cue_can_be_played_and_cuts_the_one_before_short(signal: Signal) -> None:
    for cue in (*Cue, *reversed(Cue)):
        signal.play(cue)


def test_close_may_be_repeated_and_a_closed_signal_is_lost_rather_than_silent(signal: Signal) -> None:
    signal.play(Cue.BROKEN)
    signal.close()
    signal.close()
    with pytest.raises(SignalLost):
        signal.play(Cue.IN)


def test_a_closed_signal_can_be_opened_again(signal: Signal) -> None:
    signal.close()
    signal.open()
    signal.play(Cue.OUT)


def test_opening_twice_is_opening_once(signal: Signal) -> None:
    signal.open()
    signal.play(Cue.ASK)
