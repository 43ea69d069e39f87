"""A door whose disk, power, reader or neighbours fail: nothing that was answered with "ok" is lost, and nobody is left
without an answer."""

import random
import re
import resource
import socket
import subprocess
from pathlib import Path

import pytest

from attendance.cards import CardToken
from attendance.records import Moved, UnknownCard, read_line
from hardware.synthetic_card import code_picture
from tests.hardware.test_qr_camera import network_camera
from tests.kiosk.door_parts import HANAS_TOKEN, TAROS_TOKEN
from tests.kiosk.test_cli import TADAIMA_KIOSK
from tests.real_door import RealDoor, fifo, real_door, set_up, tap

HANAS, TAROS = HANAS_TOKEN.text, TAROS_TOKEN.text


def refused(config: Path, *arguments: str) -> tuple[int, str]:
    """The exit status and the words of a door that does not open."""
    done = subprocess.run(
        [*TADAIMA_KIOSK, "run", "--config", str(config), *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_a_full_disk_is_red_for_every_child_and_over_by_itself(tmp_path: Path) -> None:
    with real_door(set_up(tmp_path, fifo(tmp_path, "front"))) as door:
        tap(tmp_path / "front", f"qr {HANAS}")
        door.wait_shown("in")
        _, most = resource.prlimit(door.process.pid, resource.RLIMIT_FSIZE)
        # As a full disk does, this fails every write that makes a file longer.
        resource.prlimit(door.process.pid, resource.RLIMIT_FSIZE, (0, most))
        tap(tmp_path / "front", f"qr {TAROS}")
        door.wait_shown("in", "broken")
        tap(tmp_path / "front", f"qr {TAROS}")
        door.wait_for("kind=broken", times=2)
        assert len(door.bodies()) == 1
        resource.prlimit(door.process.pid, resource.RLIMIT_FSIZE, (most, most))
        tap(tmp_path / "front", f"qr {TAROS}")
        door.wait_shown("in")
        door.wait_for("journal well again")
    assert [type(body) for body in door.bodies()] == [Moved, Moved]
    assert sum("journal broken" in line for line in door.log) == 1


def test_whatever_was_answered_before_a_kill_is_there_after_it(tmp_path: Path) -> None:
    config = set_up(tmp_path, fifo(tmp_path, "front"))
    chance = random.Random(20261124)
    answered: set[tuple[str, int]] = set()
    for _ in range(3):
        door = RealDoor(config)
        try:
            door.wait_for("reader up")
            tap(tmp_path / "front", *(f"qr {CardToken.new().text}" for _ in range(150)))
            door.wait_for("recorded", times=chance.randrange(10, 100))
        finally:
            door.kill()
        recorded = [re.search(r"recorded session=(\w+) seq=(\d+)", line) for line in door.log]
        answered |= {(found[1], int(found[2])) for found in recorded if found}
    with real_door(config) as door:
        tap(tmp_path / "front", f"qr {HANAS}")
        door.wait_shown("in")
    records = [read_line(line) for line in door.lines()]
    assert len(answered) >= 30
    assert answered <= {(record.session, record.seq) for record in records}
    cards = [record.body.card for record in records if isinstance(record.body, UnknownCard)]
    assert len(set(cards)) == len(cards), "a card was recorded twice"


def test_a_camera_that_is_unplugged_is_told_to_staff_while_the_other_reader_goes_on(tmp_path: Path) -> None:
    with network_camera([code_picture(HANAS)]) as (url, unplugged):
        readers = f'[[readers]]\nname = "camera"\nkind = "qr_camera"\nsource = "{url}"\n' + fifo(tmp_path, "antenna")
        with real_door(set_up(tmp_path, readers)) as door:
            door.wait_shown("in")
            unplugged.set()
            door.wait_for("reader down reader=camera")
            tap(tmp_path / "antenna", f"nfc_text {TAROS}")
            door.wait_shown("in", "in")
            door.wait_sign("camera")
            unplugged.clear()
            door.wait_for("reader up reader=camera", times=2)
    assert len(door.bodies()) == 2


def test_a_door_without_a_screen_records_all_the_same(tmp_path: Path) -> None:
    config = set_up(tmp_path, fifo(tmp_path, "front"))
    command = [*TADAIMA_KIOSK, "run", "--config", str(config), "--set", "screen.enabled=false"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        tap(tmp_path / "front", f"qr {HANAS}")
        assert any("kind=movement" in line for line in process.stderr)
        process.terminate()
        process.stderr.read()
    assert process.returncode == 0


def test_a_port_that_another_program_has_is_told_and_the_door_stays_shut(tmp_path: Path) -> None:
    config = set_up(tmp_path, fifo(tmp_path, "front"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, told = refused(config, "--set", f"screen.port={taken.getsockname()[1]}")
    assert status == 1
    assert "screen" in told.lower()


BAD_SETTINGS = {
    "an unknown key": ("[screen]\nprot = 1\n", ["did you mean 'port'"]),
    "a wrong type": ('[sync]\ninterval_s = "often"\n', ["sync.interval_s"]),
    "two at once": ('langauge = "en"\n[screen]\nport = 99999\n', ["did you mean 'language'", "screen.port"]),
    "no TOML": ("[screen\n", ["kiosk.toml"]),
    "not UTF-8": ("\udcff\n", ["kiosk.toml"]),
}


@pytest.mark.parametrize(("text", "wanted"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_wrong_settings_are_all_told_and_the_door_stays_shut(tmp_path: Path, text: str, wanted: list[str]) -> None:
    config = tmp_path / "kiosk.toml"
    config.write_bytes(text.encode("utf-8", "surrogateescape"))
    status, told = refused(config)
    assert status == 2
    assert [each for each in wanted if each not in told] == []
    assert not (tmp_path / "data").exists()


def test_a_settings_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    status, told = refused(tmp_path / "nowhere.toml")
    assert status == 2
    assert "nowhere.toml" in told
