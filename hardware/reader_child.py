"""A driver in a process of its own: the child's side (step 1 of the line; `hardware.supervised` is the door's).

The door holds this process by its standard input and is told through its standard output. A driver that crashes takes
only this process with it; one that hangs is ended, and the log says where it hung.
"""

import faulthandler
import math
import os
import resource
import select
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hardware.errors import DriverMissing, ReaderLost
from hardware.reader import CardReader
from hardware.reader_messages import Alive, Ended, Lost, Message, Missing, Opened, Read, encode

LONGEST_SETUP_BYTES = 64 * 1024
ALIVE_S = 0.5
"""How often the loop says that it goes round."""
CLOSING_S = 0.8
"""After the door let go, the driver may take so long to close."""
GROWTH_BYTES = 256 * 1024 * 1024
"""How much memory a driver may take after it has opened. A camera was seen to take a fifth of it; more is a leak."""
BABBLE_BYTES = 4096
"""Of what libraries print by themselves, as much is passed on: one complains of every torn picture, all day."""
OOM_SCORE = 500
"""When the machine's memory is used up, this process goes and the door stays: a reader can be opened again."""


def confine() -> None:
    """A crash leaves no picture of the doorway on the disk, and when memory runs out this process goes first."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # a container may forbid it
        Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))


def bound_memory() -> None:
    """Let this process grow by `GROWTH_BYTES` and no more; what libraries reserve at first depends on the machine."""
    data_pages = int(Path("/proc/self/statm").read_text().split()[5])
    most_bytes = data_pages * resource.getpagesize() + GROWTH_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))


class DoorLine:
    """This process's two ways to the door that started it. Thread: one sends."""

    def __init__(self) -> None:
        """Take standard output for messages alone; what libraries print goes to standard error, and not all of it."""
        self._out = os.dup(1)
        os.set_blocking(self._out, False)
        self._room = select.poll()
        self._room.register(self._out, select.POLLOUT)
        _bound_babble()
        faulthandler.enable()  # a crash says on standard error where it happened
        self._silence_s: float | None = None
        self._let_go = False
        self._alive_at_s = -math.inf

    def read_setup(self) -> bytes:
        """The first line the door sends; nothing when it let go at once."""
        setup = b""
        while not setup.endswith(b"\n") and len(setup) < LONGEST_SETUP_BYTES and (chunk := os.read(0, 4096)):
            setup += chunk
        return setup.rstrip(b"\n")

    def when_let_go(self, close: Callable[[], None]) -> None:
        """Once the door lets go or is no more: close, and end this process if that takes too long."""

        def wait() -> None:
            while os.read(0, 4096):
                pass
            self._let_go = True
            self._wind_watchdog()
            close()

        threading.Thread(target=wait, name="door-line", daemon=True).start()

    def watch(self, silence_s: float | None) -> None:
        """From now on end this process, and say where it hung, when `alive` is not called for so long."""
        self._silence_s = silence_s
        self._wind_watchdog()

    def alive(self) -> None:
        """Say that the driver's loop went round, if it was not said lately."""
        if time.monotonic() - self._alive_at_s >= ALIVE_S:
            self._alive_at_s = time.monotonic()
            self.send(Alive())
            self._wind_watchdog()

    def send(self, message: Message) -> None:
        """Tell the door; waits while it is behind. Raises: BrokenPipeError when it is no more."""
        line = memoryview(encode(message))
        while line:
            try:
                line = line[os.write(self._out, line) :]
            except BlockingIOError:
                self._wait_for_door()

    def _wait_for_door(self) -> None:
        if not self._let_go:  # the driver does not hang, it is kept waiting
            faulthandler.cancel_dump_traceback_later()
        self._room.poll()
        self._wind_watchdog()

    def _wind_watchdog(self) -> None:
        """It is a thread of C's own, which works while a decoder holds Python's lock."""
        if (limit_s := CLOSING_S if self._let_go else self._silence_s) is not None:
            faulthandler.dump_traceback_later(limit_s, exit=True)


def _bound_babble() -> None:
    """Give Python's own words a standard error of their own, and pass on the first `BABBLE_BYTES` of all others."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    heard, babble = os.pipe()
    for each in (1, 2):
        os.dup2(babble, each)
    os.close(babble)

    def listen() -> None:
        left = BABBLE_BYTES
        while more := os.read(heard, 4096):
            with suppress(OSError):
                os.write(sys.stderr.fileno(), more[:left])
            left = max(0, left - len(more))

    threading.Thread(target=listen, name="babble", daemon=True).start()


def serve(driver: CardReader, door: DoorLine, silence_s: float | None) -> None:
    """Open the driver and pass on what it reads until it ends, is lost, or the door lets go.

    `silence_s`: how long a driver that calls `door.alive` from its loop may leave that out; None for one that does not.
    Raises: whatever a driver's bug raises.
    """
    door.when_let_go(driver.close)
    with suppress(BrokenPipeError):
        door.send(_what_came_of(driver, door, silence_s))
    driver.close()


def _what_came_of(driver: CardReader, door: DoorLine, silence_s: float | None) -> Message:
    try:
        driver.open()
        bound_memory()
        door.send(Opened(silence_s))
        door.watch(silence_s)
        for raw in driver.reads():
            door.send(Read(raw))
    except ReaderLost as error:
        return Lost(error.reason)
    except DriverMissing as error:
        return Missing(error.driver, error.remedy)
    return Ended()
