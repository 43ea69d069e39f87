"""Whether a camera sees a card near enough, light enough, sharp enough: pure, with the limits of docs/reading.md."""

from enum import StrEnum

from hardware.frame_measures import Box, Measures

CARD_MODULES = 25
"""Our card is a QR code of version 2."""
GOOD_PX = 3.0
LEAST_PX = 2.0
DARK_BELOW = 60
"""Grey level of white paper under which noise begins to win."""
PALE_SHARE = 0.25
"""More of a picture than this burnt out is too much light, less is a reflection."""
GLARE_SHARE = 0.03
SMEARED_CODE = 0.03
"""Sharpness of a code under which it is out of focus; measured with drawn cards of 3 pixels a module and more."""
SMEARED_PLACE = 0.01
"""The same for the place where a card is to be held, when none was found in it."""
LEAST_CONTRAST = 60
SLOW_PER_S = 8.0
GUIDE_WIDTH = 0.38
CARD_SHAPE = 54.0 / 85.6
CODE_SHARE = 36.0 / 85.6
"""The code's share of the card's width."""
GUIDE_MODULE_PX = 4.0


class Distance(StrEnum):
    """Whether a card is near enough."""

    GOOD = "good"
    LIMIT = "limit"
    FAR = "far"


class Hint(StrEnum):
    """What makes reading hard, the plainest first."""

    DARK = "dark"
    PALE = "pale"
    GLARE = "glare"
    SMEARED = "smeared"
    SLOW = "slow"


def distance(module_px: float) -> Distance:
    """Say whether modules of so many pixels are read: three leave room for a hand's blur, two are the end."""
    if module_px >= GOOD_PX:
        return Distance.GOOD
    return Distance.LIMIT if module_px >= LEAST_PX else Distance.FAR


def code_hints(code: Measures, module_px: float) -> tuple[Hint, ...]:
    """Return what is wrong with how a code looks."""
    smeared = module_px >= GOOD_PX and code.sharpness < SMEARED_CODE
    return (*_light(code.paper, code.burnt), *((Hint.SMEARED,) if smeared else ()))


def place_hints(whole: Measures, place: Measures, *, something_there: bool) -> tuple[Hint, ...]:
    """Return what is wrong with a picture in which no card was found, by all of it and by where the card belongs."""
    smeared = something_there and place.contrast >= LEAST_CONTRAST and place.sharpness < SMEARED_PLACE
    light = _light(whole.paper, whole.burnt if whole.burnt > PALE_SHARE else place.burnt)
    return (*light, *((Hint.SMEARED,) if smeared else ()))


def _light(paper: float, burnt: float) -> tuple[Hint, ...]:
    if paper < DARK_BELOW:
        return (Hint.DARK,)
    if burnt > PALE_SHARE:
        return (Hint.PALE,)
    return (Hint.GLARE,) if burnt >= GLARE_SHARE else ()


def guide(width: int, height: int) -> Box:
    """Return where a card is best held in a picture of that size: in the middle, and large enough to be read well."""
    least = GUIDE_MODULE_PX * CARD_MODULES / CODE_SHARE
    across = min(max(GUIDE_WIDTH * width, least), 0.9 * width, 0.9 * height / CARD_SHAPE)
    left, top = (width - across) / 2, (height - across * CARD_SHAPE) / 2
    return round(left), round(top), round(left + across), round(top + across * CARD_SHAPE)
