"""Opening a camera, a stream or a recording, with cv2.VideoCapture or a programme (before step 1 of the line)."""

import contextlib
import re
import threading
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, assert_never

from hardware.camera_command import COMMAND_PREFIX, CSI, CommandCapture, csi_command, split_command
from hardware.errors import DriverMissing, ReaderLost

V4L2_BUFFERS = 2
"""The fewest that are safe: cv2 gives a buffer back to the driver before it has copied the picture out of it."""
JPEG_CODES = ("MJPG", "JPEG")
STREAM_OPEN_MS = 5000
STREAM_READ_MS = 1000
"""A stream that sends nothing for so long is lost."""
PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})


class Kind(StrEnum):
    """What a source is, as its text says."""

    DEVICE = "device"
    CSI = "csi"
    COMMAND = "command"
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
    """What a camera is asked for; a driver that refuses one keeps its own.

    Units: exposure and focus in the driver's own; of a CSI camera, microseconds and dioptres.
    """

    width: int = 640
    height: int = 480
    fps: float = 15.0
    exposure: float | None = None
    focus: float | None = None


def kind_of(source: str) -> Kind:
    """What the text names: "0", /dev/video0, csi, csi:1, command:..., rtsp://..., frame_%04d.png, card.png, door.avi.

    A FIFO is a stream. Raises: ValueError for a command without a programme.
    """
    if source.startswith(COMMAND_PREFIX):
        split_command(source)
        return Kind.COMMAND
    if re.fullmatch(rf"{CSI}(:\d+)?", source):
        return Kind.CSI
    if source.isdecimal() or source.startswith("/dev/"):
        return Kind.DEVICE
    if "://" in source or Path(source).is_fifo():
        return Kind.STREAM
    if Path(source).suffix.lower() not in PICTURE_SUFFIXES:
        return Kind.VIDEO
    return Kind.IMAGES if re.search(r"%0?\d*d", Path(source).name) else Kind.PICTURE


class Capture(Protocol):
    """What is asked of an open source of pictures, named as in cv2.VideoCapture."""

    def read(self) -> tuple[bool, Any]:
        """Wait for the next picture; False at the end. Raises: ReaderLost, cv2.error."""
        ...

    def release(self) -> None:
        """Let go of the device. Idempotent."""
        ...

    def get(self, setting: int, /) -> float:
        """One of cv2's CAP_PROP_...; 0 when it is not known."""
        ...


def open_capture(
    reader: str, source: str, kind: Kind, settings: CaptureSettings, *, closing: threading.Event
) -> Capture:
    """The source, opened; `reader` is who is lost without it, `closing` ends a wait.

    Raises: ReaderLost, DriverMissing.
    """
    try:
        import cv2
    except ImportError as error:
        raise DriverMissing("opencv-python", "install the kiosk extra, and libgl1 and libglib2.0-0") from error
    # What cv2 would print to stderr at every try is said once, by ReaderLost.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)

    match kind:
        case Kind.CSI:
            return CommandCapture(reader, _csi(source, settings), closing=closing)
        case Kind.COMMAND:
            return CommandCapture(reader, split_command(source), closing=closing)
        case Kind.VIDEO | Kind.PICTURE:
            if not Path(source).is_file():
                raise ReaderLost(reader, f"{source} is not a file")
        case Kind.DEVICE | Kind.STREAM | Kind.IMAGES:
            pass
        case _:
            assert_never(kind)
    try:
        capture: Any = _open(cv2, source, kind, settings)
    except cv2.error as error:
        raise ReaderLost(reader, f"{source} cannot be opened") from error
    if not capture.isOpened():
        capture.release()
        raise ReaderLost(reader, f"{source} cannot be opened")
    opened: Capture = capture
    return opened


def _csi(source: str, settings: CaptureSettings) -> list[str]:
    return csi_command(
        int(source.removeprefix(CSI).removeprefix(":") or 0),
        width=settings.width,
        height=settings.height,
        fps=settings.fps,
        exposure=settings.exposure,
        focus=settings.focus,
    )


def _open(cv2: Any, source: str, kind: Kind, settings: CaptureSettings) -> Any:
    if kind is Kind.DEVICE:
        capture = cv2.VideoCapture(int(source) if source.isdecimal() else source, cv2.CAP_V4L2)
        ask_camera(capture, settings)
        return capture
    if kind is Kind.IMAGES:
        return cv2.VideoCapture(source, cv2.CAP_IMAGES)
    if kind is Kind.STREAM:
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, STREAM_OPEN_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, STREAM_READ_MS]
        return cv2.VideoCapture(source, cv2.CAP_FFMPEG, limits)
    # More threads gain nothing at this size and would compete with the decoder.
    return cv2.VideoCapture(source, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])


def ask_camera(capture: Any, settings: CaptureSettings) -> None:
    """Ask a V4L2 camera for what reads best: JPEG, handed over as it is, so that it is decoded straight to grey."""
    import cv2

    wanted = [
        (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
        (cv2.CAP_PROP_FRAME_WIDTH, settings.width),
        (cv2.CAP_PROP_FRAME_HEIGHT, settings.height),
        (cv2.CAP_PROP_FPS, settings.fps),
        (cv2.CAP_PROP_BUFFERSIZE, V4L2_BUFFERS),
    ]
    if settings.exposure is not None:
        wanted += [(cv2.CAP_PROP_AUTO_EXPOSURE, 1), (cv2.CAP_PROP_EXPOSURE, settings.exposure)]
    if settings.focus is not None:
        wanted += [(cv2.CAP_PROP_AUTOFOCUS, 0), (cv2.CAP_PROP_FOCUS, settings.focus)]
    for setting, value in wanted:
        with contextlib.suppress(cv2.error):
            capture.set(setting, value)
    # Left unconverted, any other format would come as bytes without a shape.
    is_jpeg = int(capture.get(cv2.CAP_PROP_FOURCC)) in [cv2.VideoWriter.fourcc(*code) for code in JPEG_CODES]
    capture.set(cv2.CAP_PROP_CONVERT_RGB, 0 if is_jpeg else 1)
