"""Opening a camera, a stream or a recording with cv2.VideoCapture (before step 1 of the line)."""

import contextlib
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, assert_never

from hardware.errors import DriverMissing, ReaderLost

STREAM_OPEN_MS = 5000
STREAM_READ_MS = 1000
"""A stream that sends nothing for so long is lost."""
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})


class Kind(StrEnum):
    """What a source is, as its text says."""

    DEVICE = "device"
    STREAM = "stream"
    VIDEO = "video"
    IMAGES = "images"
    PICTURE = "picture"

    @property
    def recorded(self) -> bool:
        """Whether it has an end."""
        return self in (Kind.VIDEO, Kind.IMAGES, Kind.PICTURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSettings:
    """What a camera is asked for; a driver that refuses one keeps its own."""

    width: int = 640
    height: int = 480
    fps: float = 15.0
    exposure: float | None = None
    focus: float | None = None


def kind_of(source: str) -> Kind:
    """What the text names: "0", /dev/video0, rtsp://..., frame_%04d.png, card.png, door.avi; a FIFO is a stream."""
    if source.isdecimal() or source.startswith("/dev/"):
        return Kind.DEVICE
    if "://" in source or Path(source).is_fifo():
        return Kind.STREAM
    if Path(source).suffix.lower() not in PICTURE_SUFFIXES:
        return Kind.VIDEO
    return Kind.IMAGES if re.search(r"%0?\d*d", Path(source).name) else Kind.PICTURE


def open_capture(reader: str, source: str, kind: Kind, settings: CaptureSettings) -> Any:
    """An opened cv2.VideoCapture; `reader` is who is lost without it. Raises: ReaderLost, DriverMissing."""
    try:
        import cv2
    except ImportError as error:
        raise DriverMissing("opencv-python", "install the kiosk extra, and libgl1 and libglib2.0-0") from error
    # What cv2 would print to stderr at every try is said once, by ReaderLost.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)

    if kind in (Kind.VIDEO, Kind.PICTURE) and not Path(source).is_file():
        raise ReaderLost(reader, f"{source} is not a file")
    try:
        capture = _open(cv2, source, kind, settings)
    except cv2.error as error:
        raise ReaderLost(reader, f"{source} cannot be opened") from error
    if not capture.isOpened():
        capture.release()
        raise ReaderLost(reader, f"{source} cannot be opened")
    return capture


def _open(cv2: Any, source: str, kind: Kind, settings: CaptureSettings) -> Any:
    match kind:
        case Kind.DEVICE:
            capture = cv2.VideoCapture(int(source) if source.isdecimal() else source, cv2.CAP_V4L2)
            _ask(cv2, capture, settings)
            return capture
        case Kind.IMAGES:
            return cv2.VideoCapture(source, cv2.CAP_IMAGES)
        case Kind.STREAM:
            limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, STREAM_OPEN_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, STREAM_READ_MS]
            return cv2.VideoCapture(source, cv2.CAP_FFMPEG, limits)
        case Kind.VIDEO | Kind.PICTURE:
            # More threads gain nothing at this size and would compete with the decoder.
            return cv2.VideoCapture(source, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        case _:
            assert_never(kind)


def _ask(cv2: Any, capture: Any, settings: CaptureSettings) -> None:
    """Ask the camera for what reads best."""
    wanted = [
        (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
        (cv2.CAP_PROP_FRAME_WIDTH, settings.width),
        (cv2.CAP_PROP_FRAME_HEIGHT, settings.height),
        (cv2.CAP_PROP_FPS, settings.fps),
        (cv2.CAP_PROP_BUFFERSIZE, 1),
        # The driver's own picture, so that JPEG is decoded straight to grey.
        (cv2.CAP_PROP_CONVERT_RGB, 0),
    ]
    if settings.exposure is not None:
        wanted += [(cv2.CAP_PROP_AUTO_EXPOSURE, 1), (cv2.CAP_PROP_EXPOSURE, settings.exposure)]
    if settings.focus is not None:
        wanted += [(cv2.CAP_PROP_AUTOFOCUS, 0), (cv2.CAP_PROP_FOCUS, settings.focus)]
    for setting, value in wanted:
        with contextlib.suppress(cv2.error):
            capture.set(setting, value)
