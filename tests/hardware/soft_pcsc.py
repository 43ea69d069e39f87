"""Soft tags on a PC/SC reader: cards for vpcd, pcscd's virtual reader, and the reader's own part in them.

vpcd asks a card for its ATR and to answer APDUs; for tags that know none, a real reader makes both up (PC/SC part 3).
The reader's name in pcscd's configuration decides how `nfc_pcsc` carries FeliCa frames; `Carriage` must fit it.
"""

import contextlib
import socket
import struct
import threading
import time
from enum import Enum, auto
from functools import reduce
from operator import xor
from types import TracebackType
from typing import Self

from hardware.soft_tags import NAK, SoftTag, Type2Tag, Type3Tag, Type4Tag, TypeATag

_LOOPBACK = "127.0.0.1"
_OK = b"\x90\x00"
_NOT_SUPPORTED = b"\x6a\x81"
_FAILED = b"\x63\x00"
_ATR_REQUEST = b"\x04"
"""The other requests of one byte, power off, on and reset, have no answer."""
_RETRY_S = 0.02


class Carriage(Enum):
    """How a reader lets FeliCa frames through."""

    TRANSPARENT = auto()
    """By PC/SC's transparent session, as Sony's readers."""
    DIRECT = auto()
    """As the data of one pseudo-APDU, as the ACR1252U."""
    PN532 = auto()
    """Within a command of the PN532 chip, as the ACR122U."""
    SYSTEM_LIST = auto()
    """Not at all, but for the list of the card's systems, as Identiv's readers."""
    NONE = auto()


class PcscCard:
    """A soft tag as a PC/SC reader shows it to the computer."""

    def __init__(
        self, tag: SoftTag, carriage: Carriage = Carriage.TRANSPARENT, *, card_name: int | None = None
    ) -> None:
        self.tag = tag
        self._carriage = carriage
        self._session = False
        self.atr = _atr(tag, card_name)

    def answer(self, apdu: bytes) -> bytes | None:
        """The answer to an APDU, its status word included; None for one that never comes."""
        match apdu[:4]:
            case b"\xff\xca\x00\x00":
                return self._number() + _OK
            case b"\xff\xca\x01\x00":
                return b"\x80" + _OK if isinstance(self.tag, Type4Tag) else _NOT_SUPPORTED
            case b"\xff\xc2\x00\x00" | b"\xff\xc2\x00\x01" | b"\xff\xc2\x00\x02":
                return self._transparent(apdu) if self._carriage is Carriage.TRANSPARENT else _NOT_SUPPORTED
            case b"\xff\x00\x00\x00":
                return self._direct(apdu[5 : 5 + apdu[4]])
            case b"\xff\x4a\x00\x00" if self._carriage is Carriage.SYSTEM_LIST and isinstance(self.tag, Type3Tag):
                codes = b"".join(code.to_bytes(2, "big") for code in self.tag.systems)
                return self._number() + bytes([len(self.tag.systems)]) + codes + _OK
        if apdu[:2] == b"\xff\xb0":
            return self._memory(apdu)
        return self.tag.apdu(apdu) if isinstance(self.tag, Type4Tag) and apdu[:1] == b"\x00" else _NOT_SUPPORTED

    def _number(self) -> bytes:
        if isinstance(self.tag, TypeATag):
            return self.tag.uid
        return (self.tag.answer(bytes.fromhex("0600ffff0000")) or b"")[2:10]

    def _memory(self, apdu: bytes) -> bytes | None:
        if not isinstance(self.tag, Type2Tag):
            return _NOT_SUPPORTED
        data = self.tag.command(bytes([0x30, apdu[3]]))
        if data is None:
            return _FAILED
        return _FAILED if data == NAK else data[: apdu[4]] + _OK

    def _transparent(self, apdu: bytes) -> bytes:
        done = b"\xc0\x03\x00\x90\x00"
        if apdu[3] == 0x00:
            self._session = apdu[5] == 0x81
            return done + _OK
        if apdu[3] == 0x02:
            return done + _OK if self._session else _FAILED
        begin = apdu.index(b"\x95") + 2
        frame = self._frame(apdu[begin : begin + apdu[begin - 1]]) if self._session else None
        if frame is None:
            return b"\xc0\x03\x02\x64\x01" + _OK
        return done + b"\x92\x01\x00\x96\x02\x00\x00\x97" + bytes([len(frame)]) + frame + _OK

    def _direct(self, data: bytes) -> bytes:
        if self._carriage is Carriage.DIRECT:
            frame = self._frame(data)
            return _FAILED if frame is None else frame + _OK
        if self._carriage is Carriage.PN532 and data[:2] == b"\xd4\x42":
            frame = self._frame(data[2:])
            return b"\xd5\x43\x01" + _OK if frame is None else b"\xd5\x43\x00" + frame + _OK
        return _NOT_SUPPORTED

    def _frame(self, frame: bytes) -> bytes | None:
        return self.tag.answer(frame) if isinstance(self.tag, Type3Tag) else None


