"""Tags in software: pure answers to the frames a reader sends, for `soft_card` to put on the air.

Each is as much of an NFC Forum Type 2 (NTAG21x), Type 3 (FeliCa) or Type 4A tag as reading takes.
"""

import struct
from functools import reduce
from operator import xor
from typing import Protocol

NAK = b"\x00"
NDEF_SYSTEM = 0x12FC
_CT = b"\x88"
"""Cascade tag: stands first in each part of a UID that another part follows."""
_OK = b"\x90\x00"
_NOT_FOUND = b"\x6a\x82"


class SoftTag(Protocol):
    """A tag that can be laid on a soft card's field."""

    brty: str
    """nfcpy's word for bit rate and technology: 106A or 212F."""

    def reset(self) -> None:
        """The field went off, or the tag has just come into it."""
        ...

    def answer(self, frame: bytes) -> bytes | None:
        """The tag's answer to a frame, or None for silence."""
        ...


def ndef_message(*, text: str | None = None, uri: str | None = None) -> bytes | None:
    """An NDEF message with a URI record, a text record, or both in this order; None for neither."""
    records = []
    if uri is not None:
        records.append((b"U", b"\x00" + uri.encode()))
    if text is not None:
        records.append((b"T", b"\x02en" + text.encode()))
    if not records:
        return None
    message = b""
    for number, (kind, payload) in enumerate(records):
        begin_end = (0x80 if number == 0 else 0) | (0x40 if number == len(records) - 1 else 0)
        short = len(payload) < 0x100
        length = bytes([len(payload)]) if short else struct.pack(">I", len(payload))
        message += bytes([begin_end | (0x10 if short else 0) | 0x01, len(kind)]) + length + kind + payload
    return message


class TypeATag:
    """Anticollision of ISO 14443-3 type A; what comes after it is the subclass's `command`."""

    brty = "106A"
    sak = 0x00

    def __init__(self, uid: bytes) -> None:
        if len(uid) not in (4, 7, 10):
            raise ValueError("a type A UID has 4, 7 or 10 bytes")
        levels = {4: [uid], 7: [_CT + uid[:3], uid[3:]], 10: [_CT + uid[:3], _CT + uid[3:6], uid[6:]]}
        self.uid = uid
        self._levels = [level + bytes([reduce(xor, level)]) for level in levels[len(uid)]]

    def reset(self) -> None:
        """Forget what the reader selected."""

    def answer(self, frame: bytes) -> bytes | None:
        """The answer to a frame, anticollision included."""
        if frame in (b"\x26", b"\x52"):
            self.reset()
            return bytes([0x04 | (len(self._levels) - 1) << 6, 0x03 if self.sak & 0x20 else 0x00])
        if frame[:1] in (b"\x93", b"\x95", b"\x97") and len(frame) >= 2:
            level = (frame[0] - 0x93) // 2
            if level >= len(self._levels):
                return None
            if frame[1] == 0x20:
                return self._levels[level]
            if frame[1] == 0x70 and frame[2:7] == self._levels[level]:
                return bytes([0x04 if level < len(self._levels) - 1 else self.sak])
            return None
        return self.command(frame) if frame else None

    def command(self, frame: bytes) -> bytes | None:  # noqa: ARG002 - a bare UID has nothing more to say
        """The selected tag's answer."""
        return None


class Type2Tag(TypeATag):
    """An NTAG213, 215 or 216, whichever the message fits."""

    _SIZES = ((0x12, 0x0F), (0x3E, 0x11), (0x6D, 0x13))

    def __init__(self, uid: bytes, message: bytes | None) -> None:
        super().__init__(uid)
        length = len(message or b"")
        tlv_length = bytes([length]) if length < 0xFF else struct.pack(">BH", 0xFF, length)
        data = b"\x03" + tlv_length + (message or b"") + b"\xfe"
        fitting = [size for size in self._SIZES if len(data) <= size[0] * 8]
        if not fitting:
            raise ValueError("message too long for an NTAG216")
        capacity, storage = fitting[0]
        header = b"".join(self._levels)[:9].ljust(9, b"\x00") + b"\x48\x00\x00"
        container = bytes([0xE1, 0x10, capacity, 0x00])
        self.memory = header + container + data.ljust(capacity * 8, b"\x00") + bytes(20)
        self._version = bytes([0x00, 0x04, 0x04, 0x02, 0x01, 0x00, storage, 0x03])

    def command(self, frame: bytes) -> bytes | None:
        """READ and GET_VERSION; anything else is refused."""
        if frame[0] == 0x30 and len(frame) == 2 and frame[1] * 4 < len(self.memory):
            return (self.memory + self.memory)[frame[1] * 4 : frame[1] * 4 + 16]
        return self._version if frame == b"\x60" else NAK


