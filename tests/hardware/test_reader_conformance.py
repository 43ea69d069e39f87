"""What every card reader promises, tried on each driver with its real stack: nfcpy over UDP, the camera on a video.

Two of them also as the door has them: in a process of their own.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from numpy.typing import NDArray

from hardware.errors import ReaderLost
from hardware.fake import FakeReader
from hardware.key_scanner import KeyScanner
from hardware.nfc_auto import AutoNfcReader
from hardware.nfc_nfcpy import NfcReader
from hardware.nfc_pcsc import PcscReader
from hardware.qr_camera import QrCamera
from hardware.reader import CardReader, RawRead
from hardware.soft_tags import SoftTag, Type2Tag, Type3Tag, Type4Tag, ndef_message
from hardware.synthetic_card import code_picture
from kiosk.config import ReaderKind, ReaderSettings
from kiosk.devices import make_reader
from tests.hardware.camera_programme import command_source, write_jpegs
from tests.hardware.keystrokes import encoded, typed
from tests.hardware.pcsc_daemon import ACR122, ACS, SONY, PcscDaemon
from tests.hardware.soft_pcsc import Carriage, PcscCard

HOLD_S = 1.2
GAP_S = 1.6
PATIENCE_S = 20.0
TOKEN = "TDM1KZ4QMXW2E7R5B3YHN6VA"
FOREIGN = "HTTPS://EXAMPLE.ORG/MENU"


@dataclass
class Rig:
    """A reader and the means to hold cards to it."""

    reader: CardReader
    show: Callable[[], None]
    """Hold the scripted cards to the open reader, one after another; returns when the last has gone."""


@dataclass
class Collected:
    """What a thread reads from an open reader until it is closed."""

    raws: list[RawRead] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)


@contextmanager
def collecting(reader: CardReader) -> Iterator[Collected]:
    collected = Collected()

    def collect() -> None:
        try:
            collected.raws.extend(reader.reads())
        except ReaderLost as error:
            collected.errors.append(error)

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        yield collected
    finally:
        reader.close()
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "reads() went on after close()"


class Kit(Protocol):
    """A driver under test."""

    def rig(self, tmp_path: Path, cards: list[str]) -> AbstractContextManager[Rig]: ...

    def missing(self, tmp_path: Path) -> CardReader: ...


class FakeKit:
    @contextmanager
    def rig(self, tmp_path: Path, cards: list[str]) -> Iterator[Rig]:
        reader = FakeReader("door")

        def show() -> None:
            for card in cards:
                reader.feed(f"qr {card}")
            time.sleep(0.1)

        yield Rig(reader, show)

    def missing(self, tmp_path: Path) -> CardReader:
        reader = FakeReader("door")
        reader.unplug()
        return reader


class FifoKit:
    @contextmanager
    def rig(self, tmp_path: Path, cards: list[str]) -> Iterator[Rig]:
        fifo = tmp_path / "reader"
        os.mkfifo(fifo)

        def show() -> None:
            subprocess.run(
                ["sh", "-c", 'echo "$0" > "$1"', "\n".join(f"qr {card}" for card in cards), fifo], check=True
            )
            time.sleep(0.5)

        yield Rig(FakeReader("door", fifo), show)

    def missing(self, tmp_path: Path) -> CardReader:
        return FakeReader("door", tmp_path / "reader")


class NfcKit:
    """The whole nfcpy stack, with soft cards of one type in another process."""

    def __init__(self, kind: str, uid: str, make: Callable[[str], CardReader]) -> None:
        self.kind, self.uid, self.make = kind, uid, make

    @contextmanager
    def rig(self, tmp_path: Path, cards: list[str]) -> Iterator[Rig]:
        schedule = [
            {"at_s": index * (HOLD_S + GAP_S), "hold_s": HOLD_S, "type": self.kind, "uid": self.uid, "text": card}
            for index, card in enumerate(cards)
        ]
        (tmp_path / "schedule.json").write_text(json.dumps(schedule))
        command = [
            sys.executable,
            "-m",
            "hardware.soft_card",
            "--schedule",
            str(tmp_path / "schedule.json"),
            "--wait-start",
        ]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as soft_card:
            assert soft_card.stdin is not None
            assert soft_card.stdout is not None
            port = soft_card.stdout.readline().split()[1].removeprefix("port=")
            stdin, stdout = soft_card.stdin, soft_card.stdout

            def show() -> None:
                stdin.write("start\n")
                stdin.flush()
                assert "done" in [line.split()[0] for line in stdout]

            yield Rig(self.make(f"udp:127.0.0.1:{port}"), show)

    def missing(self, tmp_path: Path) -> CardReader:
        return self.make("tty:S99:pn532")


class PcscKit:
    """A real pcscd with a virtual reader; cards of one type."""

    def __init__(self, tag: Callable[[bytes], SoftTag], make: str, carriage: Carriage) -> None:
        self.tag, self.make, self.carriage = tag, make, carriage

    @contextmanager
    def rig(self, tmp_path: Path, cards: list[str]) -> Iterator[Rig]:
        with PcscDaemon(self.make) as daemon:

            def show() -> None:
                for card in cards:
                    daemon.slot.lay(PcscCard(self.tag(ndef_message(text=card) or b""), self.carriage))
                    time.sleep(HOLD_S)
                    daemon.slot.lift()
                    time.sleep(GAP_S)

            yield Rig(PcscReader("door"), show)

    def missing(self, tmp_path: Path) -> CardReader:
        return PcscReader("door", "no such reader")


class CameraKit:
    """Cards held to a camera, recorded."""

    def __init__(self, make: Callable[[str], CardReader]) -> None:
        self.make = make

    @contextmanager
    def rig(self, tmp_path: Path, cards: list[str]) -> Iterator[Rig]:
        video = tmp_path / "door.avi"
        record(video, cards)

        def show() -> None:
            time.sleep(len(cards) * (HOLD_S + GAP_S) + GAP_S)

        yield Rig(self.make(str(video)), show)

    def missing(self, tmp_path: Path) -> CardReader:
        return self.make(str(tmp_path / "no-such.avi"))


class CameraProgrammeKit:
    """Cards held to a camera that is reached through a programme, as a Pi's CSI camera is."""

    @contextmanager
    def rig(self, tmp_path: Path, cards: list[str]) -> Iterator[Rig]:
        write_jpegs(tmp_path / "frames", frames_with(cards))

        def show() -> None:
            time.sleep(len(cards) * (HOLD_S + GAP_S) + GAP_S)

        yield Rig(QrCamera("door", command_source(tmp_path / "frames")), show)

    def missing(self, tmp_path: Path) -> CardReader:
        return QrCamera("door", "command:false")


