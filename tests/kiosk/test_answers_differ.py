"""The answers that a child must tell apart differ in each way by which it may perceive them."""

import math
import re
from itertools import combinations
from pathlib import Path

import pytest

from hardware.gpio_signal import pattern
from hardware.signal import Cue
from hardware.tones import score
from kiosk.announce import cue
from kiosk.answer import AnswerKind

STATIC = Path(__file__).parents[2] / "kiosk" / "screen" / "static"
TEMPLATES = STATIC.parent / "templates"
SEVEN = {
    "in": AnswerKind.IN,
    "out": AnswerKind.OUT,
    "again": AnswerKind.AGAIN_IN,
    "undone": AnswerKind.UNDONE,
    "unknown card": AnswerKind.UNKNOWN,
    "ask staff": AnswerKind.STAFF,
    "broken": AnswerKind.BROKEN,
}
PAIRS = list(combinations(SEVEN, 2))
# What a person without the red, the green or the blue cones sees of a colour (Machado, Oliveira and Fernandes 2009).
EYES = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red cones": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "no green cones": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "no blue cones": ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
}


def ground(kind: AnswerKind) -> str:
    """The colour of the whole page."""
    css = (STATIC / "screen.css").read_text(encoding="utf-8")
    rules = re.findall(r'body\[data-kind(\^?)="(\w+)"\] \{ --ground: #([0-9a-f]{3,6});', css)
    (found,) = [colour for start, name, colour in rules if kind == name or (start and kind.startswith(name))]
    return str(found) if len(found) == 6 else "".join(2 * digit for digit in found)


def shape(kind: AnswerKind) -> str:
    symbols = (TEMPLATES / "symbols.svg").read_text(encoding="utf-8")
    (drawn,) = re.findall(rf'<symbol id="shape-{kind}"[^>]*>(.*?)</symbol>', symbols)
    return str(drawn)


def lab(colour: str, eye: str) -> tuple[float, float, float]:
    """CIELAB of what an eye sees of a colour, D65."""
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4))
    ]
    red, green, blue = (max(0.0, sum(w * v for w, v in zip(row, linear, strict=True))) for row in EYES[eye])
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    fx, fy, fz = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def difference(one: str, other: str, eye: str) -> float:
    return math.dist(lab(one, eye), lab(other, eye))


@pytest.mark.parametrize("eye", EYES)
def test_any_two_answers_have_colours_that_any_eye_tells_apart(eye: str) -> None:
    found = {(one, other): difference(ground(SEVEN[one]), ground(SEVEN[other]), eye) for one, other in PAIRS}
    assert {pair: round(far) for pair, far in found.items() if far < 10} == {}


def test_any_two_answers_have_shapes_of_their_own() -> None:
    assert len({shape(kind) for kind in SEVEN.values()}) == len(SEVEN)


def test_any_two_answers_have_sounds_of_their_own() -> None:
    assert len({score(cue(kind)) for kind in SEVEN.values()}) == len(SEVEN)


def test_light_and_buzzer_alone_tell_all_answers_apart() -> None:
    assert len({cue(kind) for kind in SEVEN.values()}) == len(SEVEN)
    beats = [re.findall(r"#+", pattern(cue(kind)).rhythm) for kind in SEVEN.values()]
    assert len({tuple("long" if len(beat) > 3 else "short" for beat in each) for each in beats}) == len(SEVEN)


def test_what_calls_for_a_grown_up_is_red_and_a_movement_is_green() -> None:
    red = {each for each in Cue if pattern(each).lamp == "red"}
    green = {each for each in Cue if pattern(each).lamp == "green"}
    assert (red, green) == ({Cue.UNKNOWN, Cue.STAFF, Cue.BROKEN}, {Cue.IN, Cue.OUT})
