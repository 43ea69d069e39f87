"""Step 1 of the line for readers nfcpy drives: Sony RC-S380, PN532 on a serial port, ACR122U, and soft cards over UDP.

Runs its own loop of `sense` and `activate`; docs/readers-nfc.md says why not nfcpy's `connect`.
"""

import logging
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hardware.errors import DriverMissing, ReaderLost
from hardware.nfc_allowance import AllowanceSpent, card_allowance
from hardware.nfc_identity import ANY_SYSTEM
from hardware.nfc_tag import identify, is_random, may_hold_text, read_text, tag_type
from hardware.nfc_turns import Turns, Unread
from hardware.reader import Medium, RawRead, boot_ns

if TYPE_CHECKING:
    from hardware.nfc_frontend import BoundedFrontend

log = logging.getLogger(__name__)

_PAUSE_SEARCHING_S = 0.002
_PAUSE_HELD_S = 0.04
_PATH = re.compile(
    r"usb(:[0-9a-fA-F]{4}(:[0-9a-fA-F]{4})?|:[0-9]{1,3}(:[0-9]{1,3})?)?"
    r"|tty:\w+:(pn532|arygon)|udp:[^:]+:[0-9]{1,5}"
)


class NfcReader:
    """A reader on an nfcpy path: `usb`, `usb:054c:06c3`, `tty:S0:pn532`, `udp:127.0.0.1:PORT`.

    A tag with an NDEF text record is read as that text; any other as its UID, or as system code and IDm.
    """

    def __init__(
        self,
        name: str,
        path: str,
        *,
        system_codes: Sequence[int] = (ANY_SYSTEM,),
        hold_off_s: float = 0.5,
        connect: Callable[[str], Any] | None = None,
    ) -> None:
        """Set up without touching the device; `connect` opens an nfcpy device in place of nfcpy's own search.

        Raises: ValueError for a path that nfcpy would not understand.
        """
        if not _PATH.fullmatch(path) or (
            path.startswith("udp:") and int(path.rpartition(":")[2]) not in range(1, 65536)
        ):
            raise ValueError(f"not an nfcpy path: {path!r}")
        self.name = name
        self._path = path
        self._system_codes = tuple(system_codes)
        self._hold_off_s = hold_off_s
        self._connect = connect
        self._frontend: BoundedFrontend | None = None
        self._lock = threading.Lock()

    def open(self) -> None:
        """Take the device. Raises: ReaderLost when it is not there, DriverMissing when its library is not."""
        self.close()
        try:
            showwarning = warnings.showwarning
            from hardware.nfc_frontend import BoundedFrontend, connect_device
        except ImportError as error:
            raise DriverMissing("nfcpy", "install Tadaima with its extra 'kiosk'") from error
        if warnings.showwarning is not showwarning:
            # nfcpy sends the whole process's warnings to the log when it is imported; that is not its to decide.
            logging.captureWarnings(capture=False)
        try:
            device = (self._connect or connect_device)(self._path)
        except OSError as error:
            if error.errno is None and self._path.startswith("usb"):  # ctypes found no library to load
                raise DriverMissing("libusb", "apt install libusb-1.0-0") from error
            raise ReaderLost(self.name, str(error)) from error
        if device is None:
            raise ReaderLost(self.name, f"nothing at {self._path}")
        with self._lock:
            self._frontend = BoundedFrontend(device)
        log.info("nfc reader opened reader=%s path=%s", self.name, self._path)

    def reads(self) -> Iterator[RawRead]:
        """Block and yield reads until closed. Raises: ReaderLost."""
        frontend = self._frontend
        if frontend is None:
            return
        try:
            yield from self._watch(frontend)
        except OSError as error:
            if not frontend.stopping.is_set():
                raise ReaderLost(self.name, str(error)) from error

    def close(self) -> None:
        """Let go of the device; a blocked `reads` ends within 1.2 s. Idempotent; never raises. Thread: any."""
        with self._lock:
            frontend, self._frontend = self._frontend, None
        if frontend is None:
            return
        frontend.stopping.set()
        try:
            frontend.close()
        except Exception:  # noqa: BLE001 - an unplugged device may fail to close in ways of its driver's own
            log.info("nfc reader did not close cleanly reader=%s", self.name)

    def _watch(self, frontend: "BoundedFrontend") -> Iterator[RawRead]:
        """Look at the field again and again until closed; yield each card that arrives, once it was read."""
        turns = Turns(self._hold_off_s)
        while not frontend.stopping.is_set():
            target = self._sense(frontend)
            card = None if target is None else identify(target, self._system_codes[0])
            if turns.look(card, time.monotonic()):
                frontend.allowance = card_allowance()
            if turns.unread is not None:
                raw = self._read(frontend, target, turns.unread)
                if raw is not None and turns.tell(raw.medium):
                    yield raw
            held = card is not None and turns.unread is None
            frontend.stopping.wait(_PAUSE_HELD_S if held else _PAUSE_SEARCHING_S)

    def _sense(self, frontend: "BoundedFrontend") -> Any:
        """A card in the field, or None. Raises: OSError."""
        from nfc.clf import RemoteTarget

        felica = [RemoteTarget("212F", sensf_req=bytearray.fromhex(f"00{code:04x}0100")) for code in self._system_codes]
        type_a = RemoteTarget("106A")
        try:
            target = frontend.sense(type_a, *felica)
            # A phone may be a FeliCa card too, and that identity lasts.
            return frontend.sense(*felica, type_a) if target is not None and is_random(target) else target
        except OSError:
            raise
        except Exception:  # noqa: BLE001 - a malformed answer trips drivers in ways of their own; it is no card
            return None

    def _read(self, frontend: "BoundedFrontend", target: Any, unread: Unread) -> RawRead | None:
        """What the card says; None when it must be looked at again first. Raises: OSError."""
        identity, tag = unread.identity, tag_type(target)
        if unread.attempts_left > 0 and may_hold_text(target):
            unread.attempts_left -= 1
            faults_before = frontend.allowance.faults
            text = self._read_text(frontend, target)
            if text is not None:
                return RawRead(Medium.NFC_TEXT, text.encode("utf-8", "replace"), self.name, boot_ns(), tag)
            if frontend.stopping.is_set():
                return None
            if frontend.allowance.spent:
                unread.attempts_left = 0
            if frontend.allowance.faults > faults_before or frontend.allowance.spent:
                # It fell silent: has it gone, or is that all it has to say? The next look tells.
                return None
        return RawRead(identity.medium, identity.payload, self.name, boot_ns(), tag)

    def _read_text(self, frontend: "BoundedFrontend", target: Any) -> str | None:
        """The text on the tag; None for none, for a card gone too soon and for a hostile one. Raises: OSError."""
        try:
            return read_text(frontend, target)
        except OSError:
            raise
        except AllowanceSpent:
            return None
        except Exception as error:  # noqa: BLE001 - a tag's bad answer trips nfcpy and ndeflib in any way it likes
            log.info("nfc tag could not be read reader=%s error=%s", self.name, type(error).__name__)
            return None
