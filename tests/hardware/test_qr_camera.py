"""The QR camera on real input: videos, pictures and streams through cv2.VideoCapture."""

import logging
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest

from hardware.capture import CaptureSettings, Kind, ask_camera, kind_of
from hardware.errors import ReaderLost
from hardware.frame_source import Frame, FrameSource, to_grey
from hardware.qr_camera import QrCamera, look_at
from hardware.qr_cascade import Cascade, read_photograph
from hardware.qr_decode import Grey, read_with_zxing
from hardware.qr_gate import IdleGate
from hardware.reader import Medium, RawRead, boot_ns
from hardware.synthetic_card import code_picture, draw_card
from hardware.synthetic_frames import draw_hard_frames
from hardware.synthetic_hand import Showing, draw_frames, write_video
from hardware.synthetic_scene import Pose, Scene

FIRST, SECOND = "TFIRSTIJKLMNOPQRSTUVWXYZ23456", "TSECONDJKLMNOPQRSTUVWXYZ23456"


def door_video(folder: Path, *showings: Showing, fps: int = 15) -> str:
    path = folder / "door.avi"
    write_video(showings or [Showing(FIRST, 0.3, 0.6)], path, fps=fps)
    return str(path)


def write_frames(folder: Path, frames: list[Grey]) -> str:
    for number, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"frame_{number:04d}.png"), frame)
    return str(folder / "frame_%04d.png")


def read_all(camera: QrCamera) -> list[RawRead]:
    camera.open()
    try:
        return list(camera.reads())
    finally:
        camera.close()


class _Stream(BaseHTTPRequestHandler):
    """A network camera: Motion JPEG over HTTP, for as long as its server lives."""

    frames: ClassVar[list[bytes]] = []
    stopped: ClassVar[threading.Event]

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        number = 0
        while not self.stopped.is_set():
            jpeg = self.frames[number % len(self.frames)]
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
            try:
                self.wfile.write(head + jpeg + b"\r\n")
            except OSError:
                return
            number += 1
            time.sleep(0.02)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        pass


@contextmanager
def network_camera(frames: list[Grey]) -> Iterator[tuple[str, threading.Event]]:
    """Its address, and the event that unplugs it."""

    class Stream(_Stream):
        stopped = threading.Event()

    Stream.frames = [cv2.imencode(".jpg", frame)[1].tobytes() for frame in frames]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stream)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/stream.mjpg", Stream.stopped
    finally:
        Stream.stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()


def held_card(payload: str = FIRST, frames: int = 10) -> list[Grey]:
    scene = Scene()
    return [scene.render(draw_card(payload), Pose()) for _ in range(frames)]


def test_each_card_of_a_video_is_read_once_and_the_reads_end_with_it(tmp_path: Path) -> None:
    camera = QrCamera("door", door_video(tmp_path, Showing(FIRST, 0.3, 0.6), Showing(SECOND, 1.4, 0.6)))
    reads = read_all(camera)
    assert [(read.medium, read.payload, read.reader) for read in reads] == [
        (Medium.QR, FIRST.encode(), "door"),
        (Medium.QR, SECOND.encode(), "door"),
    ]


def test_a_recording_plays_at_its_own_pace(tmp_path: Path) -> None:
    camera = QrCamera("door", door_video(tmp_path, Showing(FIRST, 0.8, 0.6)))
    [read] = read_all(camera)
    assert camera.first_frame_boot_ns is not None
    assert read.read_at_ns - camera.first_frame_boot_ns >= 0.5e9


