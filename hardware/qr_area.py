"""The part of a frame that is worth a second look (step 1 of the line): pure."""

import math
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np

from hardware.qr_decode import Code, Grey
from hardware.qr_gate import Region

Area: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the frame; right and bottom are the first outside."""

CARD_AROUND = 0.25
"""How far a card reaches beyond its code at least, as a share of the code's side."""
LIKEWISE = 0.5
"""How small, against a card that was read, another that is held up beside it may be."""


def area_of(grey: Grey, region: Region | None) -> Area:
    """The region in pixels of the frame; None: all of it."""
    height, width = grey.shape
    if region is None:
        return 0, 0, width, height
    left, top, right, bottom = region
    return int(left * width), int(top * height), math.ceil(right * width), math.ceil(bottom * height)


def cut(grey: Grey, area: Area) -> Grey:
    """The area of the frame, in one piece of memory as the engines want it."""
    left, top, right, bottom = area
    return np.ascontiguousarray(grey[top:bottom, left:right])


def beside(area: Area, codes: Iterable[Code]) -> Area:
    """The largest part of the area beside all the codes; without size where another card has no room."""
    for code in codes:
        left, top, right, bottom = code.box()
        side = max(right - left, bottom - top)
        left, top = int(left - CARD_AROUND * side), int(top - CARD_AROUND * side)
        right, bottom = math.ceil(right + CARD_AROUND * side), math.ceil(bottom + CARD_AROUND * side)
        parts = (
            (area[0], area[1], min(area[2], left), area[3]),
            (max(area[0], right), area[1], area[2], area[3]),
            (area[0], area[1], area[2], min(area[3], top)),
            (area[0], max(area[1], bottom), area[2], area[3]),
        )
        area = max(parts, key=_size)
        if min(area[2] - area[0], area[3] - area[1]) < LIKEWISE * side:
            return 0, 0, 0, 0
    return area


def _size(area: Area) -> int:
    return max(0, area[2] - area[0]) * max(0, area[3] - area[1])
