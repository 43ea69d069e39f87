"""A real pcscd of the test's own, with a virtual reader that soft cards are laid on.

It is started the way systemd does it, with a socket handed to it, so that it neither needs nor disturbs
/run/pcscd/pcscd.comm: a pcscd that the machine runs anyway goes on, and several of ours run at once. libpcsclite looks
up its socket's path once in a process's life; the path is therefore one for each test process.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.hardware.soft_pcsc import SoftSlot

ACS = "ACS ACR1252U PICC"
ACR122 = "ACS ACR122U"
SONY = "SONY RC-S300/S"
OTHER = "SOFT PCD"
_MISSING = "the PC/SC tests need Debian's pcscd and vsmartcard-vpcd, and pyscard: script/setup"
_PORTS_TRIED = 10
_PCSCD = "/usr/sbin/pcscd"
_VPCD_CONFIGURATION = Path("/etc/reader.conf.d/vpcd")
_START = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: end when the test process does, however that ends
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""
_FOLDER = Path(tempfile.gettempdir(), f"pcsc-{os.getpid()}")  # not tmp_path: a socket's path has 107 bytes at most
SOCKET = _FOLDER / "pcscd.comm"
os.environ["PCSCLITE_CSOCK_NAME"] = str(SOCKET)


class PcscDaemon:
    """A pcscd with one virtual reader, or none, over a slot for soft cards."""

    slot: SoftSlot

    def __init__(self, reader: str = ACS) -> None:
        self._configuration = _FOLDER / "readers"
        self._reader = reader
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        _FOLDER.mkdir(mode=0o700)
        for _ in range(_PORTS_TRIED):
            self._port = _odd_port()
            self.start()
            if f"{self._reader} 00 00" in _readers():
                self.slot = SoftSlot(self._port)
                self.slot.__enter__()
                return self
            self.kill()  # another process took the port first
        shutil.rmtree(_FOLDER)
        raise AssertionError(f"pcscd shows no reader; is vpcd missing? {_MISSING}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()
        self.slot.__exit__(None, None, None)
        shutil.rmtree(_FOLDER)

    def start(self, *, plugged: bool = True) -> None:
        """Start pcscd, with its reader plugged in or not."""
        self._configuration.mkdir(exist_ok=True)
        entry = f'FRIENDLYNAME "{self._reader}"\nDEVICENAME /dev/null:{self._port}\nLIBPATH {_driver()}\nCHANNELID 1\n'
        (self._configuration / "reader").write_text(entry if plugged else "")
        command = [_PCSCD, "--foreground", "--critical", "--config", str(self._configuration), *_without_polkit()]
        SOCKET.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(SOCKET))
            listener.listen()
            # Real readers' names have small letters: pcscd is to leave all of those alone that the machine may have.
            environment = {**os.environ, "PCSCLITE_FILTER_IGNORE_READER_NAMES": "a:e:i:o:u"}
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, str(listener.fileno()), *command],
                pass_fds=[listener.fileno()],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def signal(self, number: signal.Signals) -> None:
        """Send pcscd a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End pcscd as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _driver() -> str:
    """The path of vpcd. Raises: AssertionError when a part is missing."""
    assert Path(_PCSCD).exists(), _MISSING
    assert _VPCD_CONFIGURATION.exists(), _MISSING
    words = _VPCD_CONFIGURATION.read_text().split()
    return words[words.index("LIBPATH") + 1]


def _without_polkit() -> list[str]:
    """Where pcscd asks polkit (Debian 13), it must not: there may be none."""
    usage = subprocess.run([_PCSCD, "--help"], capture_output=True, text=True, check=True).stdout
    return ["--disable-polkit"] if "--disable-polkit" in usage else []


def _odd_port() -> int:
    """A port that is free now. vpcd's second slot listens on the next, so that first slots keep to the odd ones."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port | 1


def _readers() -> list[str]:
    """What pcscd shows its clients."""
    from smartcard import scard

    code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    if code != scard.SCARD_S_SUCCESS:
        return []
    names: list[str] = scard.SCardListReaders(context, [])[1]
    scard.SCardReleaseContext(context)
    return names
