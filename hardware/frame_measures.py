"""What aiming a camera needs of a frame: a picture to look at, and how large, light and sharp things in it are.

Beside the straight line: nothing here is needed to read a card. Every function is pure.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from hardware.frame_source import Frame
from hardware.qr_decode import Grey

Corners: TypeAlias = tuple[tuple[float, float], ...]
Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the frame."""

SHOWN_WIDTH_PX = 960
JPEG_QUALITY = 70
MODULE_PX = 4
"""At how many pixels a module a code is laid flat to be measured."""
BURNT = 250
"""Grey level from which a camera shows nothing but white."""


@dataclass(frozen=True, slots=True)
class Measures:
    """How a part of a picture looks; grey levels are 0 to 255."""

    paper: float
    """Grey level of what is light in it."""
    contrast: float
    """Grey levels between what is light and what is dark."""
    burnt: float
    """Share that is white and nothing else."""
    sharpness: float
    """Variance of the Laplacian at full contrast 1: of a code, 0.04 to 0.3 when sharp, under 0.03 out of focus."""


def to_jpeg(frame: Frame) -> bytes | None:
    """The frame in colour if it has any, no wider than SHOWN_WIDTH_PX; None when its own JPEG is torn."""
    import cv2

    picture = frame.picture
    if picture.ndim == 2 and min(picture.shape) == 1:
        picture = cv2.imdecode(picture.reshape(-1), cv2.IMREAD_COLOR)
    elif picture.ndim == 3 and picture.shape[2] == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_YUYV)
    if picture is None:
        return None
    height, width = picture.shape[:2]
    if width > SHOWN_WIDTH_PX:
        size = (SHOWN_WIDTH_PX, max(1, round(height * SHOWN_WIDTH_PX / width)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    written, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return jpeg.tobytes() if written else None


def module_px(corners: Corners, modules: int) -> float:
    """How many pixels a module of a code has along its shortest side: a tilted card is as hard to read as a far one."""
    around = _four(corners)
    return min(math.dist(one, other) for one, other in zip(around, (*around[1:], around[0]), strict=True)) / modules


def measure(grey: Grey) -> Measures:
    """How a whole picture, or a part cut from one, looks."""
    import cv2

    dark, light = (float(level) for level in np.percentile(grey, (5, 95)))
    contrast = max(light - dark, 1.0)
    edges = cv2.Laplacian(grey.astype(np.float32) / contrast, cv2.CV_32F)
    return Measures(light, light - dark, float(np.mean(grey >= BURNT)), float(edges.var()))


def measure_code(grey: Grey, corners: Corners, modules: int) -> Measures:
    """How a code looks that lies at the corners, whatever its size and tilt."""
    import cv2

    side = modules * MODULE_PX
    flat = np.array([(0, 0), (side, 0), (side, side), (0, side)], dtype=np.float32)
    transform = cv2.getPerspectiveTransform(np.array(_four(corners), dtype=np.float32), flat)
    return measure(np.asarray(cv2.warpPerspective(grey, transform, (side, side)), dtype=np.uint8))


def cut(grey: Grey, box: Box) -> Grey:
    """The part of a picture within a box."""
    left, top, right, bottom = box
    return grey[max(0, top) : bottom, max(0, left) : right]


def _four(corners: Corners) -> Corners:
    """The corners, or those of the upright box around them: zbar gives some codes three or five."""
    if len(corners) == 4:
        return corners
    xs, ys = zip(*corners, strict=True)
    return (min(xs), min(ys)), (max(xs), min(ys)), (max(xs), max(ys)), (min(xs), max(ys))
