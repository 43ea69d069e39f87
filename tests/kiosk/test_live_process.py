"""`tadaima-kiosk doctor --live` as a process: takes the readers, records nothing, ends when told."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from click.testing import CliRunner

from kiosk.cli import main
from kiosk.only_one import door_lock
from kiosk.roster_cache import RosterCache
from tests.kiosk.door_parts import HANAS_TOKEN, open_journal, state
from tests.kiosk.enrolled import enrol
from tests.kiosk.live_parts import still

TADAIMA_KIOSK = [sys.executable, "-c", "from kiosk.cli import main; main()"]
GIVE_UP_S = 20


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A kiosk at which nothing was recorded yet, with a camera, an NFC reader and a scanner that is not plugged in."""
    camera = still(tmp_path)
    os.mkfifo(tmp_path / "nfc")
    file = tmp_path / "kiosk.toml"
    file.write_text(
        f"""
        data_dir = "{tmp_path}/data"
        runtime_dir = "{tmp_path}/run"
        language = "en"
        [screen]
        port = 0
        [[readers]]
        name = "camera"
        kind = "qr_camera"
        source = "{camera.source}"
        loop = true
        [[readers]]
        name = "nfc"
        kind = "fake"
        source = "{tmp_path}/nfc"
        [[readers]]
        name = "scanner"
        kind = "keys"
        source = "{tmp_path}/no-event-kbd"
        """,
        encoding="utf-8",
    )
    data_dir = tmp_path / "data"
    enrol(data_dir)
    open_journal(data_dir / "journal.db").close()
    cache = RosterCache.open(data_dir / "cache.db")
    cache.store_state(state())
    cache.close()
    return file


@pytest.fixture
def view(config: Path) -> Iterator["View"]:
    running = View(config)
    yield running
    running.close()


class View:
    """A running view and where it is."""

    def __init__(self, config: Path) -> None:
        self.process = subprocess.Popen(
            [*TADAIMA_KIOSK, "doctor", "--live", "--config", str(config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.first_line = self.line()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", self.first_line)
        assert found, self.first_line
        self.url, self.port = found.group(), int(found.group(1))

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def line_with(self, text: str) -> str:
        while text not in (line := self.line()):
            assert line, f"the view ended without a line with {text!r}"
        return line

    def readers(self) -> list[dict[str, Any]]:
        with urlopen(f"{self.url}state", timeout=GIVE_UP_S) as answer:
            readers: list[dict[str, Any]] = json.load(answer)["readers"]
            return readers

    def end(self) -> tuple[int, str]:
        """Press Ctrl-C; the exit status, and what was said on standard error."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(GIVE_UP_S)
        return self.process.returncode, self.process.communicate()[1]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def test_each_read_and_each_fault_is_a_line_in_the_terminal(view: View, config: Path) -> None:
    assert "nothing is recorded" in view.first_line
    card = view.line_with("Trust T1")
    assert re.match(r"\d\d:\d\d:\d\d  camera  QR code  TAEA…  A card on this site's roster", card)
    assert "6.1 pixels a module" in card
    assert "no-event-kbd" in view.line_with("scanner")
    with (config.parent / "nfc").open("w") as nfc:
        nfc.write("nfc_uid 04A1B2C3\n")
    assert "04A1…  Not on this site's roster" in view.line_with("Trust T0")
    assert "Good" in view.line_with("camera  ◎")


def test_ctrl_c_ends_it_and_it_was_silent_on_standard_error(view: View) -> None:
    view.line_with("Trust T1")
    assert view.end() == (0, "")


def test_nothing_is_recorded(view: View, config: Path) -> None:
    view.line_with("Trust T1")
    with (config.parent / "nfc").open("w") as nfc:
        nfc.write(f"nfc_text {HANAS_TOKEN.text}\n")
    view.line_with("Text in a tag")
    view.end()
    data = config.parent / "data"
    assert not [path for path in data.rglob("*") if path.suffix in (".jpg", ".jpeg", ".png")]
    assert "movement" not in (data / "journal.db").read_bytes().decode("latin-1")


def test_ten_pages_and_one_that_reads_nothing_hold_up_neither_readers_nor_the_end(view: View) -> None:
    view.line_with("Trust T1")
    with ExitStack() as stack:
        for _ in range(10):
            page = stack.enter_context(socket.create_connection(("127.0.0.1", view.port)))
            page.sendall(b"GET /picture/0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 50)
        assert view.readers()[0]["works"]
        assert view.line_with("camera  ◎")
        assert view.end() == (0, "")


def test_a_browser_that_is_closed_in_the_middle_of_a_picture_changes_nothing(view: View) -> None:
    view.line_with("Trust T1")
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", view.port)) as page:
            page.sendall(b"GET /picture/0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            page.recv(100)
    assert view.readers()[0]["works"]
    assert view.end() == (0, "")


def test_the_door_does_not_open_while_the_readers_are_watched_and_does_afterwards(view: View, config: Path) -> None:
    code, told = invoke("run", "--config", str(config))
    assert code == 1
    assert "only one at a time" in told
    view.end()
    with door_lock(config.parent / "data") as free:
        assert free


def test_a_running_door_keeps_its_readers_and_the_command_to_stop_it_is_told(config: Path) -> None:
    with door_lock(config.parent / "data") as free:
        assert free
        code, told = invoke("doctor", "--live", "--config", str(config))
    assert code == 1
    assert "systemctl stop tadaima-kiosk" in told
    assert "http://" not in told


def test_a_port_that_is_taken_is_told(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, told = invoke("doctor", "--live", "--config", str(config), "--set", f"screen.port={port}")
    assert code == 1
    assert str(port) in told


def test_a_kiosk_without_readers_is_told_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "kiosk.toml").write_text(f'data_dir = "{tmp_path}"\nlanguage = "en"\n')
    code, told = invoke("doctor", "--live", "--config", str(tmp_path / "kiosk.toml"))
    assert code == 1
    assert "[[readers]]" in told


def test_a_kiosk_without_a_folder_is_told_to_ask_the_doctor(config: Path, tmp_path: Path) -> None:
    code, told = invoke("doctor", "--live", "--config", str(config), "--set", f"data_dir={tmp_path}/none")
    assert code == 1
    assert "tadaima-kiosk doctor" in told


def test_a_terminal_that_is_closed_does_not_take_the_readers_down(view: View, config: Path) -> None:
    view.line_with("Trust T1")
    assert view.process.stdout is not None
    view.process.stdout.close()
    for count in (1, 2):
        with (config.parent / "nfc").open("w") as nfc:
            nfc.write("nfc_uid 04A1B2C3\n")
        until_s = time.monotonic() + GIVE_UP_S
        while len(view.readers()[1]["reads"]) < count:
            assert time.monotonic() < until_s
    view.process.send_signal(signal.SIGINT)
    assert view.process.wait(GIVE_UP_S) is not None
