"""The first and only process of the guest: makes the machine usable, mounts each disk, works on it, switches off.

There is no shell and no service beside it. Usage, as the kernel starts it: python -m bench.block_cuts.guest COMMITS.
"""

import ctypes
import fcntl
import mmap
import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.block_cuts.block_log import SECTOR_BYTES
from bench.block_cuts.marks import FILESYSTEM_BYTES, Mark, to_sector
from bench.block_cuts.workload import Tell, Variant, work

MODULES = Path("/modules")
"""Kernel modules, to be loaded in the order of their names."""
DONE = "guest: done"
"""What is said on the console when all work was done."""
DISKS = {Variant.AS_BUILT: "vda", Variant.BROKEN: "vdb"}
_SYS_FINIT_MODULE = 313
"""On x86-64. Source: the kernel's arch/x86/entry/syscalls/syscall_64.tbl."""
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_RB_POWER_OFF = 0x4321FEDC
_libc = ctypes.CDLL(None, use_errno=True)


def main(commits: int) -> None:
    """Do the work on each disk and switch the machine off; an error ends it too, and the kernel then panics.

    Nothing is mounted at /tmp: the root is in memory anyway, and the checkout may lie below it.
    """
    for kind, folder in (("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")):
        _mount(kind, Path(folder), kind)
    for module in sorted(MODULES.iterdir()):
        _load(module)
    _loopback_up()
    for variant, name in DISKS.items():
        cache = Path(f"/sys/block/{name}/queue/write_cache").read_text(encoding="utf-8").strip()
        assert cache == "write back", f"a disk that has no cache to lose: {cache}"
        _mount(f"/dev/{name}", Path("/disk"), "ext4")
        with _marking(Path("/dev") / name) as tell:
            work(Path("/disk"), tell, commits=commits, variant=variant)
        os.sync()  # also writes down how long the log is
        _done(_libc.umount(b"/disk"))
    print(DONE, flush=True)
    _done(_libc.reboot(_RB_POWER_OFF))


@contextmanager
def _marking(device: Path) -> Iterator[Tell]:
    """Write marks beyond the filesystem of a device, past the page cache."""
    # O_DIRECT asks for memory that begins a page; the device stays open, since closing it would bring it up to date.
    file, page = os.open(device, os.O_WRONLY | os.O_DIRECT), mmap.mmap(-1, mmap.PAGESIZE)

    def tell(mark: Mark) -> None:
        page[:SECTOR_BYTES] = to_sector(mark)
        with memoryview(page) as whole, whole[:SECTOR_BYTES] as sector:
            written = os.pwrite(file, sector, FILESYSTEM_BYTES)
        assert written == SECTOR_BYTES

    yield tell
    os.close(file)


def _mount(what: str, where: Path, kind: str) -> None:
    """Mount with the options that are usual."""
    where.mkdir(exist_ok=True)
    _done(_libc.mount(what.encode(), bytes(where), kind.encode(), 0, None))


def _load(module: Path) -> None:
    file = os.open(module, os.O_RDONLY)
    _done(_libc.syscall(_SYS_FINIT_MODULE, file, b"", 0))
    os.close(file)


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        fcntl.ioctl(asked, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))


def _done(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main(int(sys.argv[1]))
