"""How the door process begins, and how it is told to end."""

import fcntl
import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from kiosk.config import load
from kiosk.errors import ScreenError
from kiosk.journal_reader import JournalReader
from kiosk.only_one import door_lock
from kiosk.run import run
from tests.kiosk.enrolled import enrol

HEARD_BY_ANOTHER_THREAD = """
import signal, threading, time
from kiosk.until_told import until_told

def hear():
    time.sleep(0.3)
    signal.pthread_kill(threading.get_ident(), signal.{signal})
    time.sleep(60)

with until_told() as wait_until_told:
    threading.Thread(target=hear, daemon=True).start()
    wait_until_told()
print("ended")
"""


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGINT"])
def test_the_door_ends_although_its_waiting_thread_was_not_interrupted(signal: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HEARD_BY_ANOTHER_THREAD.format(signal=signal)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("ended\n", "")


def test_a_start_that_fails_leaves_no_session_behind(tmp_path: Path) -> None:
    enrol(tmp_path / "data")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        flags = {
            "data_dir": str(tmp_path / "data"),
            "runtime_dir": str(tmp_path / "run"),
            "screen.port": str(taken.getsockname()[1]),
        }
        for _ in range(2):
            with pytest.raises(ScreenError):
                run(load(None, environ={}, flags=flags), lambda _: None)
    with closing(JournalReader(tmp_path / "data" / "journal.db")) as reader:
        assert reader.heads() == []


def test_the_lock_of_the_door_is_taken_once_and_leaves_nothing(tmp_path: Path) -> None:
    with door_lock(tmp_path) as first, door_lock(tmp_path) as second:
        assert (first, second) == (True, False)
        assert list(tmp_path.iterdir()) == []
    with door_lock(tmp_path) as again:
        assert again


def test_the_lock_of_the_door_asks_for_no_right_to_write(tmp_path: Path) -> None:
    with door_lock(tmp_path):
        mine = [link for link in Path("/proc/self/fd").iterdir() if link.exists() and link.samefile(tmp_path)]
        assert [fcntl.fcntl(int(link.name), fcntl.F_GETFL) & os.O_ACCMODE for link in mine] == [os.O_RDONLY]
