"""FeliCa on PC/SC readers: each make lets the frames of a card through in a way of its own, or does not.

A FeliCa card is known by a system and its IDm there; PC/SC tells an IDm alone, so the card is asked for the rest.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from hardware.nfc_identity import ANY_SYSTEM, CardIdentity, identity_of_idm
from hardware.pcsc_card import Transmit, data_of

Frames = Callable[[bytes], bytes | None]
"""The card's answer to a frame, both with their length in front; None for silence."""

NDEF_SYSTEM = 0x12FC
_POLLS = 3
_START_SESSION = bytes.fromhex("ffc20000028100")
_END_SESSION = bytes.fromhex("ffc20000028200")
_SWITCH_TO_FELICA = bytes.fromhex("ffc20002048f02030000")
_ANSWER_TIME = bytes.fromhex("5f4604a0860100")
"""100 ms, in microseconds, lowest byte first."""
_SENT, _RECEIVED = 0x95, 0x97
_LIST_SYSTEMS = bytes.fromhex("ff4a000000")
_BLOCK_BYTES = 16
_MOST_BLOCKS_A_READ = 4


class NotCarried(Exception):
    """The reader does not let frames through in the way that was tried."""


@contextmanager
def frames(reader: str, transmit: Transmit) -> Iterator[Frames]:
    """Turn to the card by itself, in the way of the reader whose name in pcscd this is. Raises: NotCarried.

    Source: the API manuals of ACR122U (D4 42 as nfcpy sends it) and ACR1252U (FF 00 00 00 and the frame); PC/SC part 3,
    supplement 2, for everyone else (the transparent session, which Sony's readers know).
    """
    if "ACR122" in reader:
        yield lambda frame: _through_pn532(transmit, frame)
    elif "ACR125" in reader:
        yield lambda frame: _directly(transmit, frame)
    else:
        if data_of(transmit(_START_SESSION)) is None:
            raise NotCarried
        try:
            if data_of(transmit(_SWITCH_TO_FELICA)) is None:
                raise NotCarried
            yield lambda frame: _through_session(transmit, frame)
        finally:
            transmit(_END_SESSION)


def identify(reader: str, transmit: Transmit, idm: bytes, system_codes: Sequence[int]) -> CardIdentity | None:
    """The card's identity in the first of the systems that it answers for; None when it answers for none.

    Where the reader lets no frames through, the IDm that it tells stands under the code of any system.
    """
    try:
        with frames(reader, transmit) as exchange:
            for code in system_codes:
                found = poll(exchange, code)
                if found is not None:
                    return identity_of_idm(found[0], code if found[1] is None else found[1])
            return None
    except NotCarried:
        first = _first_system(transmit)
        wanted = first in system_codes or ANY_SYSTEM in system_codes
        return identity_of_idm(idm, ANY_SYSTEM if first is None else first) if wanted else None


def read_type_3(reader: str, transmit: Transmit) -> bytes | None:
    """The NDEF message of a FeliCa card, or None when it has none that is whole, or the reader cannot tell."""
    try:
        with frames(reader, transmit) as exchange:
            found = poll(exchange, NDEF_SYSTEM)
            return None if found is None else _message(exchange, found[0])
    except NotCarried:
        return None


def poll(exchange: Frames, code: int) -> tuple[bytes, int | None] | None:
    """A card's IDm in the system polled for, and that system's own code if it tells; None when it does not answer."""
    for _ in range(_POLLS):
        answer = exchange(b"\x06\x00" + code.to_bytes(2, "big") + b"\x01\x00")
        if answer is not None and len(answer) >= 18 and answer[1] == 0x01:
            return answer[2:10], int.from_bytes(answer[18:20], "big") if len(answer) >= 20 else None
    return None


def _message(exchange: Frames, idm: bytes) -> bytes | None:
    attributes = _read_blocks(exchange, idm, range(1))
    if attributes is None or int.from_bytes(attributes[14:16], "big") != sum(attributes[:14]):
        return None
    at_once = min(attributes[1], _MOST_BLOCKS_A_READ)
    blocks = int.from_bytes(attributes[3:5], "big")
    length = int.from_bytes(attributes[11:14], "big")
    needed = -(-length // _BLOCK_BYTES)
    if at_once == 0 or length == 0 or needed > blocks:
        return None
    message = b""
    for first in range(1, needed + 1, at_once):
        part = _read_blocks(exchange, idm, range(first, min(first + at_once, needed + 1)))
        if part is None:
            return None
        message += part
    return message[:length]


def _read_blocks(exchange: Frames, idm: bytes, blocks: range) -> bytes | None:
    """Blocks of the NDEF service, by Read Without Encryption."""
    listed = b"".join(
        bytes([0x80, block]) if block < 0x100 else b"\x00" + block.to_bytes(2, "little") for block in blocks
    )
    body = b"\x06" + idm + b"\x01\x0b\x00" + bytes([len(blocks)]) + listed
    answer = exchange(bytes([len(body) + 1]) + body)
    size = 13 + len(blocks) * _BLOCK_BYTES
    if answer is None or len(answer) < size or answer[1:2] != b"\x07" or answer[10:13] != bytes([0, 0, len(blocks)]):
        return None
    return answer[13:size]


def _directly(transmit: Transmit, frame: bytes) -> bytes | None:
    return data_of(_carried(transmit, frame)) or None


def _through_pn532(transmit: Transmit, frame: bytes) -> bytes | None:
    answer = data_of(_carried(transmit, b"\xd4\x42" + frame)) or b""
    return answer[3:] if answer[:3] == b"\xd5\x43\x00" else None


def _carried(transmit: Transmit, data: bytes) -> bytes:
    answer = transmit(b"\xff\x00\x00\x00" + bytes([len(data)]) + data)
    if answer[-2:-1] in (b"\x6a", b"\x6d", b"\x6e"):  # not known, where 63 00 is the card's silence
        raise NotCarried
    return answer


def _through_session(transmit: Transmit, frame: bytes) -> bytes | None:
    data = _ANSWER_TIME + bytes([_SENT, len(frame)]) + frame
    answer = data_of(transmit(b"\xff\xc2\x00\x01" + bytes([len(data)]) + data + b"\x00"))
    if answer is None:
        raise NotCarried
    position = 0
    while position + 2 <= len(answer):
        tag, length = answer[position], answer[position + 1]
        if tag == _RECEIVED:
            return answer[position + 2 : position + 2 + length]
        position += 2 + length
    return None


def _first_system(transmit: Transmit) -> int | None:
    """The code of the card's first system by the list that Identiv's readers give of them; None from other readers.

    Source: reference manual of the uTrust and CLOUD readers, PAPDU_FELICA_SYS_CODE: IDm, count, codes.
    """
    answer = data_of(transmit(_LIST_SYSTEMS))
    return int.from_bytes(answer[9:11], "big") if answer is not None and len(answer) >= 11 and answer[8] else None
