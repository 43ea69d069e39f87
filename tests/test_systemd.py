"""The units are what systemd takes without a word, and hardened; read by systemd itself."""

import configparser
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
UNITS = sorted((ROOT / "systemd").glob("*.service"))
TIMERS = sorted((ROOT / "systemd").glob("*.timer"))
OF_OTHERS = {"litestream"}
"""Commands that a package of others brings into the same environment."""
THRESHOLD = 20  # tenths of systemd's exposure level; a service without hardening has 96


@pytest.fixture(params=UNITS, ids=lambda unit: unit.name)
def unit(request: pytest.FixtureRequest) -> Path:
    assert shutil.which("systemd-analyze"), "systemd-analyze is missing: apt-get install systemd"
    return Path(request.param)


def test_systemd_has_nothing_to_say_against_a_unit(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE))

    said = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)

    assert (said.returncode, said.stdout + said.stderr) == (0, "")


def test_systemd_does_say_when_a_key_is_mistyped(tmp_path: Path) -> None:
    copy = tmp_path / UNITS[0].name
    copy.write_text(UNITS[0].read_text().replace("NoNewPrivileges", "NoNewPrivilege"))

    said = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)

    assert "NoNewPrivilege" in said.stderr


def test_a_unit_that_is_to_run_always_is_never_given_up(unit: Path) -> None:
    """systemd would, after five starts within ten seconds that fail: for ever, and nobody is there to start it."""
    keys = configparser.ConfigParser(strict=False, interpolation=None)
    keys.optionxform = str  # type: ignore[assignment,method-assign]
    keys.read(unit)

    always = keys["Service"].get("Restart") == "always"

    assert always == (keys["Service"].get("Type") != "oneshot")
    assert keys["Unit"].get("StartLimitIntervalSec") == ("0" if always else None)


def test_a_unit_is_hardened(unit: Path) -> None:
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={THRESHOLD}", unit],
        capture_output=True,
        text=True,
        check=False,
    )

    assert judged.returncode == 0, judged.stdout[-300:]


def test_a_unit_starts_a_command_that_is_installed(unit: Path) -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]

    command = re.search(r"^ExecStart=/opt/tadaima/current/bin/(\S+)", unit.read_text(), re.MULTILINE)

    assert command is not None
    assert command[1] in {*scripts, *OF_OTHERS}


@pytest.mark.parametrize("timer", TIMERS, ids=lambda timer: timer.name)
def test_systemd_has_nothing_to_say_against_a_timer(timer: Path, tmp_path: Path) -> None:
    assert timer.with_suffix(".service") in UNITS
    service = tmp_path / timer.with_suffix(".service").name
    service.write_text("[Service]\nExecStart=/bin/true\n")
    copy = tmp_path / timer.name
    copy.write_text(timer.read_text())

    said = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)

    assert (said.returncode, said.stdout + said.stderr) == (0, "")
