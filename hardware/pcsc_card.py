"""What a card on a PC/SC reader is and says, through pseudo-APDUs (PC/SC part 3) and APDUs: its kind, number and text.

Knows neither pcscd nor any reader: `Transmit` carries an APDU there and back. FeliCa is in `pcsc_felica`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hardware.nfc_identity import UID_SIZES_BYTES
from hardware.reader import TagType

Transmit = Callable[[bytes], bytes]
"""The answer to an APDU, ending in its status word of two bytes."""

_STORAGE_CARD = bytes.fromhex("804f")
_PCSC_WORKGROUP = bytes.fromhex("a000000306")
_TYPE_A_PART_3 = 0x03
_UNSPECIFIED = 0x00
_FELICA = 0x11
_FELICA_NAMES = {0x003B, 0xF011, 0xF012}
"""The last two are the ACR122U's own."""
_TYPE_1_NAMES = {0x002F, 0x0030, 0xF004}
_CLASSIC_NAMES = {0x0001, 0x0002, 0x0026, 0x0036, 0x0037, 0x0038, 0x0039, 0xFF08, 0xFF09, 0xFF18, 0xFF28, 0xFF88}
"""Classic 1K, 4K and Mini, Plus at the security levels that are like Classic, and SAKs as the ACR122U shows them."""
_TYPE_B_HISTORICAL_BYTES = 8

_GET_NUMBER = bytes.fromhex("ffca000000")
_GET_HISTORICAL_BYTES = bytes.fromhex("ffca010000")
_PAGE_BYTES = 4
_READ_BYTES = 16
_FIRST_DATA_PAGE = 4
_CONTAINER_PAGE = 3
_NDEF_MAGIC = 0xE1
_LAST_PAGE = 0xFF

_SELECT_APPLICATION = bytes.fromhex("00a4040007d276000085010100")
_CONTAINER_FILE = b"\xe1\x03"
_CONTAINER_BYTES = 15
_LARGEST_READ = 0xFF


@dataclass(frozen=True, slots=True)
class Kind:
    """What the ATR tells of a contactless card."""

    tag: TagType | None
    iso_dep: bool = False
    """It speaks ISO 14443-4, with type A or B below it."""
    historical_bytes: int = 0

    @property
    def may_hold_text(self) -> bool:
        """Whether it is worth asking for an NDEF message."""
        return self.tag not in (TagType.MIFARE_CLASSIC, TagType.TYPE_1)


def kind_of(atr: bytes) -> Kind | None:
    """What a card is by the ATR that its reader made up; None for a contact card or one of no use here."""
    if len(atr) < 4 or atr[0] != 0x3B or atr[1] & 0xF0 != 0x80 or atr[2:4] != b"\x80\x01":
        return None
    if atr[4:6] != _STORAGE_CARD or atr[7:12] != _PCSC_WORKGROUP or len(atr) < 15:
        return Kind(TagType.TYPE_4, iso_dep=True, historical_bytes=atr[1] & 0x0F)
    standard, name = atr[12], int.from_bytes(atr[13:15], "big")
    if standard == _FELICA or name in _FELICA_NAMES:
        return Kind(TagType.TYPE_3)
    if standard not in (_TYPE_A_PART_3, _UNSPECIFIED):
        return None
    if name in _TYPE_1_NAMES:
        return Kind(TagType.TYPE_1)
    return Kind(TagType.MIFARE_CLASSIC if name in _CLASSIC_NAMES else TagType.TYPE_2)


def read_number(transmit: Transmit, kind: Kind) -> bytes | None:
    """The UID of a type A card or the IDm of a FeliCa card; None for none, and for a card of type B.

    Type B cards have numbers of four bytes too, which most make up anew each time; their ATR looks like one of type A.
    """
    number = data_of(transmit(_GET_NUMBER))
    if number is None or (kind.iso_dep and len(number) == UID_SIZES_BYTES[0] and _may_be_type_b(transmit, kind)):
        return None
    return number


def _may_be_type_b(transmit: Transmit, kind: Kind) -> bool:
    if kind.historical_bytes != _TYPE_B_HISTORICAL_BYTES:
        return False
    return data_of(transmit(_GET_HISTORICAL_BYTES)) is None  # an answer comes from an ATS, which only type A has


def data_of(answer: bytes) -> bytes | None:
    """The data of an answer; None when its status word is not that of success."""
    return answer[:-2] if answer[-2:] == b"\x90\x00" else None