def test_opening_says_when_the_first_frame_was_played(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before_ns = boot_ns()
    camera = QrCamera("door", door_video(tmp_path))
    with caplog.at_level(logging.INFO, logger="hardware.qr_camera"):
        camera.open()
    camera.close()
    assert camera.first_frame_boot_ns is not None
    assert before_ns <= camera.first_frame_boot_ns <= boot_ns()
    [line] = [record.getMessage() for record in caplog.records if record.getMessage().startswith("reader open")]
    assert re.fullmatch(rf"reader open name=door kind=video first_frame_boot_ns={camera.first_frame_boot_ns}", line)


def test_a_card_held_throughout_is_read_once(tmp_path: Path) -> None:
    reads = read_all(QrCamera("door", door_video(tmp_path, Showing(FIRST, 0.3, 4.0)), hold_off_s=0.5))
    assert [read.payload for read in reads] == [FIRST.encode()]


def test_a_card_lying_still_so_long_that_the_gate_sleeps_is_read_once(tmp_path: Path) -> None:
    frames = [np.asarray(cv2.copyMakeBorder(code_picture(FIRST), 100, 100, 200, 200, cv2.BORDER_REPLICATE), np.uint8)]
    camera = QrCamera("door", write_frames(tmp_path, frames * 150), fps=60, hold_off_s=0.3)
    assert [read.payload for read in read_all(camera)] == [FIRST.encode()]


def test_a_card_that_comes_back_is_read_again(tmp_path: Path) -> None:
    video = door_video(tmp_path, Showing(FIRST, 0.3, 0.5), Showing(FIRST, 2.4, 0.5))
    assert [read.payload for read in read_all(QrCamera("door", video))] == [FIRST.encode()] * 2


def test_two_cards_held_up_together_are_both_read(tmp_path: Path) -> None:
    pair = np.hstack([code_picture(FIRST), code_picture(SECOND)])
    reads = read_all(QrCamera("door", write_frames(tmp_path, [np.asarray(pair, dtype=np.uint8)] * 5)))
    assert sorted(read.payload for read in reads) == [FIRST.encode(), SECOND.encode()]


def test_pictures_are_read_as_a_sequence_at_the_rate_asked_for(tmp_path: Path) -> None:
    [read] = read_all(QrCamera("door", write_frames(tmp_path, held_card()), fps=30))
    assert read.payload == FIRST.encode()


def test_a_code_that_is_no_card_of_ours_is_read_all_the_same(tmp_path: Path) -> None:
    address = "https://example.org/?n=1"
    frames = write_frames(tmp_path, [code_picture(address)] * 15)
    camera = QrCamera("door", frames, accept=lambda payload: payload.startswith(b"T"))
    assert [read.payload for read in read_all(camera)] == [address.encode()]


def test_one_picture_is_read_with_everything_there_is(tmp_path: Path) -> None:
    hard = [frame for frame in draw_hard_frames(10, seed=3) if not read_with_zxing(frame.grey)]
    readable = {frame.payload: frame.grey for frame in hard if read_photograph(frame.grey)}
    assert readable
    for payload, grey in readable.items():
        cv2.imwrite(str(tmp_path / "card_07.png"), grey)
        assert [read.payload.decode() for read in read_all(QrCamera("door", str(tmp_path / "card_07.png")))] == [
            payload
        ]


def test_a_looping_recording_goes_on_until_closed(tmp_path: Path) -> None:
    frames = [*held_card(frames=4), *[Scene().render(None, Pose())] * 36]
    camera = QrCamera("door", write_frames(tmp_path, frames), loop=True, fps=60, hold_off_s=0.2)
    camera.open()
    reads = camera.reads()
    assert [next(reads).payload for _ in range(3)] == [FIRST.encode()] * 3
    camera.close()
    assert list(reads) == []


def test_a_camera_may_be_opened_again_after_it_was_closed(tmp_path: Path) -> None:
    camera = QrCamera("door", door_video(tmp_path))
    assert [len(read_all(camera)) for _ in range(2)] == [1, 1]


@pytest.mark.parametrize("source", ["97", "/dev/video97", "/dev/v4l/by-id/none"])
def test_a_camera_that_is_not_plugged_in_is_lost(source: str) -> None:
    with pytest.raises(ReaderLost, match="cannot be opened") as lost:
        QrCamera("door", source).open()
    assert lost.value.reader == "door"


def test_a_missing_file_is_lost(tmp_path: Path) -> None:
    with pytest.raises(ReaderLost, match="is not a file"):
        QrCamera("door", str(tmp_path / "none.avi")).open()


def test_a_folder_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(ReaderLost, match="is not a file"):
        QrCamera("door", str(tmp_path)).open()


@pytest.mark.parametrize("content", [b"", b"not a video at all\n" * 100], ids=["empty", "text"])
def test_a_file_that_is_no_video_is_lost(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "door.avi"
    path.write_bytes(content)
    with pytest.raises(ReaderLost):
        QrCamera("door", str(path)).open()


def test_pictures_that_are_not_there_are_lost(tmp_path: Path) -> None:
    with pytest.raises(ReaderLost):
        QrCamera("door", str(tmp_path / "frame_%04d.png")).open()


def test_a_stream_nobody_serves_is_lost() -> None:
    with network_camera(held_card(frames=1)) as (address, _):
        gone = address
    with pytest.raises(ReaderLost):
        QrCamera("door", gone).open()


def test_a_network_camera_is_read_and_its_unplugging_told() -> None:
    with network_camera(held_card()) as (address, unplugged):
        camera = QrCamera("door", address)
        camera.open()
        reads = camera.reads()
        assert next(reads).payload == FIRST.encode()
        unplugged.set()
        with pytest.raises(ReaderLost) as lost:
            next(reads)
        assert lost.value.reader == "door"
        camera.close()


def test_closing_ends_a_read_that_waits_for_a_card() -> None:
    empty = Scene().render(None, Pose())
    with network_camera([empty]) as (address, _):
        camera = QrCamera("door", address)
        camera.open()
        closing = threading.Timer(0.3, camera.close)
        closing.start()
        assert list(camera.reads()) == []
        closing.join()


def test_a_camera_closed_while_it_is_starting_stays_closed(tmp_path: Path) -> None:
    # The clock is first asked between the first picture and the end of opening.
    def clock_ns() -> int:
        camera.close()
        return boot_ns()

    camera = QrCamera("door", write_frames(tmp_path, held_card()), loop=True, clock_ns=clock_ns)
    camera.open()
    assert list(camera.reads()) == []


def test_a_missing_camera_is_told_by_the_error_alone(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ReaderLost):
        QrCamera("door", "/dev/video97").open()
    assert capfd.readouterr().err == ""


def test_a_camera_never_opened_yields_nothing_and_closing_it_twice_does_no_harm() -> None:
    camera = QrCamera("door", "0")
    camera.close()
    camera.close()
    assert list(camera.reads()) == []


def test_frames_that_come_while_decoding_is_slow_are_dropped_never_queued(tmp_path: Path) -> None:
    numbered = [np.full((48, 64), number, dtype=np.uint8) for number in range(60)]
    source = FrameSource("door", write_frames(tmp_path, numbered), settings=CaptureSettings(fps=100))
    source.open()
    seen = []
    while (frame := source.take()) is not None:
        grey = frame.grey()
        assert grey is not None
        seen.append(int(grey[0, 0]))
        time.sleep(0.08)
    source.close()
    assert seen == sorted(set(seen))
    assert len(seen) < 30
    assert seen[-1] == 59


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("0", Kind.DEVICE),
        ("/dev/video0", Kind.DEVICE),
        ("/dev/v4l/by-id/usb-cam", Kind.DEVICE),
        ("rtsp://door/1", Kind.STREAM),
        ("tcp://127.0.0.1:8888", Kind.STREAM),
        ("frames/frame_%04d.png", Kind.IMAGES),
        ("card_07.png", Kind.PICTURE),
        ("100%.JPG", Kind.PICTURE),
        ("door.avi", Kind.VIDEO),
    ],
)
def test_the_text_of_a_source_says_what_it_is(source: str, kind: Kind) -> None:
    assert kind_of(source) is kind


