"""The NFC reader of a door, whatever it is: a driver is chosen at each `open`, by setting or by what is plugged in."""

import logging
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from hardware.errors import DriverMissing, ReaderLost
from hardware.nfc_identity import ANY_SYSTEM
from hardware.nfc_models import MODELS, USB_DEVICES, Plugged, Route, plugged_readers
from hardware.nfc_nfcpy import NfcReader
from hardware.nfc_pcsc import PcscReader
from hardware.reader import CardReader, RawRead

log = logging.getLogger(__name__)

_PCSC = "pcsc"
_PCSCD = ("usr/sbin/pcscd", "usr/local/sbin/pcscd")


class AutoNfcReader:
    """A CardReader by `source`: empty for what is plugged in now, `pcsc` or `pcsc:NAME-PREFIX`, or an nfcpy path."""

    def __init__(
        self,
        name: str,
        source: str = "",
        *,
        system_codes: Sequence[int] = (ANY_SYSTEM,),
        hold_off_s: float = 0.5,
        usb_devices: Path = USB_DEVICES,
        root: Path = Path("/"),
    ) -> None:
        """Set up without touching a device; `usb_devices` and `root` are where the machine's own are looked up.

        Raises: ValueError for a source that makes no sense.
        """
        self.name = name
        self._system_codes = tuple(system_codes)
        self._hold_off_s = hold_off_s
        self._usb_devices = usb_devices
        self._root = root
        self._fixed = self._by_source(source) if source else None
        self._reader: CardReader | None = None
        self._lock = threading.Lock()

    def open(self) -> None:
        """Choose a driver and take the reader. Raises: ReaderLost, DriverMissing."""
        self.close()
        if self._fixed is not None:
            self._fixed.open()
        reader = self._fixed or self._opened_of_those_plugged_in()
        with self._lock:
            self._reader = reader

    def reads(self) -> Iterator[RawRead]:
        """Block and yield reads until closed. Raises: ReaderLost."""
        reader = self._reader
        return iter(()) if reader is None else reader.reads()

    def close(self) -> None:
        """Let go of the reader; a blocked `reads` ends within 1.2 s. Idempotent; never raises. Thread: any."""
        with self._lock:
            reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _by_source(self, source: str) -> CardReader:
        kind, _, prefix = source.partition(":")
        return self._pcsc(prefix) if kind == _PCSC else self._nfcpy(source)

    def _opened_of_those_plugged_in(self) -> CardReader:
        """The first known reader that opens. Raises: DriverMissing, ReaderLost with what to do, when none does."""
        obstacles, missing = [], None
        for plugged in plugged_readers(self._usb_devices):
            obstacle, model = self._obstacle(plugged), plugged.model
            if obstacle is not None:
                obstacles.append(obstacle)
                continue
            log.info("nfc reader found reader=%s model=%s", self.name, model.name)
            reader = self._nfcpy(model.nfcpy_path) if model.route is Route.NFCPY else self._pcsc(model.pcsc_prefix)
            try:
                reader.open()
            except ReaderLost as error:
                obstacles.append(f"{model.name}: {error.reason}")
            except DriverMissing as error:
                missing = error
            else:
                return reader
        if missing is not None:
            raise missing
        known = ", ".join(dict.fromkeys(model.name for model in MODELS))
        raise ReaderLost(self.name, "; ".join(obstacles) or f"no NFC reader is plugged in; known on USB are {known}")

    def _obstacle(self, plugged: Plugged) -> str | None:
        """Why a reader that is plugged in cannot be used, with what to do; None when it can."""
        if plugged.kernel_module is not None:
            module = plugged.kernel_module
            return (
                f"{plugged.model.name} is taken by the kernel module {module}: put 'blacklist {module}' into "
                "/etc/modprobe.d/tadaima-nfc.conf and restart"
            )
        if plugged.model.route is Route.PCSC and not any((self._root / path).exists() for path in _PCSCD):
            return f"{plugged.model.name} needs pcscd: apt install pcscd"
        return None

    def _nfcpy(self, path: str) -> CardReader:
        return NfcReader(self.name, path, system_codes=self._system_codes, hold_off_s=self._hold_off_s)

    def _pcsc(self, prefix: str) -> CardReader:
        return PcscReader(self.name, prefix, system_codes=self._system_codes, hold_off_s=self._hold_off_s)
