"""One queue from all readers and the one thread that empties it into the door (step 2 of the straight line)."""

import logging
import queue
import threading
import time
from collections.abc import Sequence

from attendance.faults import where
from hardware.reader import CardReader, RawRead
from kiosk.announce import Display
from kiosk.door import Door
from kiosk.reading import ReaderThread, stop_all

log = logging.getLogger(__name__)

WAITING_MAX = 64
"""How many reads may wait for a slow disk. When as many do, the readers wait too; a camera then drops frames."""
TICK_S = 1.0
_FULL_S = 0.2
_JOIN_S = 1.3
"""A driver ends within a second of `close`; this is a little more."""


class Consumer:
    """Runs the readers and hands their reads to the door, one by one. Thread: one caller."""

    def __init__(self, door: Door, readers: Sequence[CardReader], display: Display) -> None:
        self._door = door
        self._display = display
        self._queue: queue.Queue[RawRead] = queue.Queue(WAITING_MAX)
        self._ending = threading.Event()
        self._readers = [ReaderThread(reader, self.take) for reader in readers]
        self._thread = threading.Thread(target=self._run, name="door", daemon=True)

    def start(self) -> None:
        """Begin to read and to answer."""
        self._thread.start()
        for reader in self._readers:
            reader.start()

    def stop(self) -> None:
        """End within 2 s; what was read already is still recorded and answered. Idempotent."""
        stop_all(self._readers, _JOIN_S)
        # Only now: what a reader handed over while it ended is taken too.
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(TICK_S)

    def take(self, raw: RawRead) -> None:
        """Queue a read; blocks while the queue is full. Thread: any."""
        while True:
            try:
                self._queue.put(raw, timeout=_FULL_S)
            except queue.Full:
                if self._ending.is_set():
                    return
            else:
                return

    @property
    def readers_down(self) -> tuple[str, ...]:
        """The readers that do not answer. Thread: any."""
        return tuple(reader.name for reader in self._readers if reader.down)

    def _run(self) -> None:
        tick_s = time.monotonic()
        told = ""
        while True:
            try:
                raw: RawRead | None = self._queue.get(timeout=max(0.0, min(tick_s - time.monotonic(), _FULL_S)))
            except queue.Empty:
                raw = None
            try:
                if raw is not None:
                    self._door.handle(raw)
                if time.monotonic() >= tick_s or (raw is not None and self._queue.empty()):
                    tick_s = time.monotonic() + TICK_S
                    self._door.tick()
                    self._display.status(self._door.status(self.readers_down))
                    told = ""
            except Exception as error:  # noqa: BLE001 - the one thread that answers children must not end
                fault = f"error={type(error).__name__} at={where(error)}"
                if fault != told:
                    log.error("door thread failed %s", fault)  # noqa: TRY400 - no payload
                told = fault
            if raw is None and self._ending.is_set():
                return
