"""Mounts a faulty disk in a process of its own, and tells it what to do."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.faulty_disk.faults import Command, Fail, Heal, Hold, Record
from bench.faulty_disk.operations import Operation, decode

ROOT = Path(__file__).resolve().parents[2]
DEVICE = Path("/dev/fuse")
_END_S = 20.0


class CannotMount(Exception):
    """This machine cannot mount a filesystem of ours; the text says what to do."""


class FaultyDisk:
    """A mounted disk at `folder`."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], scratch: Path) -> None:
        self.folder = folder
        self._process = process
        self._scratch = scratch

    def fail(self, fault: Fail) -> None:
        """Let operations fail from now on, beside those that do already."""
        self._tell(fault)

    def hold(self, size_bytes: int | None = None, files: int | None = None) -> None:
        """Let no more fit on the disk."""
        self._tell(Hold(size_bytes, files))

    def heal(self) -> None:
        """Let all go well again."""
        self._tell(Heal())

    def record(self) -> list[Operation]:
        """Return all that the disk was asked so far."""
        file = self._scratch
        self._tell(Record(str(file)))
        try:
            return decode(file.read_bytes())
        finally:
            file.unlink()

    def _tell(self, command: Command) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(command) + b"\n")
        self._process.stdin.flush()
        self.await_done()

    def await_done(self) -> None:
        """Wait for the disk to say that it has done what it was told. Raises: CannotMount."""
        assert self._process.stdout is not None
        if self._process.stdout.readline() != b"done\n":
            raise CannotMount(f"the filesystem ended with {self._process.wait()}; its own words are above")


@contextmanager
def faulty_disk(folder: Path) -> Iterator[FaultyDisk]:
    """Mount an empty disk at a path and unmount it in the end, come what may. Raises: CannotMount."""
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        raise CannotMount(f"{DEVICE} cannot be opened: `modprobe fuse`, or give the container this device")
    if shutil.which("fusermount3") is None:
        raise CannotMount("fusermount3 is missing: run script/setup")
    mountpoint = folder / "disk"
    mountpoint.mkdir(parents=True)
    command = [sys.executable, "-m", "bench.faulty_disk", str(mountpoint)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            disk = FaultyDisk(mountpoint, process, folder / "record")
            disk.await_done()
            yield disk
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                subprocess.run(["fusermount3", "-u", "-z", "-q", str(mountpoint)], check=False)
    mountpoint.rmdir()
