"""Barcode scanners that type like a keyboard (step 1 of the line): from key events to the line that was scanned.

The driver reads the kernel's input events itself: 24 bytes each and one ioctl, so no library need be built on the Pi.
"""

import contextlib
import errno
import fcntl
import logging
import os
import select
import stat
import struct
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

    A file of recorded events in its place is read to its end.
    """

    def __init__(self, name: str, path: str, *, hold_off_s: float = 1.0, clock_ns: Callable[[], int] = boot_ns) -> None:
        self.name = name
        self.path = path
        self._hold_off_ns = round(hold_off_s * 1e9)
        self._clock_ns = clock_ns
        self._device: int | None = None
        self._recorded = False
        self._wake: tuple[int, int] | None = None

    def open(self) -> None:
        """Take the scanner for this process alone. Raises: ReaderLost."""
        self.close()
        try:
            device = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise ReaderLost(self.name, f"{self.path}: {error.strerror}") from error
        self._recorded = not stat.S_ISCHR(os.fstat(device).st_mode)
        if not self._recorded:
            try:
                fcntl.ioctl(device, EVIOCGRAB, 1)
            except OSError as error:
                os.close(device)
                raise ReaderLost(self.name, f"{self.path} cannot be taken: {error.strerror}") from error
        self._device = device
        self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
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
        wake, self._wake = self._wake, None
        if wake is not None:
            # The reading thread, woken by the end of the pipe, closes what it reads from.
            os.close(wake[1])
            device, self._device = self._device, None
            if device is not None:
                _close(device)
                _close(wake[0])

    def _events(self) -> Iterator[KeyEvent]:
        device, wake, self._device = self._device, self._wake, None
        if device is None or wake is None:
            return
        pending = b""
        try:
            while True:
                ready, _, _ = select.select([device, wake[0]], [], [])
                if wake[0] in ready:
                    return
                chunk = self._read(device)
                if chunk is None:
                    return
                pending += chunk
                whole = len(pending) // EVENT.size * EVENT.size
                for _, _, type_, code, value in EVENT.iter_unpack(pending[:whole]):
                    yield KeyEvent(type_, code, value)
                pending = pending[whole:]
        finally:
            _close(device)
            _close(wake[0])

    def _read(self, device: int) -> bytes | None:
        """What has arrived; None at the end of a recording. Raises: ReaderLost."""
        try:
            chunk = os.read(device, EVENT.size * 64)
        except BlockingIOError:
            return b""
        except OSError as error:
            reason = "unplugged" if error.errno == errno.ENODEV else str(error.strerror)
            raise ReaderLost(self.name, reason) from error
        if chunk:
            return chunk
        if self._recorded:
            return None
        raise ReaderLost(self.name, "sends nothing more")


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.close(descriptor)
