"""`tadaima-kiosk sync` as a process: a tap goes at once, and SIGTERM ends it whatever it is doing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from attendance.clock import SystemClock
from kiosk.identity import coming_key, store_identity
from tests.kiosk.sync_parts import identity, moved, open_journal
from tests.model_server import NAMES_KEY, Canned, ModelServer

PATIENCE_S = 20.0


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@contextmanager
def sync_process(folder: Path, url: str) -> Iterator[subprocess.Popen[str]]:
    """The command on its own settings file; killed when a test leaves it behind."""
    config = folder / "kiosk.toml"
    config.write_text(f'data_dir = "{folder}"\nruntime_dir = "{folder}/run"\n[sync]\ninterval_s = 60\n')
    command = [sys.executable, "-c", "from kiosk.cli import main; main()", "sync", "--config", str(config)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TADAIMA_")}
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def enrol_here(folder: Path, server: ModelServer) -> None:
    server.trust(coming_key(folder).public_key())
    store_identity(folder, identity(server.url))


def wait_until(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)


def held_of(server: ModelServer, session: str) -> int:
    return len(server.ledger.sessions.get(session, []))


def ended(process: subprocess.Popen[str], how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
    process.send_signal(how)
    _, said = process.communicate(timeout=PATIENCE_S)
    return process.returncode, said


def test_a_tap_goes_at_once_although_the_next_question_is_a_minute_away(server: ModelServer, tmp_path: Path) -> None:
    enrol_here(tmp_path, server)
    with sync_process(tmp_path, server.url) as process:
        wait_until(lambda: (tmp_path / "run" / "names.key").exists())
        journal = open_journal(tmp_path, SystemClock())
        for _ in range(3):
            record = journal.append(moved())
            wait_until(lambda record=record: record.seq < held_of(server, record.session))  # type: ignore[misc]
        journal.close()
        code, said = ended(process)
    assert code == 0, said
    assert "sync started kiosk=kiosk-1" in said
    assert "Traceback" not in said
    assert (tmp_path / "run" / "names.key").read_bytes() == NAMES_KEY


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_while_it_waits_for_an_answer(server: ModelServer, tmp_path: Path, how: signal.Signals) -> None:
    enrol_here(tmp_path, server)
    server.always = Canned(delay_s=5.0)
    with sync_process(tmp_path, server.url) as process:
        wait_until(lambda: len(server.requests) > 0)
        code, said = ended(process, how)
    assert code == 0, said
    assert "Traceback" not in said


def test_a_kiosk_that_is_not_enrolled_is_told_what_to_do(tmp_path: Path) -> None:
    with sync_process(tmp_path, "") as process:
        _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "tadaima-provision enrol" in said
    assert "Traceback" not in said
