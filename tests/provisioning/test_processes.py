import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioning.demo.processes import Ensemble, Process
from provisioning.errors import DemoFailed

WAIT_S = 20.0
SERVES = "import time; print('up', flush=True); time.sleep(600)"
DEAF = "import signal; signal.signal(signal.SIGTERM, lambda *_: print('deaf', flush=True)); " + SERVES


def python(ensemble: Ensemble, name: str, source: str, *, ends: bool = False) -> Process:
    return ensemble.start(name, sys.executable, "-c", source, ends=ends)


def test_a_line_can_be_waited_for_and_what_never_comes_ends_the_wait(tmp_path: Path) -> None:
    with Ensemble(log_dir=tmp_path, environ=os.environ) as ensemble:
        process = python(ensemble, "one", "print('port=5')", ends=True)
        assert process.wait_for(r"port=(\d)", timeout_s=WAIT_S)[1] == "5"
        with pytest.raises(DemoFailed, match="one did not say"):
            process.wait_for("anything else", timeout_s=WAIT_S)
    assert (tmp_path / "one.log").read_text() == "port=5\n"


def test_one_that_serves_is_dead_when_it_ends_by_itself(tmp_path: Path) -> None:
    with Ensemble(log_dir=tmp_path, environ=os.environ) as ensemble:
        for name, ends in (("server", False), ("player", True)):
            with pytest.raises(DemoFailed):
                python(ensemble, name, "pass", ends=ends).wait_for("never", timeout_s=WAIT_S)
        assert ensemble.dead() == ["server"]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What a shell starts in the background ignores interrupts, pytest too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_while_they_are_ended_leaves_none_running(tmp_path: Path) -> None:
    started: list[Process] = []

    def interrupt() -> None:
        started[-1].wait_for("deaf", timeout_s=WAIT_S)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def end_impatiently() -> None:
        with Ensemble(log_dir=tmp_path, environ=os.environ) as ensemble:
            for name, source in (("first", SERVES), ("last", DEAF)):
                started.append(python(ensemble, name, source))
                started[-1].wait_for("up", timeout_s=WAIT_S)
            impatient.start()

    impatient = threading.Thread(target=interrupt)
    with pytest.raises(KeyboardInterrupt):
        end_impatiently()
    impatient.join()
    assert [process.running for process in started] == [False, False]
