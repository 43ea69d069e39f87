"""Synthetic: a picture of a printed card with its QR code, for demos, tests and benchmarks."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hardware.errors import DriverMissing
from hardware.qr_decode import Grey

CARD_MM = (85.6, 54.0)
CODE_MM = 36.0
"""Side of the code without its quiet zone; 25 modules of 1.44 mm."""
CODE_LEFT_MM = 12.0
CODE_TOP_MM = 9.0
QUIET_MODULES = 4
"""White around a code. Source: ISO/IEC 18004, 5.3.8."""
PX_PER_MM = 12
PAPER = 235
INK = 25


@dataclass(frozen=True, slots=True)
class Card:
    """A card as printed, in several sizes, so that a far card is drawn without aliasing."""

    sizes: tuple[Grey, ...]
    """Each half as large as the one before; the first has PX_PER_MM."""


@lru_cache(maxsize=64)
def draw_card(payload: str, *, inverted: bool = False) -> Card:
    """A card with the payload as QR code of ECC Q, version 2 when it fits; inverted: light on dark, as phones show.

    Raises: DriverMissing when segno is not installed.
    """
    import cv2

    modules = code_modules(payload)
    width, height = (round(side * PX_PER_MM) for side in CARD_MM)
    card = np.full((height, width), PAPER, dtype=np.uint8)
    side = round(CODE_MM * PX_PER_MM)
    code = np.where(cv2.resize(modules, (side, side), interpolation=cv2.INTER_NEAREST) > 0, INK, PAPER)
    left, top = round(CODE_LEFT_MM * PX_PER_MM), round(CODE_TOP_MM * PX_PER_MM)
    card[top : top + side, left : left + side] = code
    _draw_label(card)
    if inverted:
        card = np.asarray(255 - card, dtype=np.uint8)
    sizes = [card]
    while min(sizes[-1].shape) > 60:
        sizes.append(np.asarray(cv2.pyrDown(sizes[-1]), dtype=np.uint8))
    return Card(tuple(sizes))


def code_modules(payload: str) -> Grey:
    """The code's modules, one pixel each, 1 dark, no quiet zone. Raises: DriverMissing when segno is not installed."""
    try:
        import segno
    except ImportError as error:
        raise DriverMissing("segno", "install the server extra: pip install 'tadaima[server]'") from error
    try:
        code = segno.make_qr(payload, version=2, error="q", boost_error=False)
    except segno.DataOverflowError:
        code = segno.make_qr(payload, error="q", boost_error=False)
    return np.array([list(row) for row in code.matrix], dtype=np.uint8)


def code_picture(payload: str, *, module_px: int = 6) -> Grey:
    """A clean code, black on white, as a file would hold it."""
    modules = np.pad(code_modules(payload), QUIET_MODULES)
    return np.asarray(np.kron(1 - modules, np.ones((module_px, module_px), dtype=np.uint8)) * 255, dtype=np.uint8)


def _draw_label(card: Grey) -> None:
    import cv2

    left = round((CODE_LEFT_MM + CODE_MM + 6) * PX_PER_MM)
    cv2.putText(card, "TADAIMA", (left, 14 * PX_PER_MM), cv2.FONT_HERSHEY_SIMPLEX, 2.4, INK, 6, cv2.LINE_AA)
    cv2.circle(card, (left + 10 * PX_PER_MM, 26 * PX_PER_MM), 7 * PX_PER_MM, 120, -1, cv2.LINE_AA)
    # Where the thumb goes: the bottom right corner is the one that harms no finder pattern.
    grip = (card.shape[1] - 22 * PX_PER_MM, card.shape[0] - 16 * PX_PER_MM)
    cv2.rectangle(card, grip, (card.shape[1] - 3 * PX_PER_MM, card.shape[0] - 3 * PX_PER_MM), 190, -1)
