"""A reader's own process as the door starts it: real drivers, real recordings, and a door that outlives them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from attendance.records import Moved
from hardware.errors import ReaderLost
from hardware.nfc_auto import AutoNfcReader
from hardware.qr_camera import QrCamera
from hardware.reader_child import BABBLE_BYTES
from hardware.reader_messages import Ended, Message, Opened, decode
from hardware.supervised import SupervisedReader
from kiosk.config import ReaderKind, ReaderSettings
from kiosk.devices import READER_PROCESS, make_reader
from tests.hardware.camera_programme import command_source, write_jpegs
from tests.hardware.keystrokes import encoded, typed
from tests.hardware.test_reader_conformance import record
from tests.hardware.test_supervised import children
from tests.kiosk.door_parts import HANAS_TOKEN, TAROS_TOKEN
from tests.kiosk.live_parts import picture
from tests.real_door import fifo, real_door, set_up, tap

PATIENCE_S = 20.0


def settings_of(
    kind: ReaderKind, source: Path | str, *, loop: bool = False, own_process: bool | None = None
) -> ReaderSettings:
    return ReaderSettings(name="front", kind=kind, source=str(source), loop=loop, own_process=own_process)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Hana's card held to a camera."""
    path = tmp_path / "door.avi"
    record(path, [HANAS_TOKEN.text])
    return path


def wait_until(happened: Callable[[], bool]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < until_s, "it did not happen"
        time.sleep(0.02)


def test_a_camera_has_a_process_of_its_own_and_others_have_one_when_it_is_set() -> None:
    camera, nfc = settings_of(ReaderKind.QR_CAMERA, "0"), settings_of(ReaderKind.NFC, "usb")
    assert isinstance(make_reader(camera), SupervisedReader)
    assert isinstance(make_reader(nfc), AutoNfcReader)
    assert isinstance(make_reader(msgspec.structs.replace(camera, own_process=False)), QrCamera)
    assert isinstance(make_reader(msgspec.structs.replace(nfc, own_process=True)), SupervisedReader)


@pytest.mark.parametrize("own_process", [False, True])
def test_a_source_that_makes_no_sense_is_told_at_once_either_way(*, own_process: bool) -> None:
    with pytest.raises(ValueError, match="not an nfcpy path"):
        make_reader(settings_of(ReaderKind.NFC, "nonsense", own_process=own_process))


def test_the_door_itself_loads_no_decoder_for_a_camera() -> None:
    script = (
        "import sys, kiosk.run\n"
        "from kiosk.config import ReaderKind, ReaderSettings\n"
        "kiosk.run.make_reader(ReaderSettings(name='front', kind=ReaderKind.QR_CAMERA, source='0'))\n"
        "print([each for each in ('cv2', 'zxingcpp', 'pyzbar') if each in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_a_fake_works_in_a_process_of_its_own_too(tmp_path: Path) -> None:
    device = tmp_path / "device"
    os.mkfifo(device)
    reader = make_reader(settings_of(ReaderKind.FAKE, device, own_process=True))
    reader.open()
    reads = reader.reads()
    tap(device, f"qr {HANAS_TOKEN.text}")
    assert next(reads).payload == HANAS_TOKEN.text.encode()
    reader.close()
    assert list(reads) == []


def test_a_scanner_works_in_a_process_of_its_own_too(tmp_path: Path) -> None:
    typing = tmp_path / "typing"
    typing.write_bytes(encoded(typed(HANAS_TOKEN.text)))
    reader = make_reader(settings_of(ReaderKind.KEYS, typing, own_process=True))
    reader.open()
    assert [raw.payload for raw in reader.reads()] == [HANAS_TOKEN.text.encode()]
    reader.close()


def test_its_log_is_the_doors_log_and_says_when_the_first_picture_came(
    video: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    reader = make_reader(settings_of(ReaderKind.QR_CAMERA, video))
    reader.open()
    reader.close()
    [line] = [line for line in capfd.readouterr().err.splitlines() if "reader open" in line]
    assert line.startswith("at=")
    assert "level=INFO logger=hardware.qr_camera reader open name=front kind=video first_frame_boot_ns=" in line
    assert before_ns < int(line.rpartition("=")[2]) < time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def test_a_camera_that_tears_every_picture_does_not_fill_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    [jpeg] = write_jpegs(tmp_path / "frames", [picture()])
    for number in range(400):
        (tmp_path / "frames" / f"{number:05d}.jpg").write_bytes(jpeg[:-300] + jpeg[-2:])
    reader = make_reader(settings_of(ReaderKind.QR_CAMERA, command_source(tmp_path / "frames", fps=400)))
    reader.open()
    next(reader.reads())
    time.sleep(1.5)
    reader.close()
    told = capfd.readouterr().err
    assert "Corrupt JPEG data" in told
    assert len(told) < 2 * BABBLE_BYTES


def test_it_ends_in_order_when_the_door_lets_go_of_its_standard_input(video: Path) -> None:
    setup = msgspec.json.encode(settings_of(ReaderKind.QR_CAMERA, video, loop=True)) + b"\n"
    with subprocess.Popen(READER_PROCESS, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(setup)
        process.stdin.flush()
        said: list[Message] = [decode(process.stdout.readline().rstrip())]
        process.stdin.close()
        said += [decode(line.rstrip()) for line in process.stdout]
    assert isinstance(said[0], Opened)
    assert said[0].silence_s is not None
    assert said[-1] == Ended()
    assert process.returncode == 0


def test_settings_that_it_cannot_take_are_not_quoted(capfd: pytest.CaptureFixture[str]) -> None:
    reader = SupervisedReader("front", READER_PROCESS, json.dumps({"name": HANAS_TOKEN.text, "kind": "radar"}).encode())
    with pytest.raises(ReaderLost, match=r"ValidationError at reader_process\.py") as caught:
        reader.open()
    assert HANAS_TOKEN.text not in str(caught.value) + capfd.readouterr().err


def test_the_door_goes_on_while_a_cameras_process_is_killed_and_opened_again(video: Path, tmp_path: Path) -> None:
    camera = f'[[readers]]\nname = "camera"\nkind = "qr_camera"\nsource = "{video}"\nloop = true\nhold_off_s = 0.5\n'
    with real_door(set_up(tmp_path, fifo(tmp_path, "table") + camera)) as door:
        door.wait_for("recorded .*kind=movement")
        [pid] = children(door.process.pid)
        os.kill(pid, signal.SIGKILL)
        door.wait_for("reader down reader=camera reason=.*killed by SIGKILL")
        tap(tmp_path / "table", f"qr {TAROS_TOKEN.text}")
        door.wait_for("recorded .*kind=movement", times=2)
        door.wait_for("reader up reader=camera", times=2)
        [pid] = children(door.process.pid)
    wait_until(lambda: not Path(f"/proc/{pid}").exists())
    assert [type(body) for body in door.bodies()] == [Moved, Moved]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["told", "killed"])
def test_a_door_leaves_no_process_behind(how: signal.Signals, video: Path, tmp_path: Path) -> None:
    camera = f'[[readers]]\nname = "camera"\nkind = "qr_camera"\nsource = "{video}"\nloop = true\n'
    with real_door(set_up(tmp_path, camera)) as door:
        door.wait_for("reader up reader=camera")
        [pid] = children(door.process.pid)
        door.process.send_signal(how)
        door.process.wait(PATIENCE_S)
        wait_until(lambda: not Path(f"/proc/{pid}").exists())
    assert "Traceback" not in door.told()
