"""One thread for each reader: opens it, passes on its reads, and opens it again when it is lost (steps 1 and 2)."""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence

from attendance.faults import where
from hardware.errors import HardwareError
from hardware.reader import CardReader, RawRead
from kiosk.backoff import LONGEST_S, Backoff

log = logging.getLogger(__name__)

OPENING_S = 10.0
"""A camera takes a second or two to open; only after this long is a reader that has not opened reported to staff."""


class ReaderThread:
    """Keeps one reader going; whatever befalls it stays in this thread. Thread: one caller."""

    def __init__(
        self,
        reader: CardReader,
        take: Callable[[RawRead], None],
        backoff: Backoff | None = None,
        *,
        opening_s: float = OPENING_S,
    ) -> None:
        """`take` gets every read and may block while the door is behind."""
        self.name = reader.name
        self._down_from_s = math.inf
        self._opening_s = opening_s
        self._reader = reader
        self._take = take
        self._backoff = backoff or Backoff()
        self._fault: str | None = None
        self._told = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"reader-{reader.name}", daemon=True)

    @property
    def down(self) -> bool:
        """Whether it does not answer: it failed, or has not opened in good time. Thread: any."""
        return time.monotonic() >= self._down_from_s

    @property
    def fault(self) -> str | None:
        """Why it failed; None while it works and before it was tried. Thread: any."""
        return self._fault

    def start(self) -> None:
        """Begin to read."""
        self._down_from_s = time.monotonic() + self._opening_s
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; `join` waits for it. Idempotent."""
        self._stopping.set()
        self._reader.close()

    def join(self, timeout_s: float) -> None:
        """Wait until it has ended, but no longer."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            opened_s = time.monotonic()
            try:
                self._reader.open()
                if self._stopping.is_set():  # `stop` came before there was anything to close
                    break
                self._note_up()
                for raw in self._reader.reads():
                    self._backoff.reset()
                    self._take(raw)
                # A recording came to its end, or the reader was closed; what it had read by then was taken.
                log.info("reader ended reader=%s", self.name)
                break
            except HardwareError as error:
                self._note_down(str(error))
            except Exception as error:  # noqa: BLE001 - a driver's own bug must not take the other readers down
                self._note_down(f"{type(error).__name__} at {where(error)}")
            if time.monotonic() - opened_s > LONGEST_S:
                self._backoff.reset()
            self._reader.close()
            self._stopping.wait(self._backoff.next_s())
        self._reader.close()

    def _note_up(self) -> None:
        self._down_from_s = math.inf
        self._fault = None
        self._told = False
        log.info("reader up reader=%s", self.name)

    def _note_down(self, reason: str) -> None:
        self._down_from_s = time.monotonic()
        self._fault = reason
        if not self._told and not self._stopping.is_set():
            log.warning("reader down reader=%s reason=%r", self.name, reason)
        self._told = True


def stop_all(readers: Sequence[ReaderThread], within_s: float) -> None:
    """Ask all to end, side by side since a driver that hangs takes its time; wait until they have, but no longer."""
    until_s = time.monotonic() + within_s
    asking = [threading.Thread(target=each.stop, name=f"stop-{each.name}", daemon=True) for each in readers]
    for each in asking:
        each.start()
    joins: list[Callable[[float], None]] = [*(each.join for each in asking), *(each.join for each in readers)]
    for join in joins:
        join(max(0.0, until_s - time.monotonic()))
