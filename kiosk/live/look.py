"""Looking closely at what a camera sees: the picture for the page, with all codes judged and measured."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from hardware.frame_measures import Box, Corners, cut, measure, measure_code, module_px, to_jpeg
from hardware.qr_decode import Code
from hardware.reader import boot_ns
from kiosk.live.camera_watch import CameraWatch, CardSight, Sight
from kiosk.live.standing import Standing
from kiosk.live.verdicts import CARD_MODULES, Hint, code_hints, guide, place_hints

LEAST_NS = 120_000_000
"""Between two pictures, however many pages ask: about eight a second."""


@dataclass(frozen=True, slots=True)
class Found:
    """A code in the picture."""

    corners: Corners
    standing: Standing
    module_px: float | None
    """None for foreign codes, whose number of modules is not known."""


@dataclass(frozen=True, slots=True)
class CardLook:
    """How well the last card of ours was seen."""

    at_ns: int
    module_px: float
    hints: tuple[Hint, ...]
    standing: Standing


@dataclass(frozen=True, slots=True)
class Look:
    """One picture and everything to be said about it; corners and guide are in pixels of `size`."""

    number: int
    at_ns: int
    size: tuple[int, int]
    jpeg: bytes
    guide: Box
    found: tuple[Found, ...]
    card: CardLook | None
    hints: tuple[Hint, ...]
    """About the place where a card belongs."""


class Looker:
    """Looks at most eight times a second, and only when asked. Thread: any."""

    def __init__(
        self, watch: CameraWatch, judge: Callable[[bytes], Standing], clock_ns: Callable[[], int] = boot_ns
    ) -> None:
        self.watch = watch
        self._judge = judge
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._last: Look | None = None

    def look(self) -> Look | None:
        """Return the newest picture, or the last one whole; None before the first."""
        with self._lock:
            sight, last = self.watch.newest(), self._last
            now_ns = self._clock_ns()
            if sight is None or (last and (last.number == sight.number or now_ns - last.at_ns < LEAST_NS)):
                return last
            self._last = self._look_at(sight, now_ns) or last
            return self._last

    def _look_at(self, sight: Sight, now_ns: int) -> Look | None:
        jpeg, grey = to_jpeg(sight.frame), sight.frame.grey()
        if jpeg is None or grey is None:
            return None
        height, width = grey.shape
        place = guide(width, height)
        found = tuple(self._judged(code) for code in sight.codes)
        something_there = sight.awake and not found
        hints = place_hints(measure(grey), measure(cut(grey, place)), something_there=something_there)
        card = self.watch.last_card()
        card_look = None if card is None else self._look_at_card(card)
        return Look(sight.number, now_ns, (width, height), jpeg, place, found, card_look, hints)

    def _judged(self, code: Code) -> Found:
        standing = self._judge(code.payload)
        size = None if standing is Standing.FOREIGN else module_px(code.corners, CARD_MODULES)
        return Found(code.corners, standing, size)

    def _look_at_card(self, card: CardSight) -> CardLook | None:
        last = self._last.card if self._last else None
        if last is not None and last.at_ns == card.at_ns:
            return last
        grey = card.frame.grey()
        if grey is None:
            return None
        size = module_px(card.code.corners, CARD_MODULES)
        hints = code_hints(measure_code(grey, card.code.corners, CARD_MODULES), size)
        return CardLook(card.at_ns, size, hints, self._judge(card.code.payload))
