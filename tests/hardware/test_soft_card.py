"""Soft cards as the demo uses them: a process of their own, a schedule, and every tap read exactly once."""

import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hardware.nfc_nfcpy import NfcReader
from hardware.soft_card import SoftField, main, read_schedule
from hardware.soft_tags import Type2Tag, Type3Tag, Type4Tag, TypeATag

if TYPE_CHECKING:
    from hardware.reader import RawRead

UIDS = {"2": "04a1b2c3d4e5{:02x}", "3": "012e4c11223344{:02x}", "4": "041122334455{:02x}"}


def tap(**changes: Any) -> dict[str, Any]:
    return {"at_s": 0.0, "hold_s": 0.5, "type": "2", "uid": "04a1b2c3d4e580", "text": "TOKEN", **changes}


def encode(*taps: dict[str, Any]) -> bytes:
    return json.dumps(taps).encode()


@contextmanager
def soft_card(schedule: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "hardware.soft_card", "--schedule", str(schedule), *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


def facts(line: str) -> dict[str, int]:
    return {key: int(value) for key, value in (word.split("=") for word in line.split()[1:])}


def test_every_tap_of_a_busy_schedule_is_read_exactly_once_and_in_order(tmp_path: Path) -> None:
    # Types in turn, and each card comes back: 15 taps by 9 cards.
    taps = [
        tap(
            at_s=index * 1.5,
            hold_s=0.8,
            type=(kind := "234"[index % 3]),
            uid=UIDS[kind].format(index % 9),
            text=f"TDM1CARD{index % 9}",
        )
        for index in range(15)
    ]
    schedule = tmp_path / "schedule.json"
    schedule.write_bytes(encode(*taps))
    with soft_card(schedule, "--wait-start") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        listening = process.stdout.readline()
        assert listening.startswith("listening ")
        reader = NfcReader("door", f"udp:127.0.0.1:{facts(listening)['port']}")
        reader.open()
        raws: list[RawRead] = []
        thread = threading.Thread(target=lambda: raws.extend(reader.reads()))
        thread.start()
        process.stdin.write("start\n")
        process.stdin.flush()
        told = list(process.stdout)
        reader.close()
        thread.join(10)
    assert [raw.payload.decode() for raw in raws] == [entry["text"] for entry in taps]
    laid = [facts(line) for line in told if line.startswith("tap ")]
    lifted = [facts(line) for line in told if line.startswith("lift ")]
    assert [line["index"] for line in laid] == [line["index"] for line in lifted] == list(range(15))
    for begin, raw, end in zip(laid, raws, lifted, strict=True):
        assert begin["boot_ns"] < raw.read_at_ns < end["boot_ns"]
    assert facts(told[-1])["taps"] == 15
    assert process.returncode == 0


def test_a_schedule_starts_by_itself_when_nobody_is_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule = tmp_path / "schedule.json"
    schedule.write_bytes(encode(tap(hold_s=0.0)))
    assert main(["--schedule", str(schedule)]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["listening", "tap", "lift", "done"]


def test_no_card_is_laid_when_the_start_never_comes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = tmp_path / "schedule.json"
    schedule.write_bytes(encode(tap()))
    monkeypatch.setattr("sys.stdin", io.StringIO("hello\n"))
    assert main(["--schedule", str(schedule), "--wait-start"]) == 0
    assert "tap" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong",
    [
        b"not json",
        encode(tap(type="5")),
        encode(tap(colour="red")),
        encode(tap(uid="04")),
        encode(tap(uid="zz")),
        encode(tap(type="3")),
        encode(tap(text="x" * 2000)),
        encode(tap(at_s=0.0), tap(at_s=0.2)),
    ],
)
def test_a_wrong_schedule_is_refused_before_anything_is_laid(
    wrong: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule = tmp_path / "schedule.json"
    schedule.write_bytes(wrong)
    assert main(["--schedule", str(schedule)]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err


def test_a_missing_schedule_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--schedule", str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err


def test_taps_are_played_in_the_order_of_time() -> None:
    assert [entry.at_s for entry in read_schedule(encode(tap(at_s=2.0), tap(at_s=1.0)))] == [1.0, 2.0]


def test_a_port_in_use_is_told_rather_than_shared() -> None:
    with SoftField() as field, pytest.raises(OSError, match="in use"):
        SoftField(field.port)


@pytest.mark.parametrize(
    ("kind", "uid"), [(TypeATag, bytes(5)), (TypeATag, b""), (lambda uid: Type3Tag(uid, None), bytes(7))]
)
def test_a_uid_of_a_size_that_no_tag_has_is_refused(kind: Any, uid: bytes) -> None:
    with pytest.raises(ValueError, match="bytes"):
        kind(uid)


def test_tags_answer_only_what_is_meant_for_them() -> None:
    uid = bytes.fromhex("04a1b2c3d4e580")
    assert Type2Tag(uid, None).answer(b"") is None
    assert Type2Tag(uid, None).answer(b"\x97\x20") is None
    assert Type2Tag(uid, None).answer(b"\x93\x70\x00\x00\x00\x00\x00") is None
    assert Type3Tag(uid + b"\x01", None).answer(b"\x06\x00\x12\xfc\x01\x00") is None
    assert Type3Tag(uid + b"\x01", None).answer(b"\x03\x06\x00") is None
    assert Type4Tag(uid, None).answer(b"\x02\x00\xb0\x00\x00\x02") == b"\x02\x6d\x00"
    assert Type4Tag(uid, None).answer(b"\xc2") == b"\xc2"
