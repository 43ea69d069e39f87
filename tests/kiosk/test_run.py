"""How the door process is told to end."""

import subprocess
import sys

import pytest

HEARD_BY_ANOTHER_THREAD = """
import signal, threading, time
from kiosk.run import until_told

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