def test_a_pipe_that_a_camera_programme_writes_to_is_a_stream(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert kind_of(str(tmp_path / "pipe")) is Kind.STREAM


def test_every_form_in_which_a_driver_hands_over_a_picture_becomes_the_same_grey() -> None:
    grey = code_picture(FIRST)
    colour = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    jpeg = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].reshape(1, -1)
    for picture in (grey, colour, jpeg):
        seen = to_grey(picture)
        assert seen is not None
        assert np.abs(seen.astype(int) - grey).max() < 12


class _V4l2:
    """Stands for cv2's V4L2 capture, as a camera that knows only some formats; no camera is here."""

    def __init__(self, *formats: str) -> None:
        self.set_to: dict[int, float] = {cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*formats[0])}
        self._formats = [cv2.VideoWriter.fourcc(*name) for name in formats]

    def set(self, setting: int, value: float) -> bool:
        if setting == cv2.CAP_PROP_FOURCC and value not in self._formats:
            return False
        self.set_to[setting] = value
        return True

    def get(self, setting: int) -> float:
        return self.set_to.get(setting, 0.0)


@pytest.mark.parametrize(("formats", "converted"), [(("YUYV", "MJPG"), 0), (("YUYV",), 1), (("JPEG",), 0)])
def test_only_jpeg_is_taken_from_a_camera_unconverted_since_cv2_gives_the_rest_without_its_shape(
    formats: tuple[str, ...], converted: int
) -> None:
    camera = _V4l2(*formats)
    ask_camera(camera, CaptureSettings())
    assert camera.set_to[cv2.CAP_PROP_CONVERT_RGB] == converted


