"""The process behind one mounted disk: obeys commands on its standard input, and unmounts when that ends."""

import os
import subprocess
import sys
import threading

import mfusepy
import msgspec

from bench.faulty_disk.faults import Command
from bench.faulty_disk.filesystem import FaultyFilesystem


def main(mountpoint: str) -> None:
    filesystem = FaultyFilesystem(on_ready=_say_done)
    threading.Thread(target=_obey, args=(filesystem, mountpoint), daemon=True).start()
    mfusepy.FUSE(filesystem, mountpoint, foreground=True, nothreads=True, raw_fi=True, fsname="faulty_disk")


def _obey(filesystem: FaultyFilesystem, mountpoint: str) -> None:
    for line in sys.stdin.buffer:
        filesystem.obey(msgspec.json.decode(line, type=Command))
        _say_done()
    # Whoever mounted this has let go, or was killed: no mount is left behind, even with files open on it.
    subprocess.run(["fusermount3", "-u", "-z", "-q", mountpoint], check=False)
    os._exit(0)


def _say_done() -> None:
    print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
