"""What the doctor says of readers: the same device twice, a device that is not there, or not ours to use."""

import os
from pathlib import Path

import pytest

from hardware.errors import DriverMissing, ReaderLost
from kiosk.config import ReaderKind, ReaderSettings
from kiosk.doctor.readers import device_of, doubled, explain

LOST = ReaderLost("front", "cannot be opened")


def reader(name: str = "front", kind: ReaderKind = ReaderKind.QR_CAMERA, source: str = "0") -> ReaderSettings:
    return ReaderSettings(name=name, kind=kind, source=source)


@pytest.mark.parametrize(
    ("kind", "source", "device"),
    [
        (ReaderKind.QR_CAMERA, "2", "/dev/video2"),
        (ReaderKind.QR_CAMERA, "/dev/v4l/by-id/usb-cam-index0", "/dev/v4l/by-id/usb-cam-index0"),
        (ReaderKind.QR_CAMERA, "rtsp://127.0.0.1/door", None),
        (ReaderKind.QR_CAMERA, "door.avi", None),
        (ReaderKind.KEYS, "/dev/input/by-id/usb-scanner-event-kbd", "/dev/input/by-id/usb-scanner-event-kbd"),
        (ReaderKind.NFC, "tty:AMA0:pn532", "/dev/ttyAMA0"),
        (ReaderKind.NFC, "usb:054c:06c3", None),
        (ReaderKind.NFC, "", None),
        (ReaderKind.FAKE, "", None),
    ],
)
def test_the_device_of_a_reader_is_the_file_it_opens(kind: ReaderKind, source: str, device: str | None) -> None:
    assert device_of(reader(kind=kind, source=source)) == (None if device is None else Path(device))


def test_one_device_under_two_names_is_found_through_links(tmp_path: Path) -> None:
    (tmp_path / "event3").touch()
    (tmp_path / "scanner").symlink_to(tmp_path / "event3")
    twice = [
        reader("left", ReaderKind.KEYS, str(tmp_path / "event3")),
        reader("right", ReaderKind.KEYS, str(tmp_path / "scanner")),
        reader("third", ReaderKind.KEYS, str(tmp_path / "other")),
    ]
    (finding,) = doubled(twice)
    assert (finding.code, finding.wrong, finding.values["names"]) == ("readers_doubled", True, "left, right")


def test_two_readers_that_take_whatever_is_on_usb_are_doubled() -> None:
    (finding,) = doubled([reader("one", ReaderKind.NFC, ""), reader("two", ReaderKind.NFC, "usb")])
    assert finding.values["names"] == "one, two"


def test_a_recording_played_twice_and_different_devices_are_not_doubled() -> None:
    readers = [reader("a", source="door.avi"), reader("b", source="door.avi"), reader("c"), reader("d", source="1")]
    readers += [reader("e", ReaderKind.FAKE, ""), reader("f", ReaderKind.FAKE, "")]
    assert list(doubled(readers)) == []


def test_a_device_that_is_not_there_is_told_with_what_else_there_is() -> None:
    finding = explain(reader(source="/dev/no-such-camera"), LOST)
    assert finding.wrong
    assert finding.code in ("reader_absent", "reader_absent_all")
    assert (finding.code == "reader_absent") is bool(finding.values["others"])
    assert finding.values["device"] == Path("/dev/no-such-camera")


def test_a_device_that_may_not_be_used_is_told_with_its_group(tmp_path: Path) -> None:
    (tmp_path / "event3").touch()
    wanted = reader(kind=ReaderKind.KEYS, source=str(tmp_path / "event3"))
    asked: list[int] = []

    def forbidden(path: Path, mode: int) -> bool:
        asked.append(mode)
        return False

    finding = explain(wanted, LOST, allowed=forbidden)
    assert finding.code == "reader_denied"
    assert {"user", "group", "device", "name"} <= set(finding.values)
    assert asked == [os.R_OK], "a scanner is only read"
    assert explain(wanted, LOST).code == "reader_down", "allowed, so something else is wrong"


def test_a_kernel_module_that_holds_an_nfc_reader_is_named(tmp_path: Path) -> None:
    modules = tmp_path / "modules"
    modules.write_text("snd 1 0 - Live 0x0\nport100 24576 0 - Live 0x0\npn533_usb 2 0 - Live 0x0\n")
    for source in ("", "usb", "usb:054c:06c3"):
        finding = explain(reader(kind=ReaderKind.NFC, source=source), LOST, modules=modules)
        assert (finding.code, finding.values["modules"]) == ("reader_module", "pn533_usb, port100")
    for source in ("tty:S0:pn532", "udp:127.0.0.1:1"):
        wanted = reader(kind=ReaderKind.NFC, source=source)
        assert explain(wanted, LOST, modules=modules, allowed=lambda *_: True).code != "reader_module"
    assert explain(reader(kind=ReaderKind.NFC, source=""), LOST, modules=tmp_path / "none").code == "reader_down"


def test_a_part_that_is_not_installed_is_no_matter_of_cables() -> None:
    missing = DriverMissing("rpicam-vid", "apt install rpicam-apps")
    finding = explain(reader(source="csi"), missing)
    assert (finding.code, finding.values["reason"]) == ("reader_part", missing)


def test_what_the_driver_said_is_passed_on() -> None:
    finding = explain(reader(source="rtsp://127.0.0.1/door"), LOST)
    assert (finding.code, finding.values["reason"]) == ("reader_down", LOST)