class KeyScannerKit:
    """Cards held to a scanner that sends the code again and again while it sees it; a FIFO carries its key events."""

    @contextmanager
    def rig(self, tmp_path: Path, cards: list[str]) -> Iterator[Rig]:
        fifo = tmp_path / "scanner"
        os.mkfifo(fifo)
        # Read and write: so that opening does not wait for the reader, and the FIFO does not end.
        scanner = os.open(fifo, os.O_RDWR)

        def show() -> None:
            for card in cards:
                for _ in range(4):
                    os.write(scanner, encoded(typed(card)))
                    time.sleep(HOLD_S / 4)
                time.sleep(GAP_S)

        try:
            yield Rig(KeyScanner("door", str(fifo)), show)
        finally:
            os.close(scanner)

    def missing(self, tmp_path: Path) -> CardReader:
        return KeyScanner("door", str(tmp_path / "scanner"))


def frames_with(cards: list[str], fps: int = 15) -> list[NDArray[np.uint8]]:
    empty = np.full((480, 640), 90, dtype=np.uint8)
    frames = [empty] * round(GAP_S * fps)
    for card in cards:
        code = code_picture(card, module_px=6)
        held = empty.copy()
        held[80 : 80 + code.shape[0], 180 : 180 + code.shape[1]] = code
        frames += [held] * round(HOLD_S * fps) + [empty] * round(GAP_S * fps)
    return frames


