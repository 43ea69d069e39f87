"""Which engine looks at which frame, under a time budget (step 1 of the line).

A live frame gets zxing-cpp; when that finds no card, a cheap sharpening; then one of the expensive steps or none, in
turn: within four frames each is tried, and no frame takes longer than its budget. A photograph gets every step.
"""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from hardware.qr_area import area_of, beside, cut
from hardware.qr_decode import Code, Engine, Grey, merge, read_with_pyzbar, read_with_zxing
from hardware.qr_gate import Region

log = logging.getLogger(__name__)

BUDGET_S = 0.060
"""At 15 frames/s one frame lasts 0.067 s."""
KNOWN_FRAMES = 15
"""For how many frames a card that was read counts as known."""
PATIENCE_TURNS = 300
"""How often a step is refused before it is tried once more, should the machine have been busy when it was measured."""
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
    guess: float = 1.0
    """Its cost before it is measured, as a multiple of the first step's."""

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
PYZBAR = Step("pyzbar", read_with_pyzbar, guess=15.0)
SHARPEN = Step("sharpen", read_with_zxing, sharpen, guess=4.0)
DOUBLE = Step("double", read_with_zxing, double_and_sharpen, 2.0, guess=20.0)
REST = Step("rest", lambda _: [], guess=0.0)
"""Keeps the mean cost of an unreadable card well under that of pyzbar on every frame; measured in bench/reading.py."""
RUNGS = ((SHARPEN,), (DOUBLE, REST, PYZBAR, REST))
"""After the first step a frame tries one step of each rung, the next in turn."""
BESIDE = (SHARPEN, PYZBAR, REST, SHARPEN, DOUBLE, REST)
"""One step a frame of these, beside a card that is read already and held on."""
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
        beside_rung: tuple[Step, ...] = BESIDE,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._accept = accept
        self._budget_ns = round(budget_s * 1e9)
        self._first = first
        self._rungs = tuple(deque(rung) for rung in rungs)
        self._beside = deque(beside_rung)
        self._clock_ns = clock_ns
        self._ns_per_px: dict[str, float] = {}
        self._refused = Counter[str]()
        self._broken: set[str] = set()
        self._known: dict[bytes, int] = {}

    def glance(self, grey: Grey) -> list[Code]:
        """The codes the first step finds: for a frame in which nothing moved."""
        return self.try_step(self._first, grey)

    def read(self, grey: Grey, region: Region | None = None) -> list[Code]:
        """The codes of an awake frame; the extra steps look at `region` only.

        A card that was read in an earlier frame does not end the search: another may be held up beside it.
        """
        started_ns = self._clock_ns()
        found = self.glance(grey)
        area = area_of(grey, region)
        rungs = self._rungs
        if cards := [code for code in found if self._is_card(code)]:
            area, rungs = beside(area, cards), (self._beside,)
            if not all(code.payload in self._known for code in cards):
                rungs = ()  # a new card is told first
        for rung in rungs:
            part = cut(grey, area)
            if min(part.shape) < SMALLEST_SIDE_PX:
                break
            step = self._affordable(rung, part.size, self._budget_ns - (self._clock_ns() - started_ns))
            if step is not None:
                more = self.try_step(step, part, (area[0], area[1]))
                found = merge(found, more)
                if any(map(self._is_card, more)):
                    break
        self._remember(found)
        return found

    def _remember(self, found: list[Code]) -> None:
        """Count the cards found as known for some frames, even while a hand spoils them."""
        self._known = {payload: left - 1 for payload, left in self._known.items() if left > 1}
        self._known |= {code.payload: KNOWN_FRAMES for code in found if self._is_card(code)}

    def _is_card(self, code: Code) -> bool:
        return self._accept is None or self._accept(code.payload)

    def _affordable(self, rung: deque[Step], size_px: int, left_ns: int) -> Step | None:
        """The rung's next step in turn whose cost, as last measured or else guessed, fits."""
        for _ in range(len(rung)):
            step = rung[0]
            rung.rotate(-1)
            cost = self._ns_per_px.get(step.name)
            if cost is None:
                cost = step.guess * self._ns_per_px.get(self._first.name, 0.0)
            if cost * size_px <= left_ns or self._refused[step.name] >= PATIENCE_TURNS:
                return step
            self._refused[step.name] += 1
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
        # After a refusal only the new cost counts: the old one may be that of a moment when the machine was busy.
        before = spent if self._refused.pop(step.name, 0) else self._ns_per_px.get(step.name, spent)
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


def _has_card(found: Iterable[Code], accept: Callable[[bytes], bool] | None) -> bool:
    return any(accept is None or accept(code.payload) for code in found)
