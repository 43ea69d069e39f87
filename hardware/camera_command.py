"""A camera by way of a programme that writes Motion JPEG to its standard output (before step 1 of the line).

The Pi's CSI camera is reached so: libcamera's own programme sets exposure and focus, and what comes out of the pipe is
what a USB camera sends, JPEG by JPEG, not decoded.
"""

import os
import select
import shlex
import shutil
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from hardware.errors import DriverMissing, ReaderLost
from hardware.mjpeg import JpegCutter

CSI = "csi"
COMMAND_PREFIX = "command:"
CSI_PROGRAMMES = ("rpicam-vid", "libcamera-vid")
"""The second is what Raspberry Pi OS before 2023 calls the first."""
CSI_QUALITY = 70
"""Read as well as finer pictures, at half the bytes to unpack."""
FIRST_PICTURE_S = 10.0
"""Starting a camera's pipeline takes seconds on a small board."""
PICTURE_S = 4.0
"""Less than a frame source waits, so that the reason is known when it gives up."""
LOOK_S = 0.1
"""How often a wait looks whether it is still wanted."""
END_S = 0.4
"""How long the programme may take to end once told; close() has to end within 1.2 s."""
PIPE_BYTES = 65_536
"""All that a pipe holds."""
LAST_WORDS_BYTES = 4096


def csi_command(
    camera: int, *, width: int, height: int, fps: float, exposure: float | None, focus: float | None
) -> list[str]:
    """The programme and arguments for a CSI camera. Units: exposure in microseconds, focus in dioptres (1 / metres).

    Raises: DriverMissing when neither programme is installed.
    """
    programme = next((found for name in CSI_PROGRAMMES if (found := shutil.which(name))), None)
    if programme is None:
        raise DriverMissing("rpicam-vid", "apt install rpicam-apps, the camera programmes of Raspberry Pi OS")
    command = [programme, "--camera", str(camera), "--codec", "mjpeg", "--quality", str(CSI_QUALITY)]
    command += ["--width", str(width), "--height", str(height), "--framerate", f"{fps:g}"]
    command += ["--timeout", "0", "--nopreview", "--verbose", "0", "--flush", "--output", "-"]
    if exposure is not None:
        command += ["--shutter", f"{exposure:.0f}"]
    if focus is not None:
        command += ["--autofocus-mode", "manual", "--lens-position", f"{focus:g}"]
    return command


def split_command(source: str) -> list[str]:
    """The programme and arguments in `command:...`, quoted as for a shell, though none runs. Raises: ValueError."""
    try:
        command = shlex.split(source.removeprefix(COMMAND_PREFIX))
    except ValueError as error:  # a quote or a backslash without its end
        raise ValueError(f"{source!r} is no command: {error}") from error
    if not command:
        raise ValueError(f"{source!r} names no programme")
    return command


class CommandCapture:
    """The newest picture of a running programme, with the methods of cv2.VideoCapture that are asked of it.

    What it writes is read as it comes: a slow reader misses pictures, it never sees old ones. Thread: one.
    """

    def __init__(self, reader: str, command: list[str], *, closing: threading.Event) -> None:
        """Start the programme; reading ends when `closing` is set. Raises: ReaderLost, DriverMissing."""
        self._reader = reader
        self._name = Path(command[0]).name
        self._closing = closing
        self._cutter = JpegCutter()
        self._last_words = b""
        self._patience_s = FIRST_PICTURE_S
        try:
            # A session of its own, so that whatever it starts ends with it.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise DriverMissing(self._name, f"{command[0]} is not installed") from error
        except OSError as error:
            raise ReaderLost(reader, f"{command[0]} cannot be run: {error.strerror}") from error
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._out, self._err = self._process.stdout.fileno(), self._process.stderr.fileno()
        self._poll = select.poll()
        for pipe in (self._out, self._err):
            os.set_blocking(pipe, False)
            self._poll.register(pipe, select.POLLIN)

    def read(self) -> tuple[bool, Any]:
        """Wait for a picture and return True and its JPEG, shape (1, bytes) uint8; False when closing.

        Raises: ReaderLost when the programme ends or sends no picture for too long.
        """
        wait_until_s = time.monotonic() + self._patience_s
        while not self._closing.is_set():
            if time.monotonic() > wait_until_s:
                raise ReaderLost(self._reader, self._with_last_words(f"{self._name} sends no pictures"))
            ready = [pipe for pipe, _ in self._poll.poll(LOOK_S * 1000)]
            if self._err in ready:
                self._listen()
            if self._out in ready and (pictures := self._take()):
                self._patience_s = PICTURE_S
                return True, np.frombuffer(pictures[-1], dtype=np.uint8).reshape(1, -1)
        return False, None

    def release(self) -> None:
        """End the programme and all it started. Idempotent."""
        if self._process.returncode is not None:
            return
        self._signal(signal.SIGTERM)
        self._await_end()
        self._signal(signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def get(self, _setting: int, /) -> float:
        """Nothing is known of what the programme was asked for."""
        return 0.0

    def _take(self) -> list[bytes]:
        """Read what is in the pipe; the pictures that are whole now. Raises: ReaderLost at its end."""
        if more := os.read(self._out, PIPE_BYTES):
            return self._cutter.feed(more)
        self._await_end()
        self._listen()  # once: all that a pipe holds, and one who never falls silent does not keep us
        self.release()
        status = self._process.returncode
        raise ReaderLost(self._reader, self._with_last_words(f"{self._name} ended with status {status}"))

    def _listen(self) -> None:
        """Read what the programme complains of and keep the end of it."""
        try:
            more = os.read(self._err, PIPE_BYTES)
        except BlockingIOError:
            return
        if not more:
            with suppress(KeyError):
                self._poll.unregister(self._err)
        self._last_words = (self._last_words + more)[-LAST_WORDS_BYTES:]

    def _with_last_words(self, fault: str) -> str:
        lines = self._last_words.decode(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"{fault}: {said}" if said else fault

    def _await_end(self) -> None:
        """Wait for the programme to end, without taking note: until then its number cannot be another's."""
        wait_until_s = time.monotonic() + END_S
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while os.waitid(os.P_PID, self._process.pid, flags) is None and time.monotonic() < wait_until_s:
            time.sleep(0.01)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
