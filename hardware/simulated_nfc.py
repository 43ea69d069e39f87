"""A reader's antenna in software, as slow as a real one: what nfcpy drives where timing is measured without hardware.

Passed to `NfcReader(connect=antenna.connect)` in place of a reader on USB. A poll of one technology takes `sense_s`,
tag or no tag; an exchange takes its time on the air, and HOST_S between the computer and the reader.
"""

import errno
import os
import threading
import time
from typing import Any

from hardware.soft_tags import SoftTag

SENSE_S = 0.03
"""For one technology, with or without a tag. Source: nfcpy's RC-S380 driver waits 30 ms for an answer to each poll."""
HOST_S = 0.005
"""Assumed. Source: nfcpy gives an RC-S380 four commands an exchange, each answered over full-speed USB in over 1 ms."""
_BITS_PER_S = {"106A": 106_000, "212F": 212_000}
_BITS_PER_BYTE = {"106A": 9, "212F": 8}
_FRAMING_BYTES = {"106A": 2, "212F": 10}
"""Checksum, and FeliCa's preamble and sync code."""
_TURNAROUND_S = {"106A": 0.0001, "212F": 0.0024}
"""Source: NTAG213F data sheet 9.2 (n = 9, about 87 us); JIS X 6319-4, the slot that a FeliCa poll is answered in."""


class SimulatedAntenna:
    """An nfcpy device with tags that are laid on it and lifted. Thread: one reader; `lay` and `lift` from any."""

    vendor_name, product_name, path = "Tadaima", "simulated antenna", "simulated"

    def __init__(self, *, sense_s: float = SENSE_S) -> None:
        self._sense_s = sense_s
        self._tag: SoftTag | None = None
        self._plugged = True
        self._closed = threading.Event()

    def connect(self, path: str) -> "SimulatedAntenna | None":  # noqa: ARG002 - nfcpy's search takes a path
        """Open the device, as nfcpy's own search does; None when it is not plugged in."""
        self._closed.clear()
        return self if self._plugged else None

    def unplug(self) -> None:
        """Pull the plug; whoever drives the device is told so by an OSError."""
        self._plugged = False

    def plug(self) -> None:
        """Put the plug back in; the device must be opened again."""
        self._plugged = True

    def lay(self, tag: SoftTag) -> None:
        """Lay a tag on the antenna in place of what lay there."""
        tag.reset()
        self._tag = tag

    def lift(self) -> None:
        """Take the tag away."""
        self._tag = None

    def close(self) -> None:
        """Let go of the device; what is under way ends at once."""
        self._closed.set()

    def mute(self) -> None:
        """Turn the field off. Raises: OSError when unplugged."""
        self._sleep_until(0.0)
        if self._tag is not None:
            self._tag.reset()

    def sense_tta(self, target: Any) -> Any:
        """Poll for a type A tag; None for none."""
        from nfc.clf import RemoteTarget

        tag = self._sensed(target.brty)
        if tag is None or (sens_res := tag.answer(b"\x26")) is None:
            return None
        uid = bytearray()
        for select in (0x93, 0x95, 0x97):
            part = tag.answer(bytes([select, 0x20]))
            selected = None if part is None else tag.answer(bytes([select, 0x70]) + part)
            if part is None or selected is None:
                return None
            more = bool(selected[0] & 0x04)
            uid += part[1:4] if more else part[:4]
            if not more:
                found = RemoteTarget(target.brty, sens_res=bytearray(sens_res), sdd_res=uid)
                found.sel_res = bytearray(selected)
                return None if target.sel_req and bytes(target.sel_req) != bytes(uid) else found
        return None

    def sense_ttb(self, target: Any) -> Any:
        """Poll for a type B tag; there is none."""
        self._sensed(target.brty)

    def sense_ttf(self, target: Any) -> Any:
        """Poll for a FeliCa card of the system asked for; None for none."""
        from nfc.clf import RemoteTarget

        tag = self._sensed(target.brty)
        answer = None if tag is None else tag.answer(bytes([len(target.sensf_req) + 1]) + bytes(target.sensf_req))
        return None if answer is None else RemoteTarget(target.brty, sensf_res=bytearray(answer[1:]))

    def send_cmd_recv_rsp(self, target: Any, data: bytes, timeout: float) -> bytearray:
        """Exchange one frame with the tag. Raises: nfc.clf.TimeoutError for silence, OSError when unplugged."""
        from nfc.clf import TimeoutError as Silence

        began_s = time.monotonic()
        tag = self._tag
        answer = tag.answer(bytes(data)) if tag is not None and tag.brty == target.brty else None
        sending_s = HOST_S + _air_s(data, target.brty)
        if answer is None:
            self._sleep_until(began_s + sending_s + timeout)
            raise Silence
        self._sleep_until(began_s + sending_s + _TURNAROUND_S[target.brty] + _air_s(answer, target.brty))
        if self._tag is not tag:
            raise Silence
        return bytearray(answer)

    def get_max_send_data_size(self, target: Any) -> int:  # noqa: ARG002 - nfcpy's signature
        """The longest frame it sends."""
        return 290

    get_max_recv_data_size = get_max_send_data_size

    def _sensed(self, brty: str) -> SoftTag | None:
        """The tag that was there for the whole of a poll for its technology."""
        tag = self._tag
        self._sleep_until(time.monotonic() + self._sense_s)
        return tag if tag is not None and tag is self._tag and tag.brty == brty else None

    def _sleep_until(self, instant_s: float) -> None:
        self._closed.wait(max(0.0, instant_s - time.monotonic()))
        if not self._plugged:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))


def _air_s(frame: bytes, brty: str) -> float:
    return (len(frame) + _FRAMING_BYTES[brty]) * _BITS_PER_BYTE[brty] / _BITS_PER_S[brty]
