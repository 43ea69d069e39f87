"""A reader's process whose driver does what it is told, however bad; run as a command by the tests of supervision.

Its setup is JSON: what to do at `opening` and while `reading`, in turn, and the `silence_s` it announces.
"""

import ctypes
import os
import signal
import threading
from collections.abc import Callable, Iterator

import msgspec

from hardware.errors import DriverMissing, ReaderLost
from hardware.reader import Medium, RawRead, boot_ns
from hardware.reader_child import DoorLine, confine, serve


class Setup(msgspec.Struct):
    opening: list[str] = []
    reading: list[str] = []
    silence_s: float | None = None


class Hostile:
    """A `CardReader`; its reads are numbered."""

    name = "door"

    def __init__(self, setup: Setup, door: DoorLine) -> None:
        self._setup = setup
        self._door = door
        self._closed = threading.Event()

    def open(self) -> None:
        for deed in self._setup.opening:
            self._do(deed)

    def reads(self) -> Iterator[RawRead]:
        number = 0
        for deed in self._setup.reading:
            what, _, times = deed.partition(" ")
            if what != "read":
                self._do(what)
            for _ in range(int(times or "1") if what == "read" else 0):
                yield RawRead(Medium.QR, b"card %d" % number, self.name, boot_ns())
                number += 1

    def close(self) -> None:
        self._closed.set()

    def _do(self, deed: str) -> None:
        if deed == "block":
            self._closed.wait()
        elif deed == "loop":
            while not self._closed.wait(0.05):
                self._door.alive()
        else:
            DEEDS[deed]()


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def leak() -> None:
    leaked = []
    while True:
        leaked.append(b"\1" * 2**20)


def print_both_ways() -> None:
    print("no message", flush=True)
    ctypes.CDLL(None).puts(b"of ours")
    ctypes.CDLL(None).fflush(None)


def fail() -> None:
    raise RuntimeError("a driver's bug")


def lose() -> None:
    raise ReaderLost("door", "unplugged: 抜けた")


def miss() -> None:
    raise DriverMissing("libzbar", "apt install libzbar0")


DEEDS: dict[str, Callable[[], object]] = {
    "deaf": signal.pause,
    "hang": lambda: ctypes.PyDLL(None).sleep(600),  # PyDLL: keeps Python's lock, as a careless extension does
    "stop": stop,
    "abort": lambda: ctypes.CDLL(None).abort(),
    "crash": lambda: ctypes.string_at(0),
    "exit": lambda: os._exit(3),
    "print": print_both_ways,
    "leak": leak,
    "bug": fail,
    "lost": lose,
    "missing": miss,
}


def main() -> None:
    door = DoorLine()
    confine()
    setup = msgspec.json.decode(door.read_setup(), type=Setup)
    serve(Hostile(setup, door), door, setup.silence_s)


if __name__ == "__main__":
    main()
