"""Runs the guest: Debian's kernel, this checkout's own Python, two disks whose writes QEMU logs.

Nothing is installed but QEMU: the kernel is only unpacked, since a kernel that is installed would be booted one day.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.block_cuts.block_log import Entry, read_log
from bench.block_cuts.guest import DISKS, DONE, MODULES
from bench.block_cuts.initramfs import pack
from bench.block_cuts.marks import FILESYSTEM_BYTES, MARKS_BYTES
from bench.block_cuts.workload import Variant

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "block-cuts"
MEMORY = Path("/dev/shm")
"""Where the host's own syncs cost nothing."""
QEMU, KERNEL = "qemu-system-x86_64", "linux-image-cloud-amd64"
GUEST_MODULES = ("virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_blk")
"""What the kernel does not have built in, in the order in which each finds what it needs."""
LONGEST_S = 900.0
"""A guest that takes longer hangs."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What a disk held before the guest began, and what it was asked."""

    content: bytes
    entries: Sequence[Entry]


class CannotRun(Exception):
    """Not on this machine, or not by this user."""


def record(commits: int) -> dict[Variant, Recording]:
    """Let a guest do its work on a disk for each variant. Raises: CannotRun."""
    _prepare()
    kernel, modules = _kernel()
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="tadaima-") as scratch:
        folder = Path(scratch)
        initial = _empty_disk(folder / "initial")
        (folder / "initramfs").write_bytes(pack(_files(folder) | modules))
        for name in DISKS.values():
            (folder / name).write_bytes(initial)
        _run(folder, kernel, commits)
        return {
            variant: Recording(initial, read_log((folder / f"{name}.log").read_bytes()))
            for variant, name in DISKS.items()
        }


def _run(folder: Path, kernel: Path, commits: int) -> None:
    """Start the guest and wait until it has switched itself off."""
    path = os.pathsep.join((str(ROOT), sysconfig.get_path("purelib")))
    interpreter = Path(sys.executable).resolve()
    command = [
        *(QEMU, "-accel", "tcg", "-cpu", "max", "-m", "1024", "-nodefaults", "-nographic", "-no-reboot"),
        *("-serial", "stdio", "-kernel", str(kernel), "-initrd", str(folder / "initramfs"), "-append"),
        f'console=ttyS0 quiet panic=-1 rdinit={interpreter} "PYTHONPATH={path}" -- -m bench.block_cuts.guest {commits}',
    ]
    for name in DISKS.values():
        (folder / f"{name}.log").touch()
        disk = f"driver=blklogwrites,node-name={name},log-sector-size=512"
        command += ["-blockdev", f"{disk},file.driver=file,file.filename={folder / name}"]
        command[-1] += f",log.driver=file,log.filename={folder / name}.log"
        # As a card does, it keeps what is written in a memory of its own until it is told to flush.
        command += ["-device", f"virtio-blk-pci,drive={name},write-cache=on,discard=off,write-zeroes=off"]
    done = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST_S
    )
    if DONE not in done.stdout:
        raise RuntimeError(f"the guest did not come to its end:\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}")


def _files(folder: Path) -> dict[Path, Path]:
    """The interpreter, our code and whatever else the work takes, found by doing a little of it here."""
    rehearsal = folder / "rehearsal"
    rehearsal.mkdir()
    command = [sys.executable, "-m", "bench.block_cuts.rehearsal", str(rehearsal)]
    told = subprocess.run(command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return {path: path for path in map(Path, told.stdout.splitlines())}


def _empty_disk(image: Path) -> bytes:
    """An ext4 as mke2fs makes it of itself, but with pages of 4096 bytes, as on a card, and a journal of 4 MB."""
    with image.open("wb") as file:
        file.truncate(FILESYSTEM_BYTES)
    # Else the guest's kernel would fill in tables later, beside our writes.
    whole = "lazy_itable_init=0,lazy_journal_init=0"
    _do("mke2fs", "-q", "-t", "ext4", "-b", "4096", "-J", "size=4", "-E", whole, str(image))
    return image.read_bytes() + bytes(MARKS_BYTES)


def _kernel() -> tuple[Path, dict[Path, Path]]:
    """Debian's kernel as it was unpacked, and its modules by their paths in the guest."""
    modules = {MODULES / f"{number}-{name}.ko": CACHE / f"{name}.ko" for number, name in enumerate(GUEST_MODULES)}
    return CACHE / "vmlinuz", modules


def _prepare() -> None:
    """See to it that there are QEMU and a kernel."""
    if platform.machine() != "x86_64":
        raise CannotRun("the guest is an x86-64 machine that runs this machine's Python; this is none")
    if os.geteuid() != 0:
        raise CannotRun("only root may mount what a cut leaves")
    lacks_qemu, lacks_kernel = shutil.which(QEMU) is None, not (CACHE / "vmlinuz").exists()
    if lacks_qemu or lacks_kernel:
        _do("apt-get", "update", "-q")
    if lacks_qemu:
        _say("installing qemu-system-x86 with apt")
        _do("apt-get", "install", "-q", "-y", "--no-install-recommends", "qemu-system-x86")
    if lacks_kernel:
        _say(f"fetching Debian's {KERNEL}, unpacked in {CACHE.relative_to(ROOT)}, not installed")
        _fetch_kernel()


def _fetch_kernel() -> None:
    package = re.search(r"Depends: (linux-image-\S+)", _do("apt-cache", "depends", KERNEL))
    if package is None:
        raise CannotRun(f"apt knows no kernel by the name of {KERNEL}")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        _do("apt-get", "download", "-q", package[1], folder=Path(scratch))
        (archive,) = Path(scratch).glob("*.deb")
        _do("dpkg-deb", "--extract", str(archive), scratch)
        for name in GUEST_MODULES:
            (module,) = Path(scratch).rglob(f"{name}.ko")
            module.rename(CACHE / module.name)
        # Last, since it stands for all.
        (kernel,) = Path(scratch, "boot").glob("vmlinuz-*")
        kernel.rename(CACHE / "vmlinuz")


def _say(what: str) -> None:
    print(f"block cuts: {what}", file=sys.stderr)


def _do(*command: str, folder: Path | None = None) -> str:
    """Run a command and return what it says; its name is looked for where root's are too. Raises: CannotRun."""
    environment = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, check=True, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
    except FileNotFoundError as error:
        raise CannotRun(f"{command[0]} is missing") from error
    except subprocess.CalledProcessError as error:
        raise CannotRun(f"{' '.join(command)} failed: {error.stderr or error.stdout}") from error
    return done.stdout
