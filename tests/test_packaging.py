"""The wheel holds everything: built, and installed with its extras elsewhere, it enrols and opens a door."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from provisioning.demo.processes import Ensemble

ROOT = Path(__file__).parent.parent
START_S = 60.0
ENVIRON = {
    name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "TADAIMA"))
}


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, env=ENVIRON, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of an installed wheel."""
    place = tmp_path_factory.mktemp("installed")
    # Without isolation, since the backend is here already and a test should not fetch what it need not.
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", place, ROOT, cwd=place)
    (wheel,) = place.glob("*.whl")
    run(sys.executable, "-m", "venv", place / "venv", cwd=place)
    bin_dir = place / "venv" / "bin"
    run(
        *(bin_dir / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--use-pep517"),
        *("--constraint", ROOT / "constraints.txt", f"{wheel}[kiosk,server]"),
        cwd=place,
    )
    return bin_dir


@pytest.fixture
def ensemble(tmp_path: Path) -> Iterator[Ensemble]:
    with Ensemble(log_dir=tmp_path / "logs", environ=ENVIRON) as processes:
        yield processes


def test_an_installed_server_and_kiosk_start_with_all_their_files(
    programs: Path, ensemble: Ensemble, tmp_path: Path
) -> None:
    server = (
        *(str(programs / "tadaima-server"), "--set", f"data_dir={tmp_path / 'server'}"),
        *("--set", "bind.port=0", "--set", "live.port=0"),
    )
    ensemble.run(*server, "init")
    ensemble.run(*server, "sites", "add", "sakura", "Sakura")
    listening = ensemble.start("server", *server, "run").wait_for(r"web=(\S+)", timeout_s=START_S)
    web = listening[1]

    login = requests.get(f"{web}/login", timeout=START_S)
    assert login.status_code == requests.codes.ok
    assert "BIZUDPGothic" in requests.get(f"{web}/static/web/app.css", timeout=START_S).text

    code = ensemble.run(*server, "kiosks", "code", "sakura", "genkan").split()
    code_text = next(word for word in code if len(word.replace("-", "")) == 10 and word.isupper())
    data_dir, runtime_dir = tmp_path / "kiosk", tmp_path / "run"
    ensemble.run(
        *(str(programs / "tadaima-provision"), "enrol", "--server", web, "--code", code_text),
        *("--data-dir", str(data_dir)),
    )
    (tmp_path / "kiosk.toml").write_text(
        f'data_dir = "{data_dir}"\nruntime_dir = "{runtime_dir}"\n[screen]\nport = 0\n'
        '[[readers]]\nname = "fake"\nkind = "fake"\n'
        '[[signals]]\nname = "speaker"\nkind = "sound"\ndevice = "null"\n'
    )
    door = ensemble.start("door", str(programs / "tadaima-kiosk"), "run", "--config", str(tmp_path / "kiosk.toml"))
    screen = door.wait_for(r"http://127\.0\.0\.1:\d+", timeout_s=START_S)[0]

    page = requests.get(screen, timeout=START_S)
    assert page.status_code == requests.codes.ok
    assert requests.get(f"{screen}/static/screen.css", timeout=START_S).status_code == requests.codes.ok
    assert ensemble.dead() == []


def test_an_installed_wheel_holds_sounds_migrations_and_no_tests(programs: Path, tmp_path: Path) -> None:
    said = run(
        programs / "python",
        "-c",
        "import hardware.sound as s, server.store as t, pathlib, importlib.util as u;"
        "print(len(list(s.SOUNDS.glob('*.wav'))), len(list(pathlib.Path(t.__file__).parent.rglob('versions/*.py'))),"
        "u.find_spec('tests'))",
        cwd=tmp_path,
    )

    sounds, migrations, tests = said.split()
    assert int(sounds) >= 7
    assert int(migrations) >= 1
    assert tests == "None"
