"""What a reader's own process tells the door that started it: one JSON object a line (step 1 of the line).

`hardware.reader_child` writes them, `hardware.supervised` reads them; both always come from the same release.
"""

import msgspec

from hardware.reader import RawRead

LONGEST_BYTES = 256 * 1024
"""Of a line. The longest text that an NFC tag may be asked for has half of it."""


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The driver has its device."""

    silence_s: float | None
    """No message for longer than this means that the driver hangs; None for a driver that may rightly be silent."""


class Read(msgspec.Struct, frozen=True, tag="read"):
    """A card was read."""

    raw: RawRead


class Alive(msgspec.Struct, frozen=True, tag="alive"):
    """The driver's own loop went round."""


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """A recording came to its end, or the reader was closed."""


class Lost(msgspec.Struct, frozen=True, tag="lost"):
    """ReaderLost, in the other process."""

    reason: str


class Missing(msgspec.Struct, frozen=True, tag="missing"):
    """DriverMissing, in the other process."""

    driver: str
    remedy: str


Message = Opened | Read | Alive | Ended | Lost | Missing

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def encode(message: Message) -> bytes:
    """The message as a line, its end included."""
    return _encoder.encode(message) + b"\n"


def decode(line: bytes) -> Message:
    """The message of a line, without its end. Raises: ValueError, which does not quote the line."""
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError("not a message of a reader's process") from error
