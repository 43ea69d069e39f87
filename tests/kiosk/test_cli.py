import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from click.testing import CliRunner, Result

from attendance.records import Moved, read_line
from kiosk.cli import main
from kiosk.journal_reader import JournalReader
from kiosk.roster_cache import RosterCache
from kiosk.version import version
from tests.kiosk.door_parts import HANA, HANAS_TOKEN, state
from tests.kiosk.enrolled import enrol

TADAIMA_KIOSK = [sys.executable, "-c", "from kiosk.cli import main; main()"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "kiosk.toml"
    file.write_text(
        f"""
        data_dir = "{tmp_path}/data"
        runtime_dir = "{tmp_path}/run"
        language = "en"
        [screen]
        port = 0
        [[readers]]
        name = "front"
        kind = "fake"
        source = "{tmp_path}/front"
        """,
        encoding="utf-8",
    )
    os.mkfifo(tmp_path / "front")
    return file


@pytest.fixture
def enrolled(config: Path) -> Path:
    data_dir = config.parent / "data"
    enrol(data_dir)
    cache = RosterCache.open(data_dir / "cache.db")
    cache.store_state(state())
    cache.close()
    return config


@pytest.fixture
def door(enrolled: Path) -> Iterator["subprocess.Popen[str]"]:
    """A door process that has told where its screen is."""
    process = start(enrolled)
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def start(config: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*TADAIMA_KIOSK, "run", "--config", str(config)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_the_version_is_that_of_the_package() -> None:
    assert version() in invoke("--version").output


def test_show_config_prints_what_is_in_force_and_marks_what_was_changed(config: Path) -> None:
    result = invoke("show-config", "--config", str(config), "--set", "sync.interval_s=9")
    assert result.exit_code == 0
    assert "* sync.interval_s = 9.0" in result.output
    assert '* readers[0].name = "front"' in result.output
    assert "  screen.enabled = true" in result.output


@pytest.mark.parametrize(
    ("pair", "told"),
    [("screen.prot=1", "did you mean 'port'?"), ("screen", "KEY=VALUE is wanted"), ("screen.port=x", "screen.port")],
)
def test_a_wrong_setting_is_told_and_nothing_runs(config: Path, pair: str, told: str) -> None:
    for command in ("run", "sync", "doctor", "show-config"):
        result = invoke(command, "--config", str(config), "--set", pair)
        assert result.exit_code == 2
        assert told in result.output


def test_a_kiosk_that_is_not_enrolled_says_what_to_do(config: Path) -> None:
    result = invoke("run", "--config", str(config))
    assert result.exit_code == 1
    assert "tadaima-provision enrol" in result.output


def test_a_source_that_makes_no_sense_is_told(enrolled: Path) -> None:
    with enrolled.open("a", encoding="utf-8") as file:
        file.write('[[readers]]\nname = "table"\nkind = "nfc"\nsource = "bluetooth"\n')
    result = invoke("run", "--config", str(enrolled))
    assert result.exit_code == 1
    assert "bluetooth" in result.output


def test_the_door_runs_from_card_to_record_and_ends_when_told(door: "subprocess.Popen[str]", enrolled: Path) -> None:
    assert door.stdout is not None
    assert door.stderr is not None
    url = door.stdout.readline().split()[-1]
    with urlopen(url) as page:
        assert page.status == 200
    with (enrolled.parent / "front").open("w") as front:
        front.write(f"qr {HANAS_TOKEN.text}\n")
    while "recorded session=" not in (line := door.stderr.readline()):
        assert line, "the door ended"
    assert "seq=1" in line
    door.send_signal(signal.SIGTERM)
    _, log = door.communicate(timeout=30)
    assert door.returncode == 0
    assert "Traceback" not in log
    reader = JournalReader(enrolled.parent / "data" / "journal.db")
    (head,) = reader.heads()
    (line_,) = reader.read(head.session, 1, 10)
    reader.close()
    body = read_line(line_).body
    assert isinstance(body, Moved)
    assert body.child == HANA


def test_ctrl_c_ends_the_door_cleanly(door: "subprocess.Popen[str]") -> None:
    assert door.stdout is not None
    door.stdout.readline()
    door.send_signal(signal.SIGINT)
    _, log = door.communicate(timeout=30)
    assert door.returncode == 0
    assert "Traceback" not in log


def test_a_second_door_of_the_same_kiosk_does_not_start(door: "subprocess.Popen[str]", enrolled: Path) -> None:
    assert door.stdout is not None
    door.stdout.readline()
    second = start(enrolled)
    _, told = second.communicate(timeout=30)
    assert second.returncode == 1
    assert "running already" in told
    assert door.poll() is None


def test_doctor_says_at_the_end_what_is_wrong_by_number_and_exits_by_it(enrolled: Path) -> None:
    result = invoke("doctor", "--config", str(enrolled))
    assert result.exit_code == 1, "its server does not exist"
    looked_at, _, told = result.output.partition("\n\n")
    assert "ok     Reader front works." in looked_at
    assert "WRONG  The server" in looked_at
    assert "->" not in looked_at
    lines = told.splitlines()
    assert lines[0] == f"{looked_at.count('WRONG')} things are wrong."
    assert lines[1].startswith("1. ")
    assert lines[2].startswith("       -> ")
    assert "-> Call the office. Nothing is lost" in told


def test_doctor_leaves_the_readers_of_a_running_door_alone(door: "subprocess.Popen[str]", enrolled: Path) -> None:
    assert door.stdout is not None
    door.stdout.readline()
    assert "The readers are in use by the door." in invoke("doctor", "--config", str(enrolled)).output
