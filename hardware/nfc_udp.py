"""nfcpy's udp device with waits that suit a soft card; imported by `nfc_frontend` only when a reader is opened.

The stock device waits a second for each technology that is not there, so a tap takes up to three. And it waits no
longer for an answer than a real tag needs (5 ms), which a process on a busy machine can miss; the late answer would
then be taken for that to the next command.
"""

import select
import socket
from typing import Any

import nfc.clf.udp

SENSE_WAIT_S = 0.03
"""How long a soft card has to answer a poll."""
ANSWER_WAIT_S = 0.15
"""How long a soft card that answered the poll has, at least, to answer a command."""


class QuickUdpDevice(nfc.clf.udp.Device):  # type: ignore[misc]  # nfcpy has no types
    """The reader's side of nfcpy's udp path, opened on a host and port. Raises: OSError for an unknown host."""

    def __init__(self, host: str, port: int) -> None:
        # Not the stock constructor: it turns ports that /etc/services knows into names, and fails on them.
        self.addr = (socket.gethostbyname(host), port)
        self._path = f"udp:{host}:{port}"
        self._vendor_name, self._device_name, self._chipset_name = "Tadaima", "soft card", "UDP"
        self.socket: Any = None
        self._create_socket()

    def _recv_data(self, timeout: float, *brty_list: str) -> Any:
        return super()._recv_data(min(timeout, SENSE_WAIT_S), *brty_list)

    def send_cmd_recv_rsp(self, target: Any, data: bytes | None, timeout: float) -> Any:
        """Send a command to the card and wait for its answer. Raises: nfc.clf.CommunicationError."""
        self._drop_late_answers()
        if data is not None:
            self._send_data(target.brty, data, target._addr)
        return super()._recv_data(max(timeout, ANSWER_WAIT_S), target.brty)[1]

    def _drop_late_answers(self) -> None:
        while select.select([self.socket], [], [], 0)[0]:
            self.socket.recv(1024)
