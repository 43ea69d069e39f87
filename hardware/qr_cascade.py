"""Which engine looks at which frame, under a time budget (step 1 of the line).

A live frame gets zxing-cpp; when that finds no card, a cheap sharpening; then one of the expensive steps or none, in
turn: within four frames each is tried, and no frame takes longer than its budget. A photograph gets every step.
"""

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from hardware.qr_decode import Code, Engine, Grey, merge, read_with_pyzbar, read_with_zxing
from hardware.qr_gate import Region

log = logging.getLogger(__name__)

BUDGET_S = 0.060
"""At 15 frames/s one frame lasts 0.067 s."""
SMALLEST_SIDE_PX = 21
"""Fewer pixels than the smallest QR code has modules."""
LARGEST_ENLARGED_PX = 8_400_000
"""More than any phone's photograph needs: enlarging one further costs seconds."""


@dataclass(frozen=True, slots=True)
class Step:
    """One way of looking at a frame: prepare it, then ask an engine."""

    name: str
    engine: Engine
    prepare: Callable[[Grey], Grey] | None = None
    scale: float = 1.0
    """By how much `prepare` enlarges."""

    def read(self, grey: Grey, offset: tuple[float, float] = (0.0, 0.0)) -> list[Code]:
        """Codes found, placed in the whole frame of which `grey` is the part at `offset`."""
        prepared = grey if self.prepare is None else self.prepare(grey)
        return [code.moved(self.scale, offset) for code in self.engine(prepared)]


def sharpen(grey: Grey) -> Grey:
    """Unsharp mask: undoes some of a hand's blur and of a lens out of focus."""
    import cv2

    soft = cv2.GaussianBlur(grey, (0, 0), 2.0)
    return np.asarray(cv2.addWeighted(grey, 2.5, soft, -1.5, 0.0), dtype=np.uint8)


def double(grey: Grey) -> Grey:
    """Twice the size, so that small modules get the three pixels the finders want."""
    import cv2

    return np.asarray(cv2.resize(grey, None, fx=2.0, fy=2.0, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def double_and_sharpen(grey: Grey) -> Grey:
    """Twice the size, then the unsharp mask."""
    return sharpen(double(grey))


def halve(grey: Grey) -> Grey:
    """Half the size: for photographs of a code that fills them."""
    import cv2

    return np.asarray(cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def threshold(grey: Grey) -> Grey:
    """Black and white by the mean of the surroundings: for uneven light."""
    import cv2

    bounded = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 31, 7)
    return np.asarray(bounded, dtype=np.uint8)


FIRST = Step("zxing", read_with_zxing)
PYZBAR = Step("pyzbar", read_with_pyzbar)
SHARPEN = Step("sharpen", read_with_zxing, sharpen)
DOUBLE = Step("double", read_with_zxing, double_and_sharpen, 2.0)
REST = Step("rest", lambda _: [])
"""Keeps the mean cost of an unreadable card well under that of pyzbar on every frame; measured in bench/reading.py."""
RUNGS = ((SHARPEN,), (DOUBLE, REST, PYZBAR, REST))
"""After the first step a frame tries one step of each rung, the next in turn."""
ALWAYS_ON_PHOTOGRAPHS = (FIRST, PYZBAR)
THEN_ON_PHOTOGRAPHS = (
    SHARPEN,
    DOUBLE,
    Step("double_pyzbar", read_with_pyzbar, double, 2.0),
    Step("threshold_pyzbar", read_with_pyzbar, threshold),
    Step("half", read_with_zxing, halve, 0.5),
    Step("half_pyzbar", read_with_pyzbar, halve, 0.5),
)


class Cascade:
    """Reads the codes of live frames: after the first step, one of each rung. Thread: one.

    `accept` says which payloads are likely cards: a frame in which only others were found is looked at further.
    """

    def __init__(
        self,
        *,
        accept: Callable[[bytes], bool] | None = None,
        budget_s: float = BUDGET_S,
        first: Step = FIRST,
        rungs: tuple[tuple[Step, ...], ...] = RUNGS,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._accept = accept
        self._budget_ns = round(budget_s * 1e9)
        self._first = first
        self._rungs = tuple(deque(rung) for rung in rungs)
        self._clock_ns = clock_ns
        self._ns_per_px: dict[str, float] = {}
        self._broken: set[str] = set()

    def glance(self, grey: Grey) -> list[Code]:
        """The codes the first step finds: for a frame in which nothing moved."""
        return self.try_step(self._first, grey)

    def read(self, grey: Grey, region: Region | None = None) -> list[Code]:
        """The codes of an awake frame; the extra steps look at `region` only."""
        started_ns = self._clock_ns()
        found = self.glance(grey)
        if _has_card(found, self._accept):
            return found
        part, offset = _cut(grey, region)
        if min(part.shape) < SMALLEST_SIDE_PX:
            return found
        for rung in self._rungs:
            step = self._affordable(rung, part.size, self._budget_ns - (self._clock_ns() - started_ns))
            if step is not None:
                found = merge(found, self.try_step(step, part, offset))
                if _has_card(found, self._accept):
                    break
        return found

    def _affordable(self, rung: deque[Step], size_px: int, left_ns: int) -> Step | None:
        """The rung's next step in turn whose cost, as last measured, fits."""
        for _ in range(len(rung)):
            step = rung[0]
            rung.rotate(-1)
            cost = self._ns_per_px.get(step.name, 0.0)
            if cost * size_px <= left_ns:
                return step
            # One slow frame must not shut a step out for good.
            self._ns_per_px[step.name] = cost * 0.95
        return None

    def try_step(self, step: Step, grey: Grey, offset: tuple[float, float] = (0.0, 0.0)) -> list[Code]:
        """What the step finds, its cost noted; nothing when its engine raises."""
        started_ns = self._clock_ns()
        try:
            found = step.read(grey, offset)
        except Exception:
            # A decoder fed by strangers must not stop the door. Said once per step: it would fail on every frame.
            if step.name not in self._broken:
                self._broken.add(step.name)
                log.exception("decoder failed step=%s", step.name)
            return []
        spent = (self._clock_ns() - started_ns) / grey.size
        before = self._ns_per_px.get(step.name, spent)
        self._ns_per_px[step.name] = 0.7 * before + 0.3 * spent
        return found


def read_photograph(grey: Grey, accept: Callable[[bytes], bool] | None = None) -> list[Code]:
    """Every code in a single picture: both engines always, every other step until one finds a card."""
    cascade = Cascade(accept=accept)
    found = merge(*(cascade.try_step(step, grey) for step in ALWAYS_ON_PHOTOGRAPHS))
    for step in THEN_ON_PHOTOGRAPHS:
        if _has_card(found, accept):
            break
        if grey.size * step.scale**2 <= LARGEST_ENLARGED_PX and min(grey.shape) * step.scale >= SMALLEST_SIDE_PX:
            found = merge(found, cascade.try_step(step, grey))
    return found


def _cut(grey: Grey, region: Region | None) -> tuple[Grey, tuple[float, float]]:
    """The region of the frame, in one piece of memory as the engines want it, and its left top corner in pixels."""
    if region is None:
        return grey, (0.0, 0.0)
    height, width = grey.shape
    left, right = int(region[0] * width), math.ceil(region[2] * width)
    top, bottom = int(region[1] * height), math.ceil(region[3] * height)
    return np.ascontiguousarray(grey[top:bottom, left:right]), (left, top)


def _has_card(found: Iterable[Code], accept: Callable[[bytes], bool] | None) -> bool:
    return any(accept is None or accept(code.payload) for code in found)