class Type3Tag:
    """A FeliCa card of one system, and of the NDEF system besides when it holds a message.

    As on real cards the IDm of each system differs, in its first four bits.
    """

    brty = "212F"
    _PMM = bytes.fromhex("01ff000000000000")
    _BLOCKS_A_READ = 4

    def __init__(self, idm: bytes, message: bytes | None, *, system: int = 0x0003) -> None:
        if len(idm) != 8:
            raise ValueError("an IDm has 8 bytes")
        self.systems = [system] if message is None or system == NDEF_SYSTEM else [system, NDEF_SYSTEM]
        self._idms = [bytes([number << 4 | idm[0] & 0x0F]) + idm[1:] for number in range(len(self.systems))]
        self.blocks: list[bytes] = []
        if message is not None:
            padded = message + bytes(-len(message) % 16)
            data = [padded[start : start + 16] for start in range(0, len(padded), 16)]
            self.blocks = [self.attribute_block(len(message), len(data)), *data]

    def attribute_block(self, length: int, blocks: int) -> bytes:
        """The NDEF attribute block: how much there is, and how it may be read."""
        body = struct.pack(">BBBH4xBB", 0x10, self._BLOCKS_A_READ, 0, blocks, 0, 0) + length.to_bytes(3, "big")
        return body + struct.pack(">H", sum(body))

    def reset(self) -> None:
        """A FeliCa card keeps no state that reading needs."""

    def answer(self, frame: bytes) -> bytes | None:
        """Polling and Read Without Encryption, each with its length in front."""
        if not frame or frame[0] != len(frame):
            return None
        body = self._poll(frame) if frame[1:2] == b"\x00" and len(frame) == 6 else self._read(frame)
        return None if body is None else bytes([len(body) + 1]) + body

    def _poll(self, frame: bytes) -> bytes | None:
        for system, idm in zip(self.systems, self._idms, strict=True):
            code = system.to_bytes(2, "big")
            if all(asked in (0xFF, own) for asked, own in zip(frame[2:4], code, strict=True)):
                return b"\x01" + idm + self._PMM + (code if frame[4] == 1 else b"")
        return None

    def _read(self, frame: bytes) -> bytes | None:
        idm, service = frame[2:10], frame[10:13]
        if frame[1:2] != b"\x06" or idm not in self._idms or service != b"\x01\x0b\x00" or len(frame) < 14:
            return None
        blocks = self._asked_blocks(frame[14:])
        if len(blocks) != frame[13] or not all(block < len(self.blocks) for block in blocks):
            return b"\x07" + idm + b"\x01\xa2"
        return b"\x07" + idm + bytes([0, 0, len(blocks)]) + b"".join(self.blocks[block] for block in blocks)

    @staticmethod
    def _asked_blocks(elements: bytes) -> list[int]:
        blocks, position = [], 0
        while position + 1 < len(elements):
            short = bool(elements[position] & 0x80)
            blocks.append(
                elements[position + 1] if short else int.from_bytes(elements[position + 1 : position + 3], "little")
            )
            position += 2 if short else 3
        return blocks


class Type4Tag(TypeATag):
    """An ISO-DEP card with the NDEF application when it holds a message, and without when not."""

    sak = 0x20
    _ATS = bytes.fromhex("0578808002")
    _LARGEST_READ = 0x80

    def __init__(self, uid: bytes, message: bytes | None) -> None:
        super().__init__(uid)
        self.files: dict[bytes, bytes] = {}
        if message is not None:
            size = max(0x100, len(message) + 2)
            container = struct.pack(">HBHHBB", 15, 0x20, self._LARGEST_READ, 0x34, 4, 6)
            self.files[b"\xe1\x03"] = container + struct.pack(">2sHBB", b"\xe1\x04", size, 0x00, 0xFF)
            self.files[b"\xe1\x04"] = struct.pack(">H", len(message)) + message
        self._file: bytes | None = None
        self._sent = b""

    def reset(self) -> None:
        """Leave the application and its files."""
        self._file, self._sent = None, b""

    def command(self, frame: bytes) -> bytes | None:
        """Blocks of ISO 14443-4: RATS, I-blocks, R-blocks, DESELECT."""
        if frame[0] == 0xE0:
            return self._ATS
        if frame[0] & 0xEE == 0x02:
            self._sent = bytes([0x02 | frame[0] & 0x01]) + self.apdu(frame[1:])
            return self._sent
        if frame[0] & 0xE6 == 0xA2:
            repeat = bool(self._sent) and self._sent[0] & 0x01 == frame[0] & 0x01
            return self._sent if repeat else bytes([0xA2 | ~frame[0] & 0x01])
        return frame if frame[0] == 0xC2 else None

    def apdu(self, command: bytes) -> bytes:
        """SELECT of the application and its files, and READ BINARY."""
        if command[:4] == b"\x00\xa4\x04\x00":
            return _OK if self.files and command[5:12] == bytes.fromhex("d2760000850101") else _NOT_FOUND
        if command[:3] == b"\x00\xa4\x00":
            self._file = self.files.get(command[5:7])
            return _NOT_FOUND if self._file is None else _OK
        if command[:2] == b"\x00\xb0" and len(command) == 5 and self._file is not None:
            offset = int.from_bytes(command[2:4], "big")
            return self._file[offset : offset + (command[4] or 0x100)] + _OK
        return b"\x6d\x00"
