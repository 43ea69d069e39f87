"""The parts of Tadaima that take bytes from outside, each as it takes them in service.

Each part takes spoilt bytes as it would take sound ones, may refuse them in the one way that it declares, and must take
sound ones right after.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import ndef
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import kiosk.config
import server.config
from attendance import wire
from attendance.cards import parse_card
from attendance.clock import from_ms
from attendance.errors import CardFormatError, SettingsError, WireError
from attendance.records import JournalLine, line_hash, read_line
from attendance.signatures import sign
from bench.hostile_seeds import (
    ATRS,
    CARDS,
    CHILD_MESSAGES,
    JPEGS,
    KEY_EVENTS,
    KIOSK_TOML,
    LINES,
    MESSAGES,
    NDEF_MESSAGES,
    SERVER_TOML,
    TAGS,
)
from bench.sync_model.database import SqliteFile
from bench.sync_model.server import RealServer
from hardware import mjpeg, reader_messages
from hardware.key_scanner import EVENT, KeyEvent, typed_lines
from hardware.nfc_tag import first_text
from hardware.pcsc_card import Kind, kind_of, read_number, read_type_2, read_type_4
from hardware.pcsc_felica import identify, read_type_3
from hardware.soft_tags import SoftTag, Type2Tag, Type3Tag, Type4Tag
from server.entries import Place, understand

MEMORY = Path("/dev/shm")
_SUCCESS = b"\x90\x00"


@dataclass(frozen=True)
class Part:
    """Something that takes bytes from outside."""

    seeds: Sequence[bytes]
    take: Callable[[bytes], object]
    """Takes spoilt bytes."""
    refuses: tuple[type[Exception], ...]
    still_well: Callable[[], bool]
    """Takes sound bytes and says whether it did so rightly."""


@contextmanager
def parts() -> Iterator[dict[str, Part]]:
    """Give all parts that take bytes from outside."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY, prefix="tadaima-")))
        yield {
            "cards": Part(CARDS, parse_card, (CardFormatError,), lambda: bool(parse_card(CARDS[0]).card_hash)),
            "NDEF messages": Part(NDEF_MESSAGES, first_text, (ndef.DecodeError,), _text_is_read),
            "NFC tags through PC/SC": Part(ATRS, _PcscTags().take, (), _text_is_read),
            "wire messages": Part(list(MESSAGES.values()), _take_message, (WireError,), _messages_are_read),
            "journal lines": Part(LINES, _take_line, (WireError,), _lines_are_read),
            "key events": Part(KEY_EVENTS, _typed, (), lambda: _typed(KEY_EVENTS[0]) == ["TADAIMA"]),
            "messages of a reader's process": Part(
                CHILD_MESSAGES, reader_messages.decode, (ValueError,), _child_is_read
            ),
            "Motion JPEG": _motion_jpeg(),
            "kiosk.toml": _toml(folder / "kiosk.toml", KIOSK_TOML, _load_kiosk),
            "server.toml": _toml(folder / "server.toml", SERVER_TOML, _load_server),
            "signed requests": stack.enter_context(_signed_requests(folder)),
        }


def _text_is_read() -> bool:
    return first_text(NDEF_MESSAGES[0]) == CARDS[0].decode()


class _PcscTags:
    """Spoils what a card's reader makes up of it, and what the card answers."""

    def __init__(self) -> None:
        self._turn = 0

    def take(self, data: bytes) -> None:
        """Read a card whose ATR these bytes are, whose answers they spoil."""
        kind = kind_of(data)
        self._turn += 1
        tag = TAGS[self._turn % len(TAGS)]
        answers = iter(range(len(data)))

        def transmit(command: bytes) -> bytes:
            answer = bytearray(_answer(tag, command))
            at = next(answers, None)
            if at is None:
                return bytes(answer)
            if answer:
                answer[data[at] % len(answer)] = data[-1 - at]
            return bytes(answer[: len(answer) - (data[at] & 1)])

        messages = [read_type_2(transmit), read_type_4(transmit), read_type_3("ACS ACR1252", transmit)]
        messages.append(read_type_3("Sony", transmit))
        read_number(transmit, kind or Kind(None))
        identify("ACS ACR122U", transmit, bytes(8), (0xFFFF, 0x0003))
        for message in messages:
            with suppress(ndef.DecodeError):
                first_text(message or b"")


