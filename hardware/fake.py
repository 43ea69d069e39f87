"""A reader and a signal without hardware, shipped and selectable in kiosk.toml: for demonstrations, training and tests.

The reader stands at step 1 of the straight line, the signal at step 7.
"""

import errno
import logging
import os
import queue
import select
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from hardware.errors import ReaderLost, SignalLost
from hardware.reader import Medium, RawRead, boot_ns
from hardware.signal import Cue

log = logging.getLogger(__name__)

_HEX_MEDIA = frozenset({Medium.NFC_UID, Medium.FELICA_IDM})
_LOOK_S = 0.1
_CHUNK_BYTES = 4096
_LONGEST_LINE_BYTES = 64 * 1024
_WAITING_MAX = 1000
"""Lines that wait for whoever iterates; when as many do, whoever writes to the FIFO waits too."""


def parse_tap(line: str) -> tuple[Medium, bytes]:
    """Medium and payload of a line such as `qr TDM1...`, `nfc_uid 04A1B2C3`, `nfc_random_uid`. Raises: ValueError."""
    word, _, rest = line.strip().partition(" ")
    medium = Medium(word)
    return medium, bytes.fromhex(rest) if medium in _HEX_MEDIA else rest.encode()


class FakeReader:
    """Reads lines instead of cards: from `feed`, and from a FIFO at `path` when one is given.

    The FIFO is the device: none there, no reader; removed, the reader is unplugged. Make it with `mkfifo`, tap with
    `echo 'qr TDM1...' > PATH`. Every line is one card laid and lifted. `unplug` and `replug` do without a FIFO.
    """

    def __init__(self, name: str, path: Path | None = None) -> None:
        self.name = name
        self._path = path
        self._plugged = True
        self._device: _Lines | None = None
        self._lock = threading.Lock()

    def open(self) -> None:
        """Take the device. Raises: ReaderLost when it is unplugged or there is no FIFO at the path."""
        self.close()
        if not self._plugged:
            raise ReaderLost(self.name, "unplugged")
        try:
            device = _Lines(self._path)
        except OSError as error:
            raise ReaderLost(self.name, error.strerror or str(error)) from error
        with self._lock:
            self._device = device

    def reads(self) -> Iterator[RawRead]:
        """Block and yield reads until closed. Raises: ReaderLost."""
        device = self._device
        if device is None:
            return
        told = False
        for line in device:
            try:
                medium, payload = parse_tap(line)
            except ValueError:
                if not told:
                    log.warning("fake reader ignored a line reader=%s", self.name)
                told = True
                continue
            told = False
            yield RawRead(medium, payload, self.name, boot_ns())
        if device.gone:
            raise ReaderLost(self.name, "unplugged")

    def close(self) -> None:
        """Let go of the device; a blocked `reads` ends at once. Idempotent; never raises. Thread: any."""
        with self._lock:
            device, self._device = self._device, None
        if device is not None:
            device.end()

    def feed(self, line: str) -> None:
        """Lay a card on the open reader and lift it. Raises: ReaderLost when it is not open. Thread: any."""
        with self._lock:
            if self._device is None:
                raise ReaderLost(self.name, "not open")
            self._device.add(line)

    def unplug(self) -> None:
        """Pull the plug: a blocked `reads` raises ReaderLost, and so does `open` until `replug`. Thread: any."""
        self._plugged = False
        with self._lock:
            if self._device is not None:
                self._device.gone = True
        self.close()

    def replug(self) -> None:
        """Put the plug back in; the reader must be opened again."""
        self._plugged = True


class _Lines:
    """The lines of one opening of a fake reader, fed in process or through a FIFO; iteration blocks until `end`."""

    def __init__(self, path: Path | None) -> None:
        self.gone = False
        """Whether the device was pulled out, other than closed."""
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._pump: threading.Thread | None = None
        if path is not None:
            if not stat.S_ISFIFO(path.stat().st_mode):
                raise OSError(errno.ENODEV, "not a FIFO")
            # Read and write: the FIFO never comes to an end when a writer goes.
            fifo = os.open(path, os.O_RDWR | os.O_NONBLOCK)
            self._pump = threading.Thread(target=self._carry, args=(path, fifo), name="fake-reader", daemon=True)
            self._pump.start()

    def __iter__(self) -> Iterator[str]:
        while (line := self._lines.get()) is not None and not self._ended.is_set():
            yield line

    def add(self, line: str) -> None:
        """Hand a line to whoever iterates."""
        self._lines.put(line)

    def end(self) -> None:
        """End the iteration and let go of the FIFO. Idempotent."""
        self._ended.set()
        self._lines.put(None)
        if self._pump is not None:
            self._pump.join()

    def _carry(self, path: Path, fifo: int) -> None:
        """Carry lines from the FIFO until the end, or until the FIFO is removed."""
        pending = b""
        try:
            while not self._ended.is_set():
                if self._lines.qsize() >= _WAITING_MAX:
                    self._ended.wait(_LOOK_S)
                elif select.select([fifo], [], [], _LOOK_S)[0]:
                    *lines, pending = (pending + os.read(fifo, _CHUNK_BYTES)).split(b"\n")
                    for line in lines:
                        self.add(line.decode("utf-8", "replace"))
                    pending = pending[:_LONGEST_LINE_BYTES]
                elif not path.exists():
                    self.gone = True
                    self._lines.put(None)
                    return
        finally:
            os.close(fifo)


class FakeSignal:
    """Keeps the cues it was given, each with its CLOCK_BOOTTIME in nanoseconds, in `played`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.played: list[tuple[Cue, int]] = []
        self._plugged = True
        self._open = False

    def open(self) -> None:
        """Take the device. Raises: SignalLost when it is unplugged."""
        if not self._plugged:
            raise SignalLost(self.name, "unplugged")
        self._open = True

    def play(self, cue: Cue) -> None:
        """Note the cue. Raises: SignalLost when the signal is unplugged or not open."""
        if not self._plugged:
            raise SignalLost(self.name, "unplugged")
        if not self._open:
            raise SignalLost(self.name, "not open")
        self.played.append((cue, boot_ns()))
        log.info("fake signal played signal=%s cue=%s", self.name, cue)

    def close(self) -> None:
        """Let go of the device. Idempotent; never raises."""
        self._open = False

    def unplug(self) -> None:
        """Pull the plug: `play` and `open` raise SignalLost until `replug`."""
        self._plugged = False

    def replug(self) -> None:
        """Put the plug back in."""
        self._plugged = True
