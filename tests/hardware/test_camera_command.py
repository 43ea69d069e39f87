"""A camera reached through a programme: real processes that write Motion JPEG; a stand-in takes rpicam-vid's place."""

import os
import shlex
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hardware.camera_command import CommandCapture, csi_command, split_command
from hardware.capture import Kind, kind_of
from hardware.errors import DriverMissing, ReaderLost
from hardware.frame_source import Frame
from hardware.qr_camera import QrCamera
from hardware.reader import Medium
from hardware.synthetic_card import draw_card
from hardware.synthetic_scene import Pose, Scene
from kiosk.config import ReaderKind, ReaderSettings
from kiosk.devices import make_reader
from tests.hardware.camera_programme import command_source, write_jpegs

TOKEN = "TFIRSTIJKLMNOPQRSTUVWXYZ23456"


def shell(script: str) -> str:
    return "command:" + shlex.join(["sh", "-c", script])


def jpegs(folder: Path, number: int = 3) -> list[bytes]:
    scene = Scene()
    return write_jpegs(folder / "frames", [scene.render(draw_card(TOKEN), Pose()) for _ in range(number)])


def capture(source: str, closing: threading.Event | None = None) -> CommandCapture:
    return CommandCapture("door", split_command(source), closing=closing or threading.Event())


def comes_true(condition: Callable[[], bool]) -> bool:
    until_s = time.monotonic() + 10
    while not condition() and time.monotonic() < until_s:
        time.sleep(0.02)
    return condition()


