"""Barcode scanners that type like a keyboard (step 1 of the line): from key events to the line that was scanned.

The driver reads the kernel's input events itself: 24 bytes each and one ioctl, so no library need be built on the Pi.
"""

import errno
import fcntl
import logging
import os
import select
import stat
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from hardware.errors import ReaderLost
from hardware.reader import Medium, RawRead, boot_ns

log = logging.getLogger(__name__)

EVENT = struct.Struct("@llHHi")
"""struct input_event. Source: linux/input.h."""
EVIOCGRAB = 0x40044590
"""Take the device's keys for ourselves, so that no scan is typed into a window. Source: linux/input.h."""
EV_KEY = 1
PRESSED = 1
SHIFTS = frozenset({42, 54})
ENDS = frozenset({15, 28, 96})
"""Tab, Enter and keypad Enter: what scanners put after a code."""
LONGEST_LINE = 4296
"""Characters of the largest QR code."""
_LOOK_S = 0.1

# Codes are places on a US keyboard. Source: linux/input-event-codes.h.
_PLAIN = {
    **dict(enumerate("1234567890-=", start=2)),
    **dict(enumerate("qwertyuiop[]", start=16)),
    **dict(enumerate("asdfghjkl;'`", start=30)),
    **dict(enumerate("\\zxcvbnm,./", start=43)),
    57: " ",
    **dict(zip((82, 79, 80, 81, 75, 76, 77, 71, 72, 73), "0123456789", strict=True)),
}
_SHIFTED = str.maketrans("1234567890-=[];'`\\,./", '!@#$%^&*()_+{}:"~|<>?')


class KeyEvent(NamedTuple):
    """One event of the kernel's input layer."""

    type: int
    code: int
    value: int
    """Of a key: 0 released, 1 pressed, 2 repeated."""


def typed_lines(events: Iterable[KeyEvent]) -> Iterator[str]:
    """The lines typed, in upper case: caps lock and a scanner's own case setting make no difference.

    Empty lines and lines longer than any code are left out.
    """
    held: set[int] = set()
    line: list[str] = []
    for event in events:
        if event.type != EV_KEY:
            continue
        if event.code in SHIFTS:
            (held.add if event.value else held.discard)(event.code)
        elif event.value == PRESSED and event.code in ENDS:
            if 0 < len(line) <= LONGEST_LINE:
                yield "".join(line)
            line.clear()
        elif event.value == PRESSED and event.code in _PLAIN and len(line) <= LONGEST_LINE:
            key = _PLAIN[event.code]
            line.append((key.translate(_SHIFTED) if held else key).upper())


class KeyScanner:
    """Reads codes from a keyboard-wedge scanner; `path` is its /dev/input/by-id/... A `CardReader`.

    A file of recorded events is read to its end, a FIFO for as long as somebody writes to it.
    """

    def __init__(self, name: str, path: str, *, hold_off_s: float = 1.0, clock_ns: Callable[[], int] = boot_ns) -> None:
        self.name = name
        self.path = path
        self._hold_off_ns = round(hold_off_s * 1e9)
        self._clock_ns = clock_ns
        self._device: _Device | None = None
        self._lock = threading.Lock()

    def open(self) -> None:
        """Take the scanner for this process alone. Raises: ReaderLost."""
        self.close()
        device = _Device(self.name, self.path)
        with self._lock:
            self._device = device
        log.info("reader open name=%s kind=keys", self.name)

    def reads(self) -> Iterator[RawRead]:
        """Yield each scan; the same code again only after the hold-off. Raises: ReaderLost."""
        last, last_at_ns = "", 0
        for line in typed_lines(self._events()):
            now_ns = self._clock_ns()
            held = line == last and now_ns - last_at_ns < self._hold_off_ns
            last, last_at_ns = line, now_ns
            if not held:
                yield RawRead(Medium.KEYS, line.encode(), self.name, now_ns)

    def close(self) -> None:
        """Let go of the scanner. Idempotent; never raises. Thread: any."""
        with self._lock:
            device, self._device = self._device, None
        if device is not None:
            device.close()

    def _events(self) -> Iterator[KeyEvent]:
        device = self._device
        if device is None:
            return
        pending = b""
        while chunk := device.read():
            pending += chunk
            whole = len(pending) // EVENT.size * EVENT.size
            for _, _, type_, code, value in EVENT.iter_unpack(pending[:whole]):
                yield KeyEvent(type_, code, value)
            pending = pending[whole:]


class _Device:
    """One opening of an input device, or of a file or FIFO in its place. Raises: ReaderLost."""

    def __init__(self, reader: str, path: str) -> None:
        self._reader = reader
        self._closing = threading.Event()
        self._lock = threading.Lock()
        """Held while the descriptor is used, so that it is never closed, and its number given away, under a read."""
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise ReaderLost(reader, f"{path}: {error.strerror}") from error
        self._recorded = not stat.S_ISCHR(os.fstat(self._descriptor).st_mode)
        if not self._recorded:
            try:
                fcntl.ioctl(self._descriptor, EVIOCGRAB, 1)
            except OSError as error:
                os.close(self._descriptor)
                raise ReaderLost(reader, f"{path} cannot be taken: {error.strerror}") from error

    def read(self) -> bytes:
        """Wait for what arrives; nothing when closed and at the end of a recording. Raises: ReaderLost."""
        while True:
            with self._lock:
                if self._closing.is_set():
                    return b""
                if not select.select([self._descriptor], [], [], _LOOK_S)[0]:
                    continue
                try:
                    chunk = os.read(self._descriptor, EVENT.size * 64)
                except BlockingIOError:
                    continue
                except OSError as error:
                    reason = "unplugged" if error.errno == errno.ENODEV else str(error.strerror)
                    raise ReaderLost(self._reader, reason) from error
            if not chunk and not self._recorded:
                raise ReaderLost(self._reader, "sends nothing more")
            return chunk

    def close(self) -> None:
        """End a waiting `read` within `_LOOK_S` and let go of the device. Once only. Thread: any."""
        self._closing.set()
        with self._lock:
            os.close(self._descriptor)
