"""Sequences of frames played to a way of reading, in modelled real time: who read what when, and at what cost."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import cv2

from hardware.frame_source import Frame
from hardware.qr_decode import Code, Engine, Grey
from hardware.qr_gate import IdleGate

FPS = 15
SETTLE_FRAMES = 40
"""Empty frames before a showing, so that the gate sleeps as it does between children."""
JPEG_QUALITY = 85

Read = Callable[[Frame], list[Code] | None]


@dataclass(frozen=True, slots=True)
class Showing:
    """Frames in which codes are shown, and when they are."""

    payloads: frozenset[bytes]
    """All of them have to be read."""
    frames: Sequence[Frame]
    shown_at: int
    readable_at: int | None = None
    """Number of the first frame that anything of ours reads; None: not known, or none."""


@dataclass(slots=True)
class Runner:
    """What one way of reading made of all showings so far."""

    budget_s: float | None = None
    cpu_s: float = 0.0
    frames: int = 0
    over_budget: int = 0
    showings: int = 0
    within: Counter[int] = field(default_factory=Counter)
    """Showings read within so many seconds."""
    late_frames: list[int] = field(default_factory=list)
    misread: int = 0
    """Frames in which a code was read that none of them holds."""

    def play(self, showing: Showing, read: Read) -> None:
        """Play one showing: frames that come while the last is being read are dropped.

        Modelled by processor time, so that other work on the machine does not count.
        """
        shown_at_s = showing.shown_at / FPS
        free_at_s, read_at, missing = 0.0, None, set(showing.payloads)
        for number, frame in enumerate(showing.frames):
            if number / FPS < free_at_s:
                continue
            started_s = time.process_time()
            payloads = {code.payload for code in read(frame) or []}
            spent_s = time.process_time() - started_s
            free_at_s = number / FPS + spent_s
            if number >= showing.shown_at:
                self.cpu_s += spent_s
                self.frames += 1
                self.over_budget += self.budget_s is not None and spent_s > self.budget_s
            self.misread += bool(payloads - showing.payloads)
            if missing and not (missing := missing - payloads):
                read_at = number
                for limit_s in (1, 2):
                    self.within[limit_s] += free_at_s - shown_at_s <= limit_s
        self.showings += 1
        if showing.readable_at is not None:
            self.late_frames.append(len(showing.frames) if read_at is None else max(0, read_at - showing.readable_at))

    def percent_within(self, limit_s: int) -> float:
        """Share of the showings of which all was read in time."""
        return 100 * self.within[limit_s] / self.showings

    def ms_a_frame(self) -> float:
        """Mean processor time of the frames with something in view."""
        return 1000 * self.cpu_s / self.frames


def every_frame(engine: Engine) -> Callable[[Frame], list[Code]]:
    """Reading without a gate: one engine on every frame."""

    def read(frame: Frame) -> list[Code]:
        grey = frame.grey()
        return [] if grey is None else engine(grey)

    return read


def settled_gate(empty: Grey) -> IdleGate:
    """A gate that has seen the empty doorway for so long that it sleeps."""
    gate = IdleGate()
    for _ in range(SETTLE_FRAMES):
        gate.look(empty)
    return gate


def as_jpeg(pictures: Iterable[Grey], quality: int = JPEG_QUALITY) -> list[Frame]:
    """The pictures as a camera sends them."""
    frames = []
    for number, grey in enumerate(pictures):
        jpeg = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        frames.append(Frame(jpeg.reshape(1, -1), round(number * 1e9 / FPS)))
    return frames
