"""What a camera has been seeing: its newest frame, its last card, and how many of its frames were read."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from attendance.cards import looks_like_card
from hardware.frame_source import Frame
from hardware.qr_decode import Code
from hardware.reader import boot_ns

WINDOW_NS = 3_000_000_000
"""Over which frames are counted."""
MOST_CODES = 8
"""Codes of one frame that are shown; a poster full of them must not slow the page down."""
_MOST_FRAMES = 400


@dataclass(frozen=True, slots=True)
class Sight:
    """One frame, the codes in it, and when it came by CLOCK_BOOTTIME."""

    number: int
    frame: Frame
    codes: tuple[Code, ...]
    awake: bool
    """Whether it was looked into; a frame in which nothing moved is not, and shows the codes of the one before."""
    at_ns: int


@dataclass(frozen=True, slots=True)
class CardSight:
    """A card of ours as it was last seen, in the frame it was found in."""

    frame: Frame
    code: Code
    at_ns: int


@dataclass(frozen=True, slots=True)
class Counts:
    """The last seconds of a camera."""

    frames: int
    per_s: float
    """Frames that arrived and could be looked at."""
    looked_into: int
    with_card: int
    """Of those that were looked into."""


class CameraWatch:
    """Takes every frame from a camera's thread in no time and keeps next to nothing. Thread: any."""

    def __init__(self, clock_ns: Callable[[], int] = boot_ns) -> None:
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._newest: Sight | None = None
        self._card: CardSight | None = None
        self._seen: deque[tuple[int, bool, bool]] = deque(maxlen=_MOST_FRAMES)

    def __call__(self, frame: Frame, codes: list[Code] | None) -> None:
        """Take the next frame and the codes in it; None: it was not looked into."""
        at_ns = self._clock_ns()
        card = next((code for code in codes or () if looks_like_card(code.payload)), None)
        with self._lock:
            before = self._newest
            number = 1 if before is None else before.number + 1
            if codes is None and before is not None:
                self._newest = replace(before, number=number, frame=frame, awake=False, at_ns=at_ns)
            else:
                self._newest = Sight(number, frame, tuple((codes or ())[:MOST_CODES]), codes is not None, at_ns)
            if card is not None:
                self._card = CardSight(frame, card, at_ns)
            self._seen.append((at_ns, codes is not None, card is not None))

    def newest(self) -> Sight | None:
        """Return the newest frame; None before the first."""
        with self._lock:
            return self._newest

    def last_card(self) -> CardSight | None:
        """Return the last card of ours that was seen; None before the first."""
        with self._lock:
            return self._card

    def counts(self) -> Counts:
        """Count the frames of the last seconds."""
        now_ns = self._clock_ns()
        with self._lock:
            seen = [each for each in self._seen if now_ns - each[0] <= WINDOW_NS]
        # Between n frames lie n - 1 intervals; a camera that has just begun is not slow.
        span_ns = seen[-1][0] - seen[0][0] if len(seen) > 1 else 0
        per_s = (len(seen) - 1) * 1e9 / span_ns if span_ns else 0.0
        return Counts(
            frames=len(seen),
            per_s=per_s,
            looked_into=sum(looked for _, looked, _ in seen),
            with_card=sum(card for _, _, card in seen),
        )

    def silent_s(self) -> float:
        """Return how long ago the newest frame came; 0 before the first."""
        newest = self.newest()
        return 0.0 if newest is None else (self._clock_ns() - newest.at_ns) / 1e9
