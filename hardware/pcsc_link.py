"""One client of pcscd for `nfc_pcsc`: a context, a reader and the card on it; every call bounded, every code judged.

Uses pyscard's plain bindings (smartcard.scard): its classes above them watch readers and cards in threads that cannot
be ended in time. Imports pyscard, so it is itself imported only when a reader is opened.
"""

import contextlib
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from smartcard import scard

from hardware.errors import ReaderLost
from hardware.nfc_allowance import Allowance, AllowanceSpent
from hardware.patient_calls import PatientCalls, StillBusy

PCSCD_S = 5.0
"""How long pcscd may take over what needs no card."""
CARD_BUSY_S = 10.0
"""How long one card may keep the reader busy before the reader is told to be lost: nobody else can use it."""
_CARD_SILENT = {
    scard.SCARD_E_NO_SMARTCARD,
    scard.SCARD_E_NOT_TRANSACTED,
    scard.SCARD_E_PROTO_MISMATCH,
    scard.SCARD_E_SHARING_VIOLATION,
    scard.SCARD_E_INSUFFICIENT_BUFFER,
    scard.SCARD_W_REMOVED_CARD,
    scard.SCARD_W_RESET_CARD,
    scard.SCARD_W_UNPOWERED_CARD,
    scard.SCARD_W_UNRESPONSIVE_CARD,
    scard.SCARD_W_UNSUPPORTED_CARD,
}
_REMEDIES = {
    scard.SCARD_E_NO_SERVICE: "pcscd does not answer: apt install pcscd, then systemctl enable --now pcscd.socket",
    scard.SCARD_F_COMM_ERROR: "pcscd went away",
    scard.SCARD_W_SECURITY_VIOLATION: "pcscd refuses this user: add the polkit rule in docs/readers-nfc.md",
}
_GONE = scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE | scard.SCARD_STATE_IGNORE
_NOT_CONTACTLESS = " SAM"
"""In the name of a slot inside a reader."""


class CardSilent(Exception):
    """The card has gone, or does not answer properly."""


@dataclass(frozen=True, slots=True)
class Field:
    """What a look at the reader shows."""

    present: bool
    changed: bool
    """Whether a card came or went since the look before, were it for a moment."""


