"""A driver in a process of its own, tried with real processes: whatever becomes of one, the door has a lost reader."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hardware.errors import DriverMissing, ReaderLost
from hardware.supervised import SupervisedReader

PATIENCE_S = 20.0
HOSTILE = (sys.executable, str(Path(__file__).with_name("hostile_child.py")))


def hostile(**setup: Any) -> SupervisedReader:
    """A reader whose process does as `hostile_child` is told."""
    return SupervisedReader("door", HOSTILE, msgspec.json.encode(setup))


def saying(script: str, **options: float) -> SupervisedReader:
    """A reader whose process is any other program."""
    return SupervisedReader("door", ("sh", "-c", script), b"", **options)


@contextmanager
def opened(reader: SupervisedReader) -> Iterator[SupervisedReader]:
    reader.open()
    try:
        yield reader
    finally:
        reader.close()


def read_until_lost(reader: SupervisedReader) -> tuple[list[bytes], str]:
    """What an opened reader read before it was lost, and why it was."""
    payloads: list[bytes] = []
    with pytest.raises(ReaderLost) as caught:
        payloads.extend(raw.payload for raw in reader.reads())
    assert caught.value.reader == "door"
    return payloads, caught.value.reason


def cards(number: int) -> list[bytes]:
    return [b"card %d" % index for index in range(number)]


_OF_OTHERS: set[int] = set()
"""Processes that other tests in this process keep between them."""


def children(pid: int | None = None) -> list[int]:
    """The processes that a process has started since the test began and that are still there."""
    tasks = Path(f"/proc/{pid or os.getpid()}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split() if int(child) not in _OF_OTHERS]


def gone(pid: int) -> bool:
    """Whether a process has ended; what waits to be collected has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def wait_until_gone(pid: int) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not gone(pid):
        assert time.monotonic() < until_s, f"process {pid} lives on"
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    _OF_OTHERS.clear()
    _OF_OTHERS.update(children())
    yield
    assert children() == []


def test_every_read_arrives_in_order_until_a_recording_ends() -> None:
    with opened(hostile(reading=["read 500"])) as reader:
        assert [raw.payload for raw in reader.reads()] == cards(500)


@pytest.mark.parametrize(
    ("deed", "fate"),
    [
        ("abort", "its process was killed by SIGABRT"),
        ("crash", "its process was killed by SIGSEGV"),
        ("exit", "its process ended with status 3"),
        ("leak", "its process ended with status 1"),
        ("bug", "its process ended with status 1"),
    ],
)
def test_a_driver_that_dies_is_a_reader_lost_after_what_it_had_read(deed: str, fate: str) -> None:
    with opened(hostile(reading=["read 3", deed])) as reader:
        assert read_until_lost(reader) == (cards(3), fate)


def test_a_driver_that_dies_says_where(capfd: pytest.CaptureFixture[str]) -> None:
    with opened(hostile(reading=["abort"])) as reader:
        read_until_lost(reader)
    assert "in reads" in capfd.readouterr().err


def test_a_driver_that_hangs_with_pythons_lock_ends_and_says_where(capfd: pytest.CaptureFixture[str]) -> None:
    with opened(hostile(reading=["read", "hang"], silence_s=0.7)) as reader:
        assert read_until_lost(reader) == (cards(1), "its process ended with status 1")
    assert "in reads" in capfd.readouterr().err


def test_a_process_that_stands_still_is_killed() -> None:
    with opened(hostile(reading=["read", "stop"], silence_s=0.7)) as reader:
        payloads, reason = read_until_lost(reader)
    assert payloads == cards(1)
    assert reason.startswith("its process gave no sign of life for")


def test_a_process_killed_by_somebody_is_a_reader_lost_that_can_be_opened_again() -> None:
    reader = hostile(reading=["read", "block"])
    for _ in range(2):
        with opened(reader):
            reads = reader.reads()
            assert next(reads).payload == b"card 0"
            [pid] = children()
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(ReaderLost, match="killed by SIGKILL"):
                next(reads)


def test_a_door_that_is_behind_is_no_hang_and_loses_nothing() -> None:
    with opened(hostile(reading=["read 5000"], silence_s=0.7)) as reader:
        reads = reader.reads()
        payloads = [next(reads).payload]
        time.sleep(2.0)  # the pipe is full by now, and the driver waits
        payloads += [raw.payload for raw in reads]
    assert payloads == cards(5000)


def test_what_a_library_prints_is_no_message(capfd: pytest.CaptureFixture[str]) -> None:
    said, until_s = "", time.monotonic() + PATIENCE_S
    with opened(hostile(reading=["print", "read", "block"])) as reader:
        assert next(reader.reads()).payload == b"card 0"
        while "no message\nof ours" not in said:
            assert time.monotonic() < until_s, said
            time.sleep(0.01)
            said += capfd.readouterr().err