def read_type_2(transmit: Transmit) -> bytes | None:
    """The NDEF message of a Type 2 tag, or None when it has none that is whole."""
    container = data_of(transmit(_read_pages(_CONTAINER_PAGE)))
    if container is None or len(container) < _PAGE_BYTES or container[0] != _NDEF_MAGIC:
        return None
    return _Type2Memory(transmit, size_bytes=container[2] * 8).message()


def _read_pages(page: int) -> bytes:
    return bytes([0xFF, 0xB0, 0x00, page, _READ_BYTES])


class _Type2Memory:
    """A Type 2 tag's data area, read when needed and walked without the bytes that are reserved in it."""

    def __init__(self, transmit: Transmit, size_bytes: int) -> None:
        self._transmit = transmit
        self._end = _FIRST_DATA_PAGE * _PAGE_BYTES + size_bytes
        self._blocks: dict[int, bytes] = {}
        self._position = _FIRST_DATA_PAGE * _PAGE_BYTES
        self._reserved: list[range] = []

    def message(self) -> bytes | None:
        """The value of the NDEF TLV, or None."""
        while (tag := self._next()) is not None and tag != 0xFE:
            if tag == 0x00:
                continue
            length = self._length()
            if length is None:
                return None
            value = self._take(length)
            if value is None or tag == 0x03:
                return value
            if tag in (0x01, 0x02) and length == 3:
                self._reserved.append(_reserved_bytes(value, bits=tag == 0x01))
        return None

    def _length(self) -> int | None:
        length = self._next()
        if length != 0xFF:
            return length
        long = self._take(2)
        return None if long is None else int.from_bytes(long, "big")

    def _take(self, count: int) -> bytes | None:
        if self._position + count > self._end:
            return None
        taken = bytearray()
        while len(taken) < count:
            byte = self._next()
            if byte is None:
                return None
            taken.append(byte)
        return bytes(taken)

    def _next(self) -> int | None:
        """The next byte that is not reserved; None at the end, or when the tag does not give it."""
        while any(self._position in reserved for reserved in self._reserved):
            self._position += 1
        if self._position >= self._end:
            return None
        start = self._position - self._position % _READ_BYTES
        if start not in self._blocks:
            page = start // _PAGE_BYTES
            block = data_of(self._transmit(_read_pages(page))) if page <= _LAST_PAGE else None
            if block is None or len(block) < _READ_BYTES:
                return None
            self._blocks[start] = block
        self._position += 1
        return self._blocks[start][self._position - 1 - start]


def _reserved_bytes(value: bytes, *, bits: bool) -> range:
    """The bytes that a lock control (size in bits) or memory control TLV (in bytes) reserves."""
    start = (value[0] >> 4) * (1 << (value[2] & 0x0F)) + (value[0] & 0x0F)
    size = value[1] or 0x100
    return range(start, start + (-(-size // 8) if bits else size))


def read_type_4(transmit: Transmit) -> bytes | None:
    """The NDEF message of a Type 4 tag, or None when it has no NDEF application, file or whole message."""
    if data_of(transmit(_SELECT_APPLICATION)) is None or not _select_file(transmit, _CONTAINER_FILE):
        return None
    container = _read_binary(transmit, 0, _CONTAINER_BYTES)
    # Version 2 and above: the largest read is at 3, the NDEF file's TLV begins at 7.
    if container is None or len(container) < _CONTAINER_BYTES or container[7] != 0x04 or container[13] != 0x00:
        return None
    largest_read = min(int.from_bytes(container[3:5], "big"), _LARGEST_READ)
    largest_message = int.from_bytes(container[11:13], "big") - 2
    if not _select_file(transmit, container[9:11]):
        return None
    header = _read_binary(transmit, 0, 2)
    length = int.from_bytes(header, "big") if header is not None and len(header) == 2 else 0
    if largest_read == 0 or not 0 < length <= largest_message:
        return None
    message = b""
    while len(message) < length:
        part = _read_binary(transmit, 2 + len(message), min(largest_read, length - len(message)))
        if not part:
            return None
        message += part
    return message[:length]


def _select_file(transmit: Transmit, name: bytes) -> bool:
    return data_of(transmit(b"\x00\xa4\x00\x0c\x02" + name)) is not None


def _read_binary(transmit: Transmit, offset: int, count: int) -> bytes | None:
    if offset > 0x7FFF:  # beyond lies another form of the command
        return None
    return data_of(transmit(b"\x00\xb0" + offset.to_bytes(2, "big") + bytes([count])))