def test_a_camera_gets_two_buffers_since_cv2_copies_from_one_that_the_driver_has_back() -> None:
    camera = _V4l2("MJPG")
    ask_camera(camera, CaptureSettings())
    assert camera.set_to[cv2.CAP_PROP_BUFFERSIZE] == 2


def test_exposure_and_focus_are_set_only_where_wanted() -> None:
    plain, fixed = _V4l2("MJPG"), _V4l2("MJPG")
    ask_camera(plain, CaptureSettings())
    ask_camera(fixed, CaptureSettings(exposure=50, focus=120))
    by_hand = {
        cv2.CAP_PROP_EXPOSURE: 50,
        cv2.CAP_PROP_AUTO_EXPOSURE: 1,
        cv2.CAP_PROP_FOCUS: 120,
        cv2.CAP_PROP_AUTOFOCUS: 0,
    }
    assert by_hand.items() <= fixed.set_to.items()
    assert not by_hand.keys() & plain.set_to.keys()


def test_a_jpeg_without_its_huffman_tables_as_many_cameras_send_it_is_read() -> None:
    jpeg = cv2.imencode(".jpg", held_card(frames=1)[0])[1].tobytes()
    bare, tables = re.subn(
        rb"\xff\xc4(?:\x00\x1f|\x00\xb5).{29,180}?(?=\xff[\xc4\xda\xdb])", b"", jpeg, flags=re.DOTALL
    )
    assert tables >= 2
    codes = look_at(Frame(np.frombuffer(bare, dtype=np.uint8).reshape(1, -1), 0), IdleGate(), Cascade())
    assert codes is not None
    assert [code.payload for code in codes] == [FIRST.encode()]


def test_a_jpeg_is_judged_at_an_eighth_of_its_size() -> None:
    jpeg = cv2.imencode(".jpg", np.zeros((480, 640), dtype=np.uint8))[1].reshape(1, -1)
    small = Frame(jpeg, 0).small()
    assert small is not None
    assert small.shape == (60, 80)


def test_a_torn_jpeg_is_passed_over() -> None:
    torn = Frame(np.frombuffer(b"\xff\xd8\xff\xe0 torn", dtype=np.uint8).reshape(1, -1), 0)
    assert torn.grey() is None
    assert look_at(torn, IdleGate(), Cascade()) is None


def test_jpeg_frames_of_a_camera_are_read() -> None:
    jpeg = cv2.imencode(".jpg", held_card(frames=1)[0])[1].reshape(1, -1)
    codes = look_at(Frame(jpeg, 0), IdleGate(), Cascade())
    assert codes is not None
    assert [code.payload for code in codes] == [FIRST.encode()]


def test_fifteen_cards_in_a_row_are_each_read_exactly_once_in_order(tmp_path: Path) -> None:
    showings = [Showing(f"TCARD{number:02d}ABCDEFGHIJKLMNOPQRSTUV", 0.6 + 1.7 * number, 1.2) for number in range(15)]
    reads = read_all(QrCamera("door", door_video(tmp_path, *showings)))
    assert [read.payload.decode() for read in reads] == [showing.payload for showing in showings]


def test_a_camera_reads_frames_of_another_size(tmp_path: Path) -> None:
    path = tmp_path / "large.avi"
    write_video([Showing(FIRST, 0.3, 0.5)], path, width=1280, height=720)
    assert [read.payload for read in read_all(QrCamera("door", str(path)))] == [FIRST.encode()]


def test_frames_are_what_the_generator_drew(tmp_path: Path) -> None:
    frames = list(draw_frames([Showing(FIRST, 0.2, 0.2)]))
    source = FrameSource("door", write_frames(tmp_path, frames[:1]))
    source.open()
    frame = source.take()
    source.close()
    assert frame is not None
    grey = frame.grey()
    assert grey is not None
    assert np.array_equal(grey, frames[0])
