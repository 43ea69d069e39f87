"""The idle gate of a QR camera: whether anything differs from the background (step 1 of the line).

Decoding an empty doorway 15 times a second would cost more than everything else the kiosk does, so a thumbnail decides.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hardware.qr_decode import Grey

THUMB_PX = (80, 60)
"""Width and height of the thumbnail."""
BOX_PX = 10
CHANGE_THRESHOLD = 6.0
"""Grey levels by which a box of the thumbnail must differ on average; sensor noise stays under 3."""
HOLD_FRAMES = 20
GLANCE_FRAMES = 20
BACKGROUND_SHARE = 0.05
"""How much of each frame goes into the background: a card lying still is absorbed in about three seconds."""


class Attention(StrEnum):
    """How hard to look at a frame."""

    ASLEEP = "asleep"
    """Nothing changed: do not decode."""
    GLANCE = "glance"
    """Nothing changed, but it is time for the one look in twenty."""
    AWAKE = "awake"
    """Something changed now or a moment ago."""


Region: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of the frame's width and height."""


@dataclass(frozen=True, slots=True)
class Look:
    """The gate's answer for one frame."""

    attention: Attention
    region: Region | None
    """Where the change was; None: the whole frame."""


class IdleGate:
    """Compares each frame's thumbnail with a moving background. Thread: one."""

    def __init__(self) -> None:
        self._background: NDArray[np.float32] | None = None
        self._region: Region | None = None
        # The first frames are looked at: a card may already be there when the camera starts.
        self._awake_left = HOLD_FRAMES
        self._since_look = 0

    def look(self, grey: Grey) -> Look:
        """Take the next frame, of any size as long as it is the whole of it, and say how hard to look at it."""
        import cv2

        thumb = cv2.resize(grey, THUMB_PX, interpolation=cv2.INTER_AREA).astype(np.float32)
        thumb -= thumb.mean()  # a cloud before the sun or the camera's own exposure is no change
        if self._background is None:
            self._background = thumb
        difference = cv2.blur(cv2.absdiff(thumb, self._background), (BOX_PX, BOX_PX))
        cv2.accumulateWeighted(thumb, self._background, BACKGROUND_SHARE)
        changed = np.asarray(difference > CHANGE_THRESHOLD)
        if changed.any():
            self._region = _region(changed)
            self._awake_left = HOLD_FRAMES
        return self._attend()

    def _attend(self) -> Look:
        if self._awake_left > 0:
            self._awake_left -= 1
            self._since_look = 0
            return Look(Attention.AWAKE, self._region)
        self._since_look += 1
        if self._since_look >= GLANCE_FRAMES:
            self._since_look = 0
            return Look(Attention.GLANCE, None)
        return Look(Attention.ASLEEP, None)


def _region(changed: NDArray[np.bool_]) -> Region:
    # A box's mean sits at its middle, so the change reaches half a box further; as much again is the code's quiet zone.
    rows = np.flatnonzero(changed.any(axis=1))
    columns = np.flatnonzero(changed.any(axis=0))
    width, height = THUMB_PX
    return (
        max(0.0, float(columns[0] - BOX_PX) / width),
        max(0.0, float(rows[0] - BOX_PX) / height),
        min(1.0, float(columns[-1] + 1 + BOX_PX) / width),
        min(1.0, float(rows[-1] + 1 + BOX_PX) / height),
    )
