"""nfcpy's frontend with a limit on exchanges and time for each card; imported only when `nfc_nfcpy` opens a reader.

nfcpy trusts tags: one that asks for more time again and again, or answers READ BINARY with nothing, keeps it busy for
ever. Every exchange therefore draws on the card's allowance, in number and in time.
"""

import logging
import threading
import time
from typing import Any

import nfc.clf
import nfc.clf.device

from hardware.nfc_allowance import Allowance, AllowanceSpent
from hardware.nfc_udp import QuickUdpDevice

# nfcpy's messages quote what cards say, tokens included, and repeat every failed search for a reader.
logging.getLogger("nfc").setLevel(logging.CRITICAL)

LONGEST_EXCHANGE_S = 0.5
"""Longer than any honest card needs, and short enough for `close` to be prompt."""


class BoundedFrontend(nfc.clf.ContactlessFrontend):  # type: ignore[misc]  # nfcpy has no types
    """A ContactlessFrontend whose `exchange` is bounded by `allowance` and ends soon after `stopping` is set."""

    def __init__(self, device: Any) -> None:
        super().__init__()
        self.device = device
        self.allowance = Allowance(exchanges_left=0, until_s=0.0)
        self.stopping = threading.Event()

    def exchange(self, send_data: bytes | None, timeout: float | None) -> Any:
        """Exchange one frame with the card. Raises: AllowanceSpent, what nfcpy raises."""
        allowance = self.allowance
        if allowance.spent or self.stopping.is_set():
            raise AllowanceSpent
        allowance.exchanges_left -= 1
        left_s = min(allowance.until_s - time.monotonic(), LONGEST_EXCHANGE_S)
        try:
            return super().exchange(send_data, left_s if timeout is None else max(0.001, min(timeout, left_s)))
        except nfc.clf.CommunicationError:
            allowance.faults += 1
            raise

    def ask(self, send_data: bytes, timeout: float) -> Any:
        """Exchange one frame where silence is an answer too, and no fault: None. Raises: AllowanceSpent."""
        faults = self.allowance.faults
        try:
            return self.exchange(send_data, timeout)
        except nfc.clf.CommunicationError:
            self.allowance.faults = faults
            return None


def connect_device(path: str) -> Any | None:
    """The nfcpy device on a path, or None when there is none. Raises: OSError."""
    if path.startswith("udp:"):
        _, host, port = path.split(":")
        return QuickUdpDevice(host, int(port))
    return nfc.clf.device.connect(path)