def is_running(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a programme of that name on an otherwise empty PATH; it notes its arguments and plays tmp_path/frames."""
    programmes = tmp_path / "bin"
    programmes.mkdir()
    monkeypatch.setenv("PATH", str(programmes))

    def install(name: str) -> Path:
        noted = tmp_path / f"{name}.arguments"
        player = shlex.join(split_command(command_source(tmp_path / "frames")))
        script = programmes / name
        script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {shlex.quote(str(noted))}\nexec {player}\n')
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return noted

    return install


def test_a_card_before_a_programme_s_camera_is_read(tmp_path: Path) -> None:
    jpegs(tmp_path, 10)
    camera = QrCamera("door", command_source(tmp_path / "frames"))
    camera.open()
    read = next(camera.reads())
    camera.close()
    assert (read.medium, read.payload, read.reader) == (Medium.QR, TOKEN.encode(), "door")


def test_pictures_come_as_the_jpegs_that_were_written_for_a_thumbnail_to_be_made_of(tmp_path: Path) -> None:
    written = jpegs(tmp_path)
    reading = capture(command_source(tmp_path / "frames"))
    arrived, picture = reading.read()
    reading.release()
    assert arrived
    assert picture.tobytes() == written[0]
    small = Frame(picture, 0).small()
    assert small is not None
    assert small.shape == (60, 80)


def test_of_pictures_that_wait_only_the_newest_is_handed_over(tmp_path: Path) -> None:
    tiny = write_jpegs(tmp_path / "frames", [np.full((16, 16), grey, dtype=np.uint8) for grey in (10, 100, 200)])
    reading = capture(shell(f"cat {tmp_path}/frames/*; touch {tmp_path}/written; sleep 60"))
    assert comes_true((tmp_path / "written").exists)
    arrived, picture = reading.read()
    reading.release()
    assert arrived
    assert picture.tobytes() == tiny[-1]


@pytest.mark.parametrize("programme", ["rpicam-vid", "libcamera-vid"])
def test_a_csi_camera_is_read_through_whichever_of_its_programmes_is_there(
    programme: str, tmp_path: Path, stand_in: Callable[[str], Path]
) -> None:
    jpegs(tmp_path)
    noted = stand_in(programme)
    camera = QrCamera("door", "csi:1", width=1280, height=720, fps=15, exposure=5000, focus=3.3)
    camera.open()
    read = next(camera.reads())
    camera.close()
    assert read.payload == TOKEN.encode()
    arguments = noted.read_text().splitlines()
    options = dict(zip(arguments, [*arguments[1:], ""], strict=True))
    wanted = {"--camera": "1", "--codec": "mjpeg", "--output": "-", "--timeout": "0", "--width": "1280"}
    wanted |= {"--height": "720", "--framerate": "15", "--shutter": "5000"}
    wanted |= {"--autofocus-mode": "manual", "--lens-position": "3.3"}
    assert wanted.items() <= options.items()


def test_the_newer_programme_is_taken_where_both_are_installed_and_nothing_is_set_that_was_not_asked(
    stand_in: Callable[[str], Path],
) -> None:
    stand_in("libcamera-vid")
    stand_in("rpicam-vid")
    command = csi_command(0, width=640, height=480, fps=12.5, exposure=None, focus=None)
    assert Path(command[0]).name == "rpicam-vid"
    assert not {"--shutter", "--autofocus-mode", "--lens-position"} & set(command)
    assert command[command.index("--framerate") + 1] == "12.5"


def test_a_csi_camera_without_its_programmes_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DriverMissing, match="rpicam-apps"):
        QrCamera("door", "csi").open()


def test_a_programme_that_is_not_installed_is_named() -> None:
    with pytest.raises(DriverMissing, match="no-such-programme is not installed"):
        QrCamera("door", "command:no-such-programme --loud").open()


def test_a_file_that_is_no_programme_is_lost(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("buy a camera")
    with pytest.raises(ReaderLost, match="cannot be run"):
        QrCamera("door", f"command:{tmp_path}/notes").open()


@pytest.mark.parametrize("source", ["command:", "command:   ", "command:rpicam-vid 'unfinished"])
def test_a_command_that_makes_no_sense_is_refused_when_the_camera_is_set_up(source: str) -> None:
    with pytest.raises(ValueError, match=r"^[\"']command:.* (names no programme|is no command: No closing quotation)"):
        QrCamera("door", source)


def test_a_programme_that_ends_is_lost_with_its_status_and_last_words(tmp_path: Path) -> None:
    jpegs(tmp_path, 1)
    failing = f"cat {tmp_path}/frames/*; echo starting >&2; echo 'ERROR: *** no cameras available ***' >&2; exit 3"
    camera = QrCamera("door", shell(failing))
    camera.open()
    with pytest.raises(ReaderLost) as lost:
        list(camera.reads())
    assert lost.value.reason == "sh ended with status 3: ERROR: *** no cameras available ***"
    camera.close()


def test_a_programme_that_ends_before_its_first_picture_is_lost_on_opening() -> None:
    with pytest.raises(ReaderLost, match="sh ended with status 1: no camera"):
        QrCamera("door", shell("echo 'no camera' >&2; exit 1")).open()


def test_a_programme_that_sends_no_pictures_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardware.camera_command.FIRST_PICTURE_S", 0.2)
    with pytest.raises(ReaderLost, match="sends no pictures: waiting for a sensor"):
        QrCamera("door", shell("echo 'waiting for a sensor' >&2; sleep 60")).open()


def test_a_programme_that_stalls_after_its_first_picture_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hardware.camera_command.PICTURE_S", 0.2)
    jpegs(tmp_path, 1)
    camera = QrCamera("door", command_source(tmp_path / "frames"))
    camera.open()
    with pytest.raises(ReaderLost, match="sends no pictures"):
        list(camera.reads())
    camera.close()


def test_endless_bytes_without_a_picture_and_endless_complaints_are_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardware.camera_command.FIRST_PICTURE_S", 0.5)
    with pytest.raises(ReaderLost, match="sends no pictures"):
        QrCamera("door", shell("yes >&2 & cat /dev/zero")).open()


def test_a_torn_picture_and_noise_in_the_stream_cost_no_more_than_themselves(tmp_path: Path) -> None:
    [picture] = jpegs(tmp_path, 1)
    torn = tmp_path / "torn"
    torn.write_bytes(picture[:5000] + b"noise \xff\xff" + picture[:700] + picture)
    camera = QrCamera("door", shell(f"cat {torn}; sleep 60"))
    camera.open()
    assert next(camera.reads()).payload == TOKEN.encode()
    camera.close()


def test_closing_ends_the_programme_and_what_it_started_even_if_it_will_not(tmp_path: Path) -> None:
    jpegs(tmp_path, 1)
    stubborn = (
        f"trap '' TERM; sleep 600 & echo $$ $! > {tmp_path}/numbers; cat {tmp_path}/frames/*; while :; do sleep 9; done"
    )
    camera = QrCamera("door", shell(stubborn))
    camera.open()
    numbers = [int(number) for number in (tmp_path / "numbers").read_text().split()]
    assert all(map(is_running, numbers))
    camera.close()
    assert comes_true(lambda: not any(map(is_running, numbers)))
    with pytest.raises(ChildProcessError):  # no zombie of ours is left
        os.waitpid(numbers[0], os.WNOHANG)


def test_closing_ends_a_read_that_waits_for_a_picture(tmp_path: Path) -> None:
    closing = threading.Event()
    reading = capture(shell("sleep 60"), closing)
    timer = threading.Timer(0.2, closing.set)
    timer.start()
    assert reading.read() == (False, None)
    timer.join()
    reading.release()
    reading.release()


def test_a_programme_whose_reader_was_killed_ends_at_its_next_picture(tmp_path: Path) -> None:
    jpegs(tmp_path, 40)
    player = shlex.join(split_command(command_source(tmp_path / "frames", 20)))
    source = shell(f"echo $$ > {tmp_path}/number; exec {player}")
    child = (
        "import sys, time; from hardware.qr_camera import QrCamera;"
        "QrCamera('door', sys.argv[1]).open(); print('open', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", child, source], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"open\n"
        reader.send_signal(signal.SIGKILL)
    number = int((tmp_path / "number").read_text())
    assert comes_true(lambda: not is_running(number))


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("csi", Kind.CSI),
        ("csi:1", Kind.CSI),
        ("command:gst-launch-1.0 -q libcamerasrc ! jpegenc ! fdsink", Kind.COMMAND),
        ("command:ssh door rpicam-vid -o tcp://x", Kind.COMMAND),
        ("csi.avi", Kind.VIDEO),
    ],
)
def test_the_text_of_a_source_says_whether_it_is_a_programme(source: str, kind: Kind) -> None:
    assert kind_of(source) is kind


def test_a_camera_in_a_process_of_its_own_takes_its_programme_with_it(tmp_path: Path) -> None:
    jpegs(tmp_path, 30)
    player = shlex.join(split_command(command_source(tmp_path / "frames")))
    source = shell(f"echo $$ > {tmp_path}/number; exec {player}")
    camera = make_reader(ReaderSettings(name="door", kind=ReaderKind.QR_CAMERA, source=source, own_process=True))
    camera.open()
    number = int((tmp_path / "number").read_text())
    assert is_running(number)
    camera.close()
    assert comes_true(lambda: not is_running(number))