def _answer(tag: SoftTag, command: bytes) -> bytes:
    """The answer of a card to a reader's command, as PC/SC gives it."""
    if command[:2] == b"\xff\xb0" and isinstance(tag, Type2Tag):
        return (tag.command(bytes([0x30, command[3]])) or b"") + _SUCCESS
    if command[:3] == b"\xff\x00\x00" and isinstance(tag, Type3Tag):
        return (tag.answer(command[5:]) or b"") + _SUCCESS
    if command[:2] == b"\xff\xc2" and isinstance(tag, Type3Tag):
        frame = command[command.find(b"\x95") + 2 : -1]
        answer = tag.answer(frame) or b""
        return b"\x97" + bytes([len(answer)]) + answer + _SUCCESS
    if command[:2] == b"\xff\xca":
        return bytes(8) + _SUCCESS
    return tag.apdu(command) if isinstance(tag, Type4Tag) else b"\x6d\x00"


def _take_message(data: bytes) -> None:
    """Take a message for each kind there is; refused when it is none of them."""
    understood = 0
    for kind in MESSAGES:
        with suppress(WireError):
            wire.decode(data, kind)
            understood += 1
    if not understood:
        raise WireError("message", "of no kind")


def _messages_are_read() -> bool:
    return all(wire.encode(wire.decode(body, kind)) == body for kind, body in MESSAGES.items())


def _take_line(data: bytes) -> None:
    """Read a line on the kiosk, and on the server, which never refuses one."""
    text = data.decode(errors="surrogateescape")
    with suppress(UnicodeEncodeError):
        understand(JournalLine(text, line_hash(text)), Place("s", 0, ""))
    understand(JournalLine(text, "no hash"), Place("s", 0, ""))
    read_line(JournalLine(text, line_hash(data.decode(errors="replace"))))


def _lines_are_read() -> bool:
    return all(read_line(JournalLine(line.decode(), line_hash(line.decode()))) for line in LINES)


def _typed(data: bytes) -> list[str]:
    whole = len(data) // EVENT.size * EVENT.size
    return list(typed_lines(KeyEvent(*event[2:]) for event in EVENT.iter_unpack(data[:whole])))


def _child_is_read() -> bool:
    return all(reader_messages.encode(reader_messages.decode(each)).strip() == each for each in CHILD_MESSAGES)


def _motion_jpeg() -> Part:
    cutter = mjpeg.JpegCutter(largest_bytes=100_000)

    def take(data: bytes) -> None:
        cutter.feed(data)
        assert cutter.held_bytes <= 100_000 + len(data), "holds more than it may"

    def well() -> bool:
        # A length in what is spoilt may claim 65,537 bytes; what is sound after those is found.
        return cutter.feed(JPEGS[0] * (140_000 // len(JPEGS[0])))[-1:] == [JPEGS[0]]

    return Part(JPEGS, take, (), well)


def _toml(file: Path, seeds: Sequence[bytes], load: Callable[[Path], object]) -> Part:
    def take(data: bytes) -> object:
        file.write_bytes(data)
        return load(file)

    def well() -> bool:
        return all(take(each) for each in seeds)

    return Part(seeds, take, (SettingsError,), well)


def _load_kiosk(file: Path) -> object:
    return kiosk.config.load(file, environ={}, flags={})


def _load_server(file: Path) -> object:
    return server.config.load_settings(file, environ={})


@contextmanager
def _signed_requests(folder: Path) -> Iterator[Part]:
    """The server's own interface, asked by a kiosk that is enrolled and faulty."""
    real = RealServer(folder, SqliteFile(folder))
    client = real.app.test_client()
    key = Ed25519PrivateKey.generate()
    real.enrol(key.public_key())
    sound = {
        wire.OFFER_PATH: MESSAGES[wire.OfferRequest],
        wire.ENTRIES_PATH: MESSAGES[wire.EntriesRequest],
    }

    def post(path: str, body: bytes) -> int:
        signed = sign("POST", path, body, key=key, created=from_ms(real.clock.read().wall_ms))
        return client.post(path, data=body, headers=signed).status_code

    def take(data: bytes) -> None:
        for path in sound:
            status = post(path, data)
            assert status in (200, 400, 413), f"{path} answered {status}"

    def well() -> bool:
        return all(post(path, body) == 200 for path, body in sound.items())

    try:
        yield Part(list(sound.values()), take, (), well)
    finally:
        real.close()
