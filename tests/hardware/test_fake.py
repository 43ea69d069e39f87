"""What only the fakes do: lines for cards, a plug to pull, cues to look at."""

import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.errors import ReaderLost, SignalLost
from hardware.fake import FakeReader, FakeSignal, parse_tap
from hardware.reader import Medium, boot_ns
from hardware.signal import Cue


@pytest.mark.parametrize(
    ("line", "tap"),
    [
        ("qr HTTPS://EXAMPLE.ORG/ A B\n", (Medium.QR, b"HTTPS://EXAMPLE.ORG/ A B")),
        ("nfc_text ただいま", (Medium.NFC_TEXT, "ただいま".encode())),
        ("nfc_uid 04A1 B2c3", (Medium.NFC_UID, bytes.fromhex("04a1b2c3"))),
        ("felica_idm 0003012e4c1122334455", (Medium.FELICA_IDM, bytes.fromhex("0003012e4c1122334455"))),
        ("nfc_random_uid", (Medium.NFC_RANDOM_UID, b"")),
        ("keys 12345", (Medium.KEYS, b"12345")),
    ],
)
def test_a_line_names_a_medium_and_its_payload(line: str, tap: tuple[Medium, bytes]) -> None:
    assert parse_tap(line) == tap


@given(st.text())
def test_any_other_line_is_a_value_error(line: str) -> None:
    try:
        medium, _ = parse_tap(line)
    except ValueError:
        return
    assert line.strip().startswith(medium)


def read_one(reader: FakeReader) -> bytes:
    return next(iter(reader.reads())).payload


def test_a_line_that_is_no_tap_is_passed_over_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    reader = FakeReader("door")
    reader.open()
    reader.feed("what is this")
    reader.feed("nfc_uid xyz")
    reader.feed("qr A")
    assert read_one(reader) == b"A"
    assert len(caplog.records) == 1
    reader.close()


def test_unplugging_ends_reads_as_lost_until_it_is_plugged_in_again() -> None:
    reader = FakeReader("door")
    reader.open()
    threading.Timer(0.1, reader.unplug).start()
    with pytest.raises(ReaderLost, match="unplugged"):
        list(reader.reads())
    with pytest.raises(ReaderLost):
        reader.open()
    reader.replug()
    reader.open()
    reader.feed("qr A")
    assert read_one(reader) == b"A"
    reader.close()


def test_a_reader_that_is_not_open_takes_no_card() -> None:
    with pytest.raises(ReaderLost, match="not open"):
        FakeReader("door").feed("qr A")


def test_removing_the_fifo_unplugs_and_making_it_again_plugs_in(tmp_path: Path) -> None:
    fifo = tmp_path / "reader"
    os.mkfifo(fifo)
    reader = FakeReader("door", fifo)
    reader.open()
    fifo.unlink()
    with pytest.raises(ReaderLost, match="unplugged"):
        list(reader.reads())
    reader.close()
    os.mkfifo(fifo)
    reader.open()
    fifo.write_text("qr A\nqr B\n")
    reads = reader.reads()
    assert [next(reads).payload, next(reads).payload] == [b"A", b"B"]
    reader.close()


def test_a_line_that_comes_in_pieces_is_one_tap(tmp_path: Path) -> None:
    fifo = tmp_path / "reader"
    os.mkfifo(fifo)
    reader = FakeReader("door", fifo)
    reader.open()
    with fifo.open("w") as writer:
        writer.write("qr AB")
        writer.flush()
        writer.write("CD\n")
    assert read_one(reader) == b"ABCD"
    reader.close()


@pytest.mark.parametrize("line", [b"\n", b"junk\n"])
def test_who_writes_lines_without_end_waits_for_who_reads(tmp_path: Path, line: bytes) -> None:
    fifo = tmp_path / "reader"
    os.mkfifo(fifo)
    reader = FakeReader("door", fifo)
    reader.open()
    with fifo.open("wb", buffering=0) as writer:
        os.set_blocking(writer.fileno(), False)
        taken_bytes, refused = 0, 0
        while refused < 3:
            written = writer.write(line * 500)
            refused = 0 if written else refused + 1
            taken_bytes += written or 0
            assert taken_bytes < 2_000_000, "it takes in whatever comes"
            if not written:
                time.sleep(0.2)
    reader.close()


def test_a_line_without_end_is_no_tap(tmp_path: Path) -> None:
    fifo = tmp_path / "reader"
    os.mkfifo(fifo)
    reader = FakeReader("door", fifo)
    reader.open()
    with fifo.open("wb") as writer:
        writer.write(b"x" * 500_000 + b"\nqr A\n")
    assert read_one(reader) == b"A"
    reader.close()


def test_a_file_that_is_no_fifo_is_no_reader(tmp_path: Path) -> None:
    (tmp_path / "reader").write_text("qr A\n")
    with pytest.raises(ReaderLost, match="not a FIFO"):
        FakeReader("door", tmp_path / "reader").open()


def test_the_signal_keeps_its_cues_with_their_instants() -> None:
    signal = FakeSignal("lamp")
    signal.open()
    before_ns = boot_ns()
    signal.play(Cue.IN)
    signal.play(Cue.BROKEN)
    assert [cue for cue, _ in signal.played] == [Cue.IN, Cue.BROKEN]
    assert before_ns <= signal.played[0][1] <= signal.played[1][1] <= boot_ns()


def test_an_unplugged_signal_is_lost_until_it_is_plugged_in_again() -> None:
    signal = FakeSignal("lamp")
    signal.open()
    signal.unplug()
    with pytest.raises(SignalLost):
        signal.play(Cue.IN)
    signal.replug()
    signal.open()
    signal.play(Cue.IN)


def test_a_plug_pulled_and_put_back_at_once_is_a_lost_reader_all_the_same() -> None:
    reader = FakeReader("door")
    reader.open()
    reads = reader.reads()
    reader.feed("qr TDM1A")
    assert next(reads).payload == b"TDM1A"
    reader.unplug()
    reader.replug()
    with pytest.raises(ReaderLost):
        next(reads)
