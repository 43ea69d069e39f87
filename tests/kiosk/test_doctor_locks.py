"""Who holds a lock, by the kernel's list: of the very file, and nobody who only waits."""

import fcntl
import os
import subprocess
import sys
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from threading import Event, Thread

import pytest

from kiosk.doctor.locks import WHOLE_FILE, Lock, write_locks


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.touch()
    return path


def test_a_lock_that_is_really_held_is_found_with_its_program(file: Path) -> None:
    assert write_locks(file) == []
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        assert write_locks(file) == [], "whoever only reads shuts nobody out"
        fcntl.flock(held, fcntl.LOCK_EX)
        (lock,) = write_locks(file)
        assert (lock.kind, lock.process, lock.first, lock.last) == (WHOLE_FILE, os.getpid(), 0, None)
        assert lock.program == f"{Path('/proc/self/comm').read_text().strip()} ({os.getpid()})"
        assert lock.began_boot_ns > 0
    assert write_locks(file) == []


def test_a_lock_that_is_held_is_found_while_many_others_come_and_go(file: Path, tmp_path: Path) -> None:
    with file.open("w") as held, ExitStack() as stack:
        fcntl.flock(held, fcntl.LOCK_EX)
        # More than the kernel hands over in one piece.
        others = [stack.enter_context((tmp_path / str(number)).open("w")) for number in range(150)]
        ending = Event()

        def come_and_go() -> None:
            for way in cycle((fcntl.LOCK_EX, fcntl.LOCK_UN)):
                for other in others:
                    fcntl.flock(other, way)
                if ending.is_set():
                    return

        busy = Thread(target=come_and_go)
        busy.start()
        try:
            assert all(write_locks(file) for _ in range(1000))
        finally:
            ending.set()
            busy.join()


def listing(folder: Path, *lines: str) -> Path:
    listed = folder / "locks"
    listed.write_text("".join(f"{line}\n" for line in lines))
    return listed


def test_a_file_of_the_same_number_on_another_device_is_another(file: Path, tmp_path: Path) -> None:
    there = file.stat()
    device = f"{os.major(there.st_dev):02x}:{os.minor(there.st_dev):02x}"
    # Where there is no device, as on a stacked filesystem, only the number can tell.
    other = f"{os.major(there.st_dev) + 1:02x}:{os.minor(there.st_dev):02x}"
    elsewhere = there.st_ino if os.major(there.st_dev) else there.st_ino + 2
    listed = listing(
        tmp_path,
        f"1: FLOCK  ADVISORY  WRITE 10 {other}:{elsewhere} 0 EOF",
        f"2: POSIX  ADVISORY  WRITE 11 {device}:{there.st_ino + 1} 0 EOF",
        f"3: POSIX  ADVISORY  READ 12 {device}:{there.st_ino} 0 EOF",
        f"4: POSIX  ADVISORY  WRITE 13 {device}:{there.st_ino} 120 123",
        f"4: -> POSIX  ADVISORY  WRITE 14 {device}:{there.st_ino} 120 123",
        "5: what a later kernel may write",
    )
    assert write_locks(file, listed) == [Lock("POSIX", 13, 120, 123)]


def test_a_lock_covers_its_bytes_and_no_others() -> None:
    some, all_ = Lock("POSIX", 1, 120, 121), Lock("FLOCK", 1, 0, None)
    assert [some.covers(byte) for byte in (119, 120, 121, 122)] == [False, True, True, False]
    assert all_.covers(10**9)


def test_what_cannot_be_known_is_no_lock(file: Path, tmp_path: Path) -> None:
    assert write_locks(tmp_path / "none") == []
    assert write_locks(file, tmp_path / "none") == []


def test_a_process_that_has_ended_is_told_by_its_number() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    lock = Lock("POSIX", ended.pid, 0, None)
    assert (lock.program, lock.began_boot_ns) == (str(ended.pid), 0)