def _atr(tag: SoftTag, card_name: int | None) -> bytes:
    """The ATR that PC/SC part 3 has a reader make up for a tag."""
    if isinstance(tag, Type4Tag):
        body = b"\x81\x80\x01\x80"
    else:
        felica = isinstance(tag, Type3Tag)
        name = card_name if card_name is not None else 0x003B if felica else 0x0003
        body = bytes.fromhex("8f8001804f0ca000000306") + bytes([0x11 if felica else 0x03]) + struct.pack(">H4x", name)
    return b"\x3b" + body + bytes([reduce(xor, body)])


class SoftSlot:
    """What lies on vpcd's reader at `127.0.0.1:<port>`: a context manager that answers on a thread of its own.

    vpcd looks every 0.4 s whether there is a card. `lay` and `lift` may be called from any thread.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._changed = threading.Condition()
        self._card: PcscCard | None = None
        self._connection: socket.socket | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="soft-slot", daemon=True)

    def lay(self, card: PcscCard) -> None:
        """Lay a card on the reader in place of what lay there."""
        card.tag.reset()
        self._change(card)

    def lift(self) -> None:
        """Take the card away, in the middle of an exchange if need be."""
        self._change(None)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._changed:
            self._closed = True
        self._change(None)
        self._thread.join()

    def _change(self, card: PcscCard | None) -> None:
        with self._changed:
            self._card = card
            if self._connection is not None:
                with contextlib.suppress(OSError):  # vpcd may have gone first
                    self._connection.shutdown(socket.SHUT_RDWR)  # for vpcd, a card taken away
            self._changed.notify_all()

    def _serve(self) -> None:
        """Connect for each card that is laid, and again when pcscd was restarted under it."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._card is not None)
                if self._closed:
                    return
            try:
                connection = socket.create_connection((_LOOPBACK, self._port))
            except OSError:  # pcscd does not run
                time.sleep(_RETRY_S)
                continue
            with connection:
                with self._changed:
                    card, self._connection = self._card, connection
                if card is not None:
                    with contextlib.suppress(OSError):
                        _talk(connection, card)
                with self._changed:
                    self._connection = None


def _talk(connection: socket.socket, card: PcscCard) -> None:
    """Answer vpcd until one of the two hangs up. Messages have their length, two bytes, in front. Raises: OSError."""
    with connection.makefile("rb") as stream:
        while True:
            # vpcd sends length and message apart, and waits with the second until the first is acknowledged.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            header = stream.read(2)
            if len(header) < 2:
                return
            message = stream.read(int.from_bytes(header, "big"))
            if len(message) > 1:
                answer = card.answer(message)
            elif message == _ATR_REQUEST:
                answer = card.atr
            else:
                continue
            if answer is not None:
                connection.sendall(struct.pack(">H", len(answer)) + answer)