def record(video: Path, cards: list[str], fps: int = 15) -> None:
    import cv2

    writer: Any = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), fps, (640, 480), isColor=False)
    for frame in frames_with(cards, fps):
        writer.write(frame)
    writer.release()


def in_own_process(kind: ReaderKind) -> Callable[[str], CardReader]:
    def make(source: str) -> CardReader:
        return make_reader(ReaderSettings(name="door", kind=kind, source=source, own_process=True))

    return make


KITS: dict[str, Kit] = {
    "fake": FakeKit(),
    "fake over a FIFO": FifoKit(),
    "nfcpy, type 2": NfcKit("2", "04a1b2c3d4e580", partial(NfcReader, "door")),
    "nfcpy, type 3": NfcKit("3", "012e4c1122334455", partial(NfcReader, "door")),
    "nfcpy, type 4": NfcKit("4", "04112233445566", partial(NfcReader, "door")),
    "nfc by its source": NfcKit("2", "04a1b2c3d4e580", partial(AutoNfcReader, "door")),
    "nfcpy, in its own process": NfcKit("2", "04a1b2c3d4e580", in_own_process(ReaderKind.NFC)),
    "pcsc, type 2": PcscKit(partial(Type2Tag, bytes.fromhex("04a1b2c3d4e580")), ACS, Carriage.DIRECT),
    "pcsc, type 3": PcscKit(partial(Type3Tag, bytes.fromhex("012e4c1122334455")), SONY, Carriage.TRANSPARENT),
    "pcsc, type 4": PcscKit(partial(Type4Tag, bytes.fromhex("04112233445566")), ACR122, Carriage.PN532),
    "camera": CameraKit(partial(QrCamera, "door")),
    "camera, in its own process": CameraKit(in_own_process(ReaderKind.QR_CAMERA)),
    "camera through a programme": CameraProgrammeKit(),
    "key scanner": KeyScannerKit(),
}


@pytest.fixture(params=list(KITS.values()), ids=list(KITS))
def kit(request: pytest.FixtureRequest) -> Kit:
    kit: Kit = request.param
    return kit


def test_opening_a_reader_that_is_not_there_says_which_one(kit: Kit, tmp_path: Path) -> None:
    reader = kit.missing(tmp_path)
    with pytest.raises(ReaderLost) as caught:
        reader.open()
    assert caught.value.reader == "door"


def test_a_held_card_is_read_once_and_again_when_it_comes_back(kit: Kit, tmp_path: Path) -> None:
    with kit.rig(tmp_path, [TOKEN, TOKEN]) as rig:
        rig.reader.open()
        with collecting(rig.reader) as collected:
            rig.show()
    assert [raw.payload for raw in collected.raws] == [TOKEN.encode()] * 2
    assert collected.errors == []


def test_a_foreign_card_is_delivered_with_its_reader_and_instant_and_a_repr_that_hides_it(
    kit: Kit, tmp_path: Path
) -> None:
    before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    with kit.rig(tmp_path, [FOREIGN]) as rig:
        rig.reader.open()
        with collecting(rig.reader) as collected:
            rig.show()
    (raw,) = collected.raws
    assert (raw.payload, raw.reader) == (FOREIGN.encode(), "door")
    assert before_ns < raw.read_at_ns <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert FOREIGN not in repr(raw)
    assert "payload" not in repr(raw)


def test_close_from_another_thread_ends_reads_and_may_be_repeated(kit: Kit, tmp_path: Path) -> None:
    with kit.rig(tmp_path, [TOKEN] * 3) as rig:
        rig.reader.open()
        with collecting(rig.reader) as collected:
            time.sleep(0.2)
            rig.reader.close()
        rig.reader.close()
    assert collected.errors == []


def test_a_closed_reader_reads_nothing_and_can_be_opened_again(kit: Kit, tmp_path: Path) -> None:
    with kit.rig(tmp_path, [TOKEN]) as rig:
        rig.reader.close()
        rig.reader.open()
        rig.reader.close()
        assert list(rig.reader.reads()) == []
        rig.reader.open()
        with collecting(rig.reader) as collected:
            rig.show()
    assert [raw.payload for raw in collected.raws] == [TOKEN.encode()]
