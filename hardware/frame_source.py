"""Where frames come from: a camera, a stream or a recording, read in a thread of its own (before step 1 of the line).

The thread keeps only the newest frame: whoever decodes slowly sees fewer frames, never old ones.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from hardware.capture import Capture, CaptureSettings, Kind, kind_of, open_capture
from hardware.errors import ReaderLost
from hardware.qr_decode import Grey
from hardware.reader import boot_ns

log = logging.getLogger(__name__)

STALL_S = 5.0
"""How long to wait for a frame before the source counts as lost; a camera's first frame may take seconds."""
JOIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture as the driver handed it over, not yet decoded, and when it was taken.

    An idle doorway is judged by `small`; `grey` costs six times that and is made only of frames worth it.
    """

    picture: Any
    taken_at_ns: int
    """CLOCK_BOOTTIME; of a recording: when it was due."""

    def grey(self) -> Grey | None:
        """The whole picture; None when its JPEG is torn."""
        return to_grey(self.picture)

    def small(self) -> Grey | None:
        """The picture at an eighth of its size if it is a JPEG, else whole; None when its JPEG is torn."""
        import cv2

        return to_grey(self.picture, cv2.IMREAD_REDUCED_GRAYSCALE_8)


def to_grey(picture: Any, jpeg_mode: int | None = None) -> Grey | None:
    """The grey frame in what was delivered: JPEG bytes, BGR or grey; None when a JPEG is torn.

    `jpeg_mode`: how cv2 is to decode a JPEG if not whole.
    """
    import cv2

    if picture.ndim == 2 and min(picture.shape) == 1:
        decoded = cv2.imdecode(picture.reshape(-1), cv2.IMREAD_GRAYSCALE if jpeg_mode is None else jpeg_mode)
        return None if decoded is None else np.asarray(decoded, dtype=np.uint8)
    if picture.ndim == 2:
        return np.asarray(picture, dtype=np.uint8)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


class FrameSource:
    """The newest frame of one camera, stream or recording. Thread: one takes; any may close.

    A recording plays at its own pace in real time. A size or rate the driver does not know is left as it is.
    """

    def __init__(
        self,
        reader: str,
        source: str,
        *,
        settings: CaptureSettings = CaptureSettings(),  # noqa: B008 - frozen
        loop: bool = False,
        clock_ns: Callable[[], int] = boot_ns,
    ) -> None:
        self.kind = kind_of(source)
        self._reader = reader
        self._source = source
        self._settings = settings
        self._loop = loop
        self._clock_ns = clock_ns
        self._news = threading.Condition()
        self._newest: Frame | None = None
        self._ended = False
        self._fault: str | None = None
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self.first_frame_at_ns: int | None = None
        """When the first frame was taken, from `open` on; a recording's second s lies s seconds later."""

    def open(self) -> None:
        """Take the device and wait for the first frame. Raises: ReaderLost, DriverMissing."""
        capture = self._capture()
        with ExitStack() as undo:
            undo.callback(capture.release)
            if (picture := self._read(capture)) is None:
                raise ReaderLost(self._reader, f"{self._source} opens but gives no picture")
            undo.pop_all()
        self.first_frame_at_ns = self._clock_ns()
        self._newest = Frame(picture, self.first_frame_at_ns)
        self._thread = threading.Thread(target=self._grab, args=(capture,), name=f"frames-{self._reader}", daemon=True)
        self._thread.start()

    def take(self) -> Frame | None:
        """Wait for a frame not taken yet; None when closed or when a recording has ended. Raises: ReaderLost."""
        with self._news:
            patience_s = None if self.kind.recorded else STALL_S
            arrived = self._news.wait_for(lambda: self._newest is not None or self._ended, patience_s)
            if self._closing.is_set():
                return None
            if self._newest is not None:
                frame, self._newest = self._newest, None
                return frame
            if not arrived:
                raise ReaderLost(self._reader, f"{self._source} sends no pictures")
            if self._fault is not None:
                raise ReaderLost(self._reader, self._fault)
            return None

    def close(self) -> None:
        """Let go of the device; a waiting `take` returns at once. Idempotent. Thread: any."""
        self._closing.set()
        with self._news:
            self._ended = True
            self._news.notify_all()
        thread = self._thread
        # A read that hangs in the driver keeps its thread and device; releasing under it would crash the process.
        if thread is not None and thread is not threading.current_thread():
            thread.join(JOIN_S)

    def _grab(self, capture: Capture) -> None:
        fault: str | None = None
        try:
            fault = self._play(capture) if self.kind.recorded else self._follow(capture)
        except ReaderLost as lost:
            fault = lost.reason
        except Exception as error:
            log.exception("frames stopped reader=%s", self._reader)
            fault = f"{self._source}: {type(error).__name__}"
        finally:
            with self._news:
                self._fault = fault
                self._ended = True
                self._news.notify_all()

    def _follow(self, capture: Capture) -> str | None:
        """Read a live source until closed; the fault it ended with."""
        try:
            while not self._closing.is_set():
                picture = self._read(capture)
                if picture is None:
                    return f"{self._source} stopped sending pictures"
                self._put(Frame(picture, self._clock_ns()))
        finally:
            capture.release()
        return None

    def _play(self, capture: Capture) -> str | None:
        """Read a recording at its pace until closed or, unless looping, its end; the fault it ended with."""
        started_at_ns = self.first_frame_at_ns or self._clock_ns()
        frame_ns, number = 1e9 / self._pace(capture), 1
        while True:
            try:
                while (picture := self._read(capture)) is not None:
                    due_at_ns = started_at_ns + round(number * frame_ns)
                    if self._closing.wait(max(0.0, (due_at_ns - self._clock_ns()) / 1e9)):
                        return None
                    self._put(Frame(picture, due_at_ns))
                    number += 1
            finally:
                capture.release()
            # The last frame stays for as long as any other.
            if self._closing.wait(frame_ns / 1e9) or not self._loop:
                return None
            capture = self._capture()

    def _put(self, frame: Frame) -> None:
        with self._news:
            self._newest = frame
            self._news.notify_all()

    def _pace(self, capture: Capture) -> float:
        import cv2

        if self.kind is Kind.IMAGES:
            return self._settings.fps
        own = float(capture.get(cv2.CAP_PROP_FPS))
        return own if 0.1 <= own <= 240 else self._settings.fps

    def _capture(self) -> Capture:
        return open_capture(self._reader, self._source, self.kind, self._settings, closing=self._closing)

    def _read(self, capture: Capture) -> Any | None:
        """The next picture; None at the end."""
        import cv2

        try:
            arrived, picture = capture.read()
        except cv2.error:
            log.warning("picture unreadable reader=%s", self._reader, exc_info=True)
            return None
        return picture if arrived else None