class PcscLink:
    """A context of pcscd's and the reader in it. Thread: one; `close` from any."""

    def __init__(self, name: str, prefix: str) -> None:
        """Connect to pcscd and choose the first reader whose name begins so. Raises: ReaderLost."""
        self.stopping = threading.Event()
        self.allowance = Allowance(exchanges_left=0, until_s=0.0)
        self._name = name
        self._state = scard.SCARD_STATE_UNAWARE
        self._card: tuple[Any, Any] | None = None
        """The card's handle and protocol."""
        self._calls = PatientCalls(f"pcsc-{name}")
        self._context: Any = None
        try:
            self._context = self._ask(scard.SCardEstablishContext, scard.SCARD_SCOPE_USER)
            self.reader = self._choose(self._ask(scard.SCardListReaders, self._context, []), prefix)
            """Its name in pcscd."""
        except ReaderLost:
            self.close()
            raise

    def look(self, wait_s: float) -> Field:
        """Wait until a card comes or goes, or for so long, and return what there is. Raises: ReaderLost."""
        self._wait_for_card_that_keeps_on()
        before = self._state
        states = [(self.reader, before)]
        code, answers = self._bounded(PCSCD_S, scard.SCardGetStatusChange, self._context, round(wait_s * 1000), states)
        if code not in (scard.SCARD_S_SUCCESS, scard.SCARD_E_TIMEOUT):
            raise self._lost(code)
        self._state = answers[0][1]
        if self._state & _GONE:
            raise ReaderLost(self._name, f"{self.reader} was unplugged")
        self._state &= ~scard.SCARD_STATE_CHANGED
        present = bool(self._state & scard.SCARD_STATE_PRESENT)
        # The upper half counts the cards that came and went.
        changed = self._state >> 16 != before >> 16 or present != bool(before & scard.SCARD_STATE_PRESENT)
        return Field(present, changed)

    def connect(self) -> bytes:
        """Turn to the card in the field and return its ATR. Raises: CardSilent, AllowanceSpent, ReaderLost."""
        self.disconnect()
        protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        code, card, protocol = self._draw(
            scard.SCardConnect, self._context, self.reader, scard.SCARD_SHARE_SHARED, protocols
        )
        self._judge(code)
        self._card = card, scard.SCARD_PCI_T1 if protocol == scard.SCARD_PROTOCOL_T1 else scard.SCARD_PCI_T0
        # Asked only now: the card that the last look showed may have been taken for another.
        code, _, _, _, atr = self._draw(scard.SCardStatus, card)
        self._judge(code)
        return bytes(byte & 0xFF for byte in atr)

    def transmit(self, apdu: bytes) -> bytes:
        """The card's answer to an APDU, with its status word. Raises: CardSilent, AllowanceSpent, ReaderLost."""
        if self._card is None:
            raise CardSilent
        card, protocol = self._card
        code, answer = self._draw(scard.SCardTransmit, card, protocol, list(apdu))
        self._judge(code)
        if len(answer) < 2:
            self.allowance.faults += 1
            raise CardSilent
        return bytes(byte & 0xFF for byte in answer)

    def disconnect(self) -> None:
        """Turn away from the card, if it lets go. Raises: ReaderLost."""
        if self._card is not None and not self._calls.busy:
            self._bounded(PCSCD_S, scard.SCardDisconnect, self._card[0], scard.SCARD_LEAVE_CARD)
            self._card = None

    @property
    def busy(self) -> bool:
        """Whether the card still keeps the reader busy with a call that was given up."""
        return self._calls.busy

    def close(self) -> None:
        """Leave pcscd; a call under way is given up. Idempotent. Thread: any."""
        if not self.stopping.is_set():
            self.stopping.set()
            context = self._context
            self._calls.end(*(() if context is None else (lambda: _release(context),)))

    def _choose(self, names: Sequence[str], prefix: str) -> str:
        fitting = [name for name in names if name.startswith(prefix)]
        reader = min(fitting, key=lambda name: _NOT_CONTACTLESS in name, default=None)
        if reader is None:
            raise ReaderLost(self._name, f"pcscd shows no reader called {prefix!r}" if prefix else "pcscd shows none")
        return reader

    def _ask(self, function: Any, *args: Any) -> Any:
        """Make a call about no card and return its result. Raises: ReaderLost."""
        code, result = self._bounded(PCSCD_S, function, *args)
        if code == scard.SCARD_E_NO_READERS_AVAILABLE:
            return []
        if code != scard.SCARD_S_SUCCESS:
            raise self._lost(code)
        return result

    def _bounded(self, patience_s: float, function: Any, *args: Any) -> Any:
        """Make a call that is over in time when all is well. Raises: ReaderLost."""
        until_s = time.monotonic() + patience_s
        try:
            return self._calls.call(lambda: not self.stopping.is_set() and time.monotonic() < until_s, function, *args)
        except StillBusy as error:
            raise ReaderLost(self._name, "closed" if self.stopping.is_set() else "pcscd does not answer") from error
        except SystemError as error:  # pyscard #248: how it tells of some calls that failed
            raise ReaderLost(self._name, "pcscd does not answer") from error

    def _draw(self, function: Any, *args: Any) -> Any:
        """Make a call that waits for the card, on its allowance. Raises: AllowanceSpent."""
        allowance = self.allowance
        if allowance.spent or self.stopping.is_set():
            raise AllowanceSpent
        allowance.exchanges_left -= 1
        try:
            return self._calls.call(
                lambda: not self.stopping.is_set() and time.monotonic() < allowance.until_s, function, *args
            )
        except StillBusy as error:
            raise AllowanceSpent from error

    def _judge(self, code: int) -> None:
        if code in _CARD_SILENT:
            self.allowance.faults += 1
            raise CardSilent
        if code != scard.SCARD_S_SUCCESS:
            raise self._lost(code)

    def _wait_for_card_that_keeps_on(self) -> None:
        until_s = time.monotonic() + CARD_BUSY_S
        if not self._calls.settled(lambda: not self.stopping.is_set() and time.monotonic() < until_s):
            raise ReaderLost(self._name, "closed" if self.stopping.is_set() else "a card on it does not let go")

    def _lost(self, code: int) -> ReaderLost:
        return ReaderLost(self._name, _REMEDIES.get(code) or str(scard.SCardGetErrorMessage(code)).rstrip("."))


def _release(context: Any) -> None:
    with contextlib.suppress(SystemError):  # pyscard #248
        scard.SCardReleaseContext(context)
