"""The QR camera: a `CardReader` over any source of frames (step 1 of the line)."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeAlias

from hardware.capture import CaptureSettings, Kind, kind_of
from hardware.frame_source import Frame, FrameSource
from hardware.qr_cascade import BUDGET_S, Cascade, read_photograph
from hardware.qr_decode import Code, load_engines
from hardware.qr_gate import Attention, IdleGate
from hardware.qr_sightings import Sightings
from hardware.reader import Medium, RawRead, boot_ns

log = logging.getLogger(__name__)

Watch: TypeAlias = Callable[[Frame, list[Code] | None], None]
"""Is told of a frame and the codes found in it; None for a frame that was not decoded."""


class QrCamera:
    """Reads QR cards from a camera, a stream or a recording. A `CardReader`.

    `source`: a device number, a V4L2 path, `csi` or `csi:1`, `command:` and a programme that writes Motion JPEG, a
    stream's URL, a video file, an image sequence such as frame_%04d.png or one picture; a recording plays in real time
    and `reads` ends with it, unless it loops. `accept` says which payloads
    are likely cards; others are read too, a frame later.
    """

    def __init__(
        self,
        name: str,
        source: str,
        *,
        width: int = 640,
        height: int = 480,
        fps: float = 15.0,
        loop: bool = False,
        hold_off_s: float = 1.0,
        exposure: float | None = None,
        focus: float | None = None,
        budget_s: float = BUDGET_S,
        accept: Callable[[bytes], bool] | None = None,
        watch: Watch | None = None,
        clock_ns: Callable[[], int] = boot_ns,
    ) -> None:
        """Set up without touching the camera; `watch` is told of every frame, on the reader's thread.

        Raises: ValueError for a command without a programme.
        """
        kind_of(source)
        self.name = name
        self.source = source
        self.first_frame_boot_ns: int | None = None
        """CLOCK_BOOTTIME of the first frame since `open`; a recording's second s is played s seconds later."""
        self._hold_off_s = hold_off_s
        self._budget_s = budget_s
        self._accept = accept
        self._watch = watch
        self._clock_ns = clock_ns
        self._capture_settings = CaptureSettings(width=width, height=height, fps=fps, exposure=exposure, focus=focus)
        self._loop = loop
        self._frames: FrameSource | None = None
        self._closing = False

    def open(self) -> None:
        """Take the camera and its first frame. Raises: ReaderLost, DriverMissing."""
        load_engines()
        self.close()
        self._closing = False
        frames = FrameSource(
            self.name, self.source, settings=self._capture_settings, loop=self._loop, clock_ns=self._clock_ns
        )
        frames.open()
        self.first_frame_boot_ns = frames.first_frame_at_ns
        self._frames = frames
        if self._closing:  # closed by another thread while the camera was starting
            self.close()
            return
        log.info("reader open name=%s kind=%s first_frame_boot_ns=%s", self.name, frames.kind, self.first_frame_boot_ns)

    def reads(self) -> Iterator[RawRead]:
        """Yield each card once per showing. Raises: ReaderLost."""
        frames = self._frames
        if frames is None:
            return
        if frames.kind is Kind.PICTURE:
            yield from self._read_picture(frames)
            return
        gate = IdleGate()
        cascade = Cascade(accept=self._accept, budget_s=self._budget_s)
        sightings = Sightings(hold_off_s=self._hold_off_s, accept=self._accept)
        while (frame := frames.take()) is not None:
            codes = look_at(frame, gate, cascade)
            if self._watch is not None:
                self._watch(frame, codes)
            if codes is None:
                continue
            for payload in sightings.reads((code.payload for code in codes), frame.taken_at_ns):
                yield RawRead(Medium.QR, payload, self.name, self._clock_ns())

    def _read_picture(self, frames: FrameSource) -> Iterator[RawRead]:
        """A single picture has no next frame to try harder on, so everything is tried on it."""
        while (frame := frames.take()) is not None:
            grey = frame.grey()
            codes = [] if grey is None else read_photograph(grey, self._accept)
            if self._watch is not None:
                self._watch(frame, codes)
            for code in codes:
                yield RawRead(Medium.QR, code.payload, self.name, self._clock_ns())

    def close(self) -> None:
        """Let go of the camera. Idempotent; never raises. Thread: any."""
        self._closing = True
        frames, self._frames = self._frames, None
        if frames is not None:
            with suppress(Exception):
                frames.close()


def look_at(frame: Frame, gate: IdleGate, cascade: Cascade) -> list[Code] | None:
    """The codes of a frame; None when it was not worth decoding or is torn."""
    small = frame.small()
    if small is None:
        return None
    look = gate.look(small)
    if look.attention is Attention.ASLEEP or (grey := frame.grey()) is None:
        return None
    return cascade.glance(grey) if look.attention is Attention.GLANCE else cascade.read(grey, look.region)
