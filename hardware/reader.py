"""What a card reader is: step 1 of the straight line, from a card in the field to a `RawRead`."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Medium(StrEnum):
    """What a payload is, and so how it is to be parsed."""

    QR = "qr"
    """Payload: the bytes of a QR code."""
    NFC_TEXT = "nfc_text"
    """Payload: the UTF-8 text of a tag's NDEF text record."""
    NFC_UID = "nfc_uid"
    """Payload: the UID of an ISO 14443 tag, 4, 7 or 10 bytes."""
    NFC_RANDOM_UID = "nfc_random_uid"
    """Payload: empty. A phone or card that shows a new UID each time; it cannot be anybody's card."""
    FELICA_IDM = "felica_idm"
    """Payload: 2 bytes of system code and 8 bytes of IDm."""
    KEYS = "keys"
    """Payload: the line a keyboard-wedge scanner typed."""


class TagType(StrEnum):
    """What an NFC tag is to the reader, for whoever sets one up; the door itself does not care."""

    TYPE_1 = "type_1"
    TYPE_2 = "type_2"
    TYPE_3 = "type_3"
    """FeliCa."""
    TYPE_4 = "type_4"
    MIFARE_CLASSIC = "mifare_classic"


@dataclass(frozen=True, slots=True)
class RawRead:
    """One card seen once by one reader; the payload is kept out of `repr` since it may hold a token."""

    medium: Medium
    payload: bytes = field(repr=False)
    reader: str
    """The reader's name in kiosk.toml."""
    read_at_ns: int
    """CLOCK_BOOTTIME when the payload was known, in nanoseconds."""
    tag: TagType | None = None
    """None for what is no NFC tag, or a tag whose type the reader does not tell."""


class CardReader(Protocol):
    """A device that reads cards; one thread opens it and iterates, any thread may close it.

    A card held still is read once; it is read again only after it has been gone for the driver's hold-off.
    """

    name: str

    def open(self) -> None:
        """Take the device. Raises: ReaderLost when it is not there, DriverMissing when its library is not."""
        ...

    def reads(self) -> Iterator[RawRead]:
        """Block and yield reads until closed or, for recorded input, until it ends. Raises: ReaderLost."""
        ...

    def close(self) -> None:
        """Let go of the device; a blocked `reads` ends within 1.2 s. Idempotent; never raises. Thread: any.

        An `open` that is still under way may not notice: whoever opens asks afterwards whether it is still wanted.
        """
        ...


def boot_ns() -> int:
    """Nanoseconds since boot, counting suspend (CLOCK_BOOTTIME)."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
