"""A driver in a process of its own: the door's side (step 1 of the line; `hardware.reader_child` is the child's).

A decoder that aborts, hangs or leaks ends that process, and the door sees a reader that is lost. No picture crosses
over: capture, decoding and hold-off are the child's, and only reads arrive here.
"""

import math
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from hardware.errors import DriverMissing, ReaderLost
from hardware.reader import RawRead
from hardware.reader_messages import LONGEST_BYTES, Alive, Ended, Lost, Message, Missing, Opened, Read, decode

OPENING_S = 30.0
"""A slow machine loads the decoders, and a camera's driver gives up by itself, well within this."""
CLOSING_S = 1.0
"""How long a child that was let go may take to end before it is killed."""
SPARE_S = 1.0
"""A child ends itself when it hangs, saying where; only when it cannot do even that is it killed."""
_LOOK_S = 0.1
_KILLED_S = 0.1
_CHUNK_BYTES = 64 * 1024


class SupervisedReader:
    """A reader whose driver runs as another process. A `CardReader`.

    `command` is run with `setup` as its first line of standard input and serves a driver by `hardware.reader_child`.
    """

    def __init__(self, name: str, command: Sequence[str], setup: bytes, *, opening_s: float = OPENING_S) -> None:
        """Set up without starting anything; `setup` is one line, and nothing of it is shown to other processes."""
        self.name = name
        self._command = tuple(command)
        self._setup = setup
        self._opening_s = opening_s
        self._child: _Child | None = None
        self._silence_s: float | None = None
        self._lock = threading.Lock()

    def open(self) -> None:
        """Start the process and wait until its driver has its device. Raises: ReaderLost, DriverMissing."""
        self.close()
        with self._lock:  # so that there is always something for `close` to end
            child = self._child = _Child(self.name, self._command, self._setup)
        try:
            self._silence_s = self._opened(child)
        except (ReaderLost, DriverMissing):
            self.close()
            raise

    def reads(self) -> Iterator[RawRead]:
        """Block and yield reads until closed or until a recording ends. Raises: ReaderLost, DriverMissing."""
        child = self._child
        if child is None:
            return
        patience_s = None if self._silence_s is None else self._silence_s + SPARE_S
        while True:
            match message := child.receive(patience_s):
                case Read():
                    yield message.raw
                case Alive():
                    pass
                case Ended():
                    return
                case None if child.closing:
                    return
                case _:
                    raise self._loss(child, message)

    def close(self) -> None:
        """Let go of the process, which ends within a second or is killed; `reads` still yields what it had read.

        Idempotent; never raises. Thread: any.
        """
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.end()

    def _opened(self, child: "_Child") -> float | None:
        """Wait until it has its device; how long it may say nothing from now on. Raises: ReaderLost, DriverMissing."""
        match message := child.receive(self._opening_s):
            case Opened():
                return message.silence_s
            case None if child.closing:
                return None
            case _:
                raise self._loss(child, message)

    def _loss(self, child: "_Child", message: Message | None) -> ReaderLost | DriverMissing:
        match message:
            case Lost():
                return ReaderLost(self.name, message.reason)
            case Missing():
                return DriverMissing(message.driver, message.remedy)
            case None:
                return ReaderLost(self.name, f"its process {child.fate()}")
            case _:
                child.kill()
                return ReaderLost(self.name, f"its process said {type(message).__name__} out of turn")


class _Child:
    """One run of the process. Thread: one receives; any may end it."""

    def __init__(self, reader: str, command: Sequence[str], setup: bytes) -> None:
        """Start it. Raises: ReaderLost."""
        self.closing = False
        self._reader = reader
        self._pending = b""
        self._at_end = False
        self._lock = threading.Lock()
        """Held while the pipe is used, so that it is never closed, and its number given away, under a read."""
        try:
            # A process group of its own: Ctrl-C is for the door, which lets its readers go in order.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, process_group=0
            )
        except OSError as error:
            raise ReaderLost(reader, f"{command[0]} does not start: {error.strerror}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._poll = select.poll()
        self._poll.register(self._stdout, select.POLLIN)
        with suppress(BrokenPipeError):  # it is gone already, which `receive` finds out
            self._stdin.write(setup + b"\n")

    def receive(self, patience_s: float | None) -> Message | None:
        """Wait for what it says next; None when there is no more. Raises: ReaderLost; the process is then killed."""
        until_s = math.inf if patience_s is None else time.monotonic() + patience_s
        while True:
            with self._lock:
                line, whole, rest = self._pending.partition(b"\n")
                if whole:
                    self._pending = rest
                    break
                if self._at_end:
                    return None
                if len(line) > LONGEST_BYTES:
                    raise self._failed("says more than any card holds")
                ended = self._process.poll() is not None
                if self._fill(_LOOK_S):
                    continue
                # It may have left its end of the pipe to a process that it started.
                self._at_end = ended
                if time.monotonic() >= until_s:
                    raise self._failed(f"gave no sign of life for {patience_s:g} s")
        try:
            return decode(line)
        except ValueError as error:
            raise self._failed("says what is no message") from error

    def fate(self) -> str:
        """Wait until it has ended and tell how, in words that follow "its process"."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSING_S)
        code = self._process.poll()
        if code is None:
            self.kill()
            return "closed its end and went on"
        if code >= 0:
            return f"ended with status {code}"
        return f"was killed by {signal.Signals(-code).name}"

    def end(self) -> None:
        """Let go of it and see that it ends; what it had said can still be received. Idempotent. Thread: any."""
        self.closing = True
        with suppress(OSError):
            self._stdin.close()
        try:
            self._process.wait(CLOSING_S)
        except subprocess.TimeoutExpired:
            self.kill()
        with self._lock:
            while not self._at_end and self._fill(0):
                pass
            self._at_end = True
            self._stdout.close()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):  # it waits in the kernel for its device
            self._process.wait(_KILLED_S)

    def _failed(self, what: str) -> ReaderLost:
        self.kill()
        return ReaderLost(self._reader, f"its process {what}")

    def _fill(self, wait_s: float) -> bool:
        """Take in what has arrived; whether anything has, the end being one thing. The lock is held."""
        if not self._poll.poll(wait_s * 1000):
            return False
        chunk = os.read(self._stdout.fileno(), _CHUNK_BYTES)
        self._pending += chunk
        self._at_end = not chunk
        return True