@pytest.mark.parametrize("when", ["opening", "reading"])
def test_why_a_reader_is_lost_crosses_whole(when: str) -> None:
    with pytest.raises(ReaderLost) as caught, opened(hostile(**{when: ["lost"]})) as reader:
        list(reader.reads())
    assert (caught.value.reader, caught.value.reason) == ("door", "unplugged: 抜けた")


def test_what_is_to_be_installed_crosses_whole() -> None:
    reader = hostile(opening=["missing"])
    with pytest.raises(DriverMissing) as caught:
        reader.open()
    assert (caught.value.driver, caught.value.remedy) == ("libzbar", "apt install libzbar0")


@pytest.mark.parametrize("deed", ["abort", "exit"])
def test_a_driver_that_dies_while_it_opens_is_a_reader_lost(deed: str) -> None:
    reader = hostile(opening=[deed])
    with pytest.raises(ReaderLost, match="its process"):
        reader.open()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo no such thing; sleep 60", "says what is no message"),
        ("printf '\\000\\377\\n'; sleep 60", "says what is no message"),
        ("exec cat /dev/zero", "says more than any card holds"),
        ('echo \'{"type":"alive"}\'; exec sleep 60', "said Alive out of turn"),
        ("exit 7", "ended with status 7"),
        ("exec >&-; exec sleep 60", "closed its end and went on"),
    ],
)
def test_a_process_that_speaks_another_language_is_a_reader_lost(script: str, reason: str) -> None:
    reader = saying(script)
    with pytest.raises(ReaderLost) as caught:
        reader.open()
    assert caught.value.reason == f"its process {reason}"


def test_a_process_that_never_opens_is_a_reader_lost() -> None:
    reader = saying("exec sleep 60", opening_s=0.2)
    with pytest.raises(ReaderLost, match="no sign of life"):
        reader.open()


def test_a_command_that_is_not_there_is_a_reader_lost(tmp_path: Path) -> None:
    reader = SupervisedReader("door", (str(tmp_path / "none"),), b"")
    with pytest.raises(ReaderLost, match="does not start"):
        reader.open()


@pytest.mark.parametrize("deed", ["block", "loop", "deaf", "hang", "stop"])
def test_close_ends_reads_and_process_whatever_the_driver_does(deed: str) -> None:
    reader = hostile(reading=["read", deed])
    reader.open()
    payloads: list[bytes] = []
    begun = threading.Event()

    def collect() -> None:
        for raw in reader.reads():
            payloads.append(raw.payload)
            begun.set()

    thread = threading.Thread(target=collect)
    thread.start()
    assert begun.wait(PATIENCE_S)
    reader.close()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert payloads == cards(1)
    assert children() == []
    reader.close()


@pytest.mark.parametrize("deed", ["block", "deaf", "hang"])
def test_close_ends_a_reader_that_is_opening(deed: str) -> None:
    reader = hostile(opening=[deed])
    thread = threading.Thread(target=reader.open)
    thread.start()
    until_s = time.monotonic() + PATIENCE_S
    while not children():
        assert time.monotonic() < until_s
        time.sleep(0.01)
    reader.close()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert list(reader.reads()) == []


def test_what_was_read_before_close_is_still_delivered() -> None:
    reader = hostile(reading=["read 50", "block"])
    reader.open()
    reads = reader.reads()
    payloads = [next(reads).payload]
    reader.close()
    payloads += [raw.payload for raw in reads]
    assert payloads == cards(50)


def test_a_closed_reader_reads_nothing_until_it_is_opened_again() -> None:
    reader = hostile(reading=["read"])
    for _ in range(2):
        assert list(reader.reads()) == []
        reader.open()
        assert len(list(reader.reads())) == 1
        reader.close()


@pytest.mark.parametrize(
    ("deed", "silence_s"), [("block", None), ("deaf", None), ("loop", None), ("hang", 0.7)], ids=str
)
def test_a_door_that_is_killed_leaves_no_process_behind(deed: str, silence_s: float | None) -> None:
    setup = msgspec.json.encode({"reading": [deed], "silence_s": silence_s})
    door = (
        "from hardware.supervised import SupervisedReader\n"
        f"reader = SupervisedReader('door', {HOSTILE!r}, {setup!r})\n"
        "reader.open(); print('open', flush=True); list(reader.reads())"
    )
    with subprocess.Popen([sys.executable, "-c", door], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        [pid] = children(process.pid)
        process.kill()
        process.wait()
        wait_until_gone(pid)


def test_the_setup_stands_in_no_list_of_processes() -> None:
    with opened(hostile(opening=[], reading=["block"])):
        [pid] = children()
        shown = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
    assert b"block" not in shown


def test_a_crash_leaves_no_picture_on_the_disk_and_memory_running_out_spares_the_door() -> None:
    with opened(hostile(reading=["block"])):
        [pid] = children()
        limits = Path(f"/proc/{pid}/limits").read_text()
        adjusted = int(Path(f"/proc/{pid}/oom_score_adj").read_text())
    assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core")] == [["0", "0"]]
    assert adjusted > int(Path("/proc/self/oom_score_adj").read_text())
