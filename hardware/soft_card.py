"""Cards in software laid on a reader by a schedule: `python -m hardware.soft_card --port PORT --schedule FILE`.

Stands in for children at a door whose reader is `udp:127.0.0.1:PORT`: the reader runs the whole nfcpy stack.
Prints, a line each, `listening port=N boot_ns=N`, then `tap index=I boot_ns=N` and `lift index=I boot_ns=N` for every
scheduled card, and `done taps=N boot_ns=N`. Speaks the wire format of nfcpy's udp path on the loopback interface only.
"""

import argparse
import contextlib
import itertools
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec

from hardware.reader import boot_ns
from hardware.soft_tags import SoftTag, Type2Tag, Type3Tag, Type4Tag, ndef_message

_LOOPBACK = "127.0.0.1"
_END = b"END"


class ScheduledTap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One card laid on the reader and lifted again."""

    at_s: float
    """Seconds after the schedule's start."""
    hold_s: float
    type: Literal["2", "3", "4"]
    uid: str
    """In hexadecimal; the IDm for type 3."""
    text: str | None = None

    def tag(self) -> SoftTag:
        """The card. Raises: ValueError when its UID or text do not fit its type."""
        uid, message = bytes.fromhex(self.uid), ndef_message(text=self.text)
        match self.type:
            case "2":
                return Type2Tag(uid, message)
            case "3":
                return Type3Tag(uid, message)
            case "4":
                return Type4Tag(uid, message)


def read_schedule(data: bytes) -> list[ScheduledTap]:
    """Taps in the order of time. Raises: ValueError for a malformed schedule, or two cards at once."""
    taps = sorted(msgspec.json.decode(data, type=list[ScheduledTap]), key=lambda tap: tap.at_s)
    for earlier, later in itertools.pairwise(taps):
        if later.at_s < earlier.at_s + earlier.hold_s:
            raise ValueError(f"the tap at {later.at_s} s begins before that at {earlier.at_s} s ends")
    return taps


class SoftField:
    """The space above a reader's antenna: cards laid on it answer readers at `udp:127.0.0.1:<port>`.

    A context manager; answers on a thread of its own. `lay` and `lift` may be called from any thread.
    """

    def __init__(self, port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((_LOOPBACK, port))
        except OSError:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        self._tags: tuple[SoftTag, ...] = ()
        self._thread = threading.Thread(target=self._serve, name="soft-field", daemon=True)

    def lay(self, *tags: SoftTag) -> None:
        """Lay cards on the reader in place of what lay there."""
        for tag in tags:
            tag.reset()
        self._tags = tags

    def lift(self) -> None:
        """Take all cards away; the reader hears nothing from now on."""
        self._tags = ()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.sendto(_END, (_LOOPBACK, self.port))  # wakes the thread
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        own = (_LOOPBACK, self.port)
        while True:
            datagram, reader = self._socket.recvfrom(1024)
            if datagram == _END and reader == own:
                return
            answer = self._answer(datagram)
            if answer is not None:
                self._socket.sendto(answer, reader)

    def _answer(self, datagram: bytes) -> bytes | None:
        """The answer to a datagram: technology, a space, a frame in hexadecimal; or RFOFF: the field went off."""
        technology, _, frame = datagram.partition(b" ")
        for tag in self._tags:
            if technology == b"RFOFF":
                tag.reset()
            elif technology == tag.brty.encode():
                with contextlib.suppress(ValueError):  # not hexadecimal: not for us
                    answer = tag.answer(bytes.fromhex(frame.decode("ascii", "replace")))
                    if answer is not None:
                        return technology + b" " + answer.hex().encode()
        return None


def play(field: SoftField, taps: Sequence[ScheduledTap]) -> None:
    """Lay and lift the scheduled cards, and say so on standard output."""
    began_s = time.monotonic()
    tags = [tap.tag() for tap in taps]
    for index, (tap, tag) in enumerate(zip(taps, tags, strict=True)):
        _sleep_until(began_s + tap.at_s)
        field.lay(tag)
        _say(f"tap index={index} boot_ns={boot_ns()}")
        _sleep_until(began_s + tap.at_s + tap.hold_s)
        field.lift()
        _say(f"lift index={index} boot_ns={boot_ns()}")
    _say(f"done taps={len(taps)} boot_ns={boot_ns()}")


def _sleep_until(instant_s: float) -> None:
    time.sleep(max(0.0, instant_s - time.monotonic()))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a schedule against one UDP port; the exit status is 2 when the schedule is wrong."""
    parser = argparse.ArgumentParser(prog="python -m hardware.soft_card", description="Lay soft NFC cards on a reader.")
    parser.add_argument("--port", type=int, default=0, help="UDP port on 127.0.0.1 (0: any free one)")
    parser.add_argument("--schedule", type=Path, required=True, help="JSON list of taps")
    parser.add_argument("--wait-start", action="store_true", help="begin at the line 'start' on standard input")
    options = parser.parse_args(arguments)
    try:
        taps = read_schedule(options.schedule.read_bytes())
        for tap in taps:
            tap.tag()
    except (OSError, ValueError) as error:
        sys.stderr.write(f"schedule {options.schedule}: {error}\n")
        return 2
    with SoftField(options.port) as field, contextlib.suppress(KeyboardInterrupt):
        _say(f"listening port={field.port} boot_ns={boot_ns()}")
        if not options.wait_start or any(line.strip() == "start" for line in sys.stdin):
            play(field, taps)
    return 0


if __name__ == "__main__":
    sys.exit(main())
