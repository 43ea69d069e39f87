"""A tag laid on a reader until it is read: the driver and the whole of nfcpy, on an antenna as slow as a real one."""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from attendance.cards import CardToken
from bench.figure import Row, measured, percentile
from hardware.nfc_nfcpy import NfcReader
from hardware.reader import RawRead, boot_ns
from hardware.simulated_nfc import SimulatedAntenna
from hardware.soft_tags import SoftTag, Type2Tag, Type3Tag, Type4Tag, TypeATag, ndef_message

BAR_MS = 130.0
SEED = 11
PATIENCE_S = 5.0
AWAY_S = (0.25, 0.4)
"""Between two children. Chance decides where in the reader's round of polls the next tag comes."""
HOLD_OFF_S = 0.1
"""Shorter than any pause: a card without a text may have to wait until the one before has been gone for so long."""
_BLIND_S = 0.1
"""What the control waits between two looks at the field."""


class Classic(TypeATag):
    """A MIFARE Classic card, of which a reader without keys learns nothing but the UID."""

    sak = 0x08


def _message() -> bytes | None:
    return ndef_message(text=CardToken.new().text)


KINDS: Mapping[str, Callable[[], SoftTag]] = {
    "type 2 with a token": lambda: Type2Tag(b"\x04" + os.urandom(6), _message()),
    "type 3 with a token": lambda: Type3Tag(b"\x01\x2e" + os.urandom(6), _message()),
    "type 4 with a token": lambda: Type4Tag(b"\x04" + os.urandom(6), _message()),
    "type 2, blank": lambda: Type2Tag(b"\x04" + os.urandom(6), None),
    "FeliCa train pass": lambda: Type3Tag(b"\x01\x2e" + os.urandom(6), None),
    "type 4 without NDEF": lambda: Type4Tag(b"\x04" + os.urandom(6), None),
    "MIFARE Classic": lambda: Classic(b"\x33" + os.urandom(3)),
}


def rows(taps: int) -> list[Row]:
    """So many taps of every kind of tag, in random order, and one of each at a reader that looks too seldom."""
    took_ms = measure(NfcReader, taps)
    every_ms = [each_ms for kind_ms in took_ms.values() for each_ms in kind_ms]
    slow_ms = measure(_Blinking, 1)
    name = "tag in field to RawRead, 30 ms a sense"
    return [
        measured(f"{name}, p95 of {len(every_ms)}", percentile(every_ms, 0.95), "ms", bar=BAR_MS),
        measured(f"{name}, p50", percentile(every_ms, 0.5), "ms"),
        *(measured(f"  {kind}, p95 of {len(ms)}", percentile(ms, 0.95), "ms") for kind, ms in took_ms.items()),
        measured(
            "the same at a reader that rests 0.1 s between two looks",
            percentile([each_ms for kind_ms in slow_ms.values() for each_ms in kind_ms], 0.95),
            "ms",
            bar=BAR_MS,
            control=True,
        ),
    ]


def measure(make: Callable[..., NfcReader], taps: int) -> dict[str, list[float]]:
    """How long each tap took until its read, by the kind of its tag. Units: ms. Raises: RuntimeError for no read."""
    chance = random.Random(SEED)
    turns = [kind for kind in KINDS for _ in range(taps)]
    chance.shuffle(turns)
    took_ms: dict[str, list[float]] = {kind: [] for kind in KINDS}
    antenna = SimulatedAntenna()
    with _reading(make("bench", "usb", hold_off_s=HOLD_OFF_S, connect=antenna.connect)) as next_read:
        for kind in turns:
            time.sleep(chance.uniform(*AWAY_S))
            tag = KINDS[kind]()
            laid_ns = boot_ns()
            antenna.lay(tag)
            took_ms[kind].append((next_read().read_at_ns - laid_ns) / 1e6)
            antenna.lift()
    return took_ms


@contextmanager
def _reading(reader: NfcReader) -> Iterator[Callable[[], RawRead]]:
    """An open reader, and what waits for its next read."""
    reads: list[RawRead] = []
    came = threading.Semaphore(0)

    def collect() -> None:
        for raw in reader.reads():
            reads.append(raw)
            came.release()

    def next_read() -> RawRead:
        if not came.acquire(timeout=PATIENCE_S):
            raise RuntimeError("a tag was not read")
        return reads.pop()

    reader.open()
    thread = threading.Thread(target=collect, name="bench-reader")
    thread.start()
    try:
        yield next_read
    finally:
        reader.close()
        thread.join()


class _Blinking(NfcReader):
    """A reader that rests between two looks, as loops around a blocking `connect` do."""

    def _sense(self, frontend: object) -> object:
        time.sleep(_BLIND_S)
        return super()._sense(frontend)  # type: ignore[arg-type]
