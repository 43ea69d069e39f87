"""Sound inputs of every kind, to be spoilt."""

from datetime import date

import cv2
import msgspec
import numpy as np

from attendance.cards import CardForm, CardRef, CardToken
from attendance.chain import place
from attendance.clock import ClockReading, ClockState
from attendance.names import SealedNames
from attendance.policy import Policy
from attendance.presence import Movement
from attendance.records import (
    Body,
    ClockStepped,
    Direction,
    Head,
    JournalLine,
    MadeBy,
    Moved,
    RecordDraft,
    SessionOpened,
    Undone,
    UnknownCard,
)
from attendance.roster import Animal, Colour, Holder, Mark
from attendance.wire import (
    EnrolRequest,
    EnrolResponse,
    EntriesRequest,
    ErrorCode,
    ErrorResponse,
    Health,
    KioskNow,
    OfferRequest,
    OfferResponse,
    PresencePart,
    Problem,
    Receipt,
    RosterPart,
    StateResponse,
    Want,
    encode,
)
from hardware.key_scanner import EV_KEY, EVENT
from hardware.reader import Medium, RawRead, TagType
from hardware.reader_messages import Alive, Ended, Lost, Message, Missing, Opened, Read
from hardware.reader_messages import encode as encode_for_door
from hardware.soft_tags import SoftTag, Type2Tag, Type3Tag, Type4Tag, ndef_message

_AT = ClockReading(wall_ms=1_775_012_400_000, wall_err_ms=12, boot_ns=90_000_000_000, state=ClockState.NTP)
_CARD = CardRef(card_hash="cd" * 32, form=CardForm.IDM)
_SESSION = "5e551010000000000000000000000001"
_BODIES: tuple[Body, ...] = (
    SessionOpened(boot="b0" * 16, app="0.1.0", key="d8" * 16, heads=(Head("5e55", 41, "ab" * 32),)),
    Moved(child="child-1", direction=Direction.ENTRY, by=MadeBy.CARD, card=_CARD),
    Undone(seq=1),
    UnknownCard(card=_CARD),
    ClockStepped(step_ms=-86_400_000),
)


def _chain() -> list[JournalLine]:
    lines: list[JournalLine] = []
    head: Head | None = None
    for body in _BODIES:
        record, line = place(RecordDraft(body=body, at=_AT), kiosk="kiosk-1", session=_SESSION, after=head)
        head = Head(_SESSION, record.seq, line.hash)
        lines.append(line)
    return lines


def _typed(line: str) -> bytes:
    codes = {**dict(enumerate("qwertyuiop", 16)), **dict(enumerate("asdfghjkl", 30)), **dict(enumerate("zxcvbnm", 44))}
    keys = {letter: code for code, letter in codes.items()}
    pressed = [keys[letter] for letter in line] + [28]
    return b"".join(EVENT.pack(0, 0, EV_KEY, code, value) for code in pressed for value in (1, 0))


def _jpeg(seed: int, height: int, width: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", noise)[1].tobytes())


_TOKEN = CardToken(bytes(range(16)))
CARDS = [_TOKEN.text.encode(), CardToken(b"\xff" * 16).text.encode()]
NDEF_MESSAGES = [
    message
    for message in (
        ndef_message(text=_TOKEN.text),
        ndef_message(uri="https://example.jp/", text=_TOKEN.text),
        ndef_message(text="é" * 100),
        b"\xd1\x01\x05T\x82en\xfe\xff",
        b"\xc1\x01\x00\x00\x00\x05T\x02enA",
    )
    if message is not None
]
_UID = bytes.fromhex("04a1b2c3d4e5f6")
TAGS: list[SoftTag] = [
    Type2Tag(_UID, NDEF_MESSAGES[0]),
    Type3Tag(_UID + b"\x01", NDEF_MESSAGES[0]),
    Type4Tag(_UID, NDEF_MESSAGES[0]),
    Type2Tag(_UID, NDEF_MESSAGES[2]),
]
ATRS = [
    bytes.fromhex("3b8f8001804f0ca000000306030003000000006b"),
    bytes.fromhex("3b8f8001804f0ca0000003061100 3b0000000042".replace(" ", "")),
    bytes.fromhex("3b80800101"),
    bytes.fromhex("3b8880010073c84013009000") + bytes(range(40)),
]
KEY_EVENTS = [_typed("tadaima"), _typed("qwertyuiop"), _typed("a" * 40)]
JPEGS = [_jpeg(1, 48, 64), _jpeg(2, 16, 16), _jpeg(3, 96, 96)]
LINES = [line.line.encode() for line in _chain()]
_RAW = RawRead(Medium.NFC_TEXT, CARDS[0], "front", 90_000_000_000, TagType.TYPE_2)
_CHILD: tuple[Message, ...] = (
    Opened(silence_s=2.5),
    Read(raw=_RAW),
    Alive(),
    Ended(),
    Lost(reason="unplugged"),
    Missing(driver="libusb", remedy="apt"),
)
CHILD_MESSAGES = [encode_for_door(message).strip() for message in _CHILD]
_NAMES = SealedNames(nonce=bytes(12), box=bytes(range(64)))
_MOVEMENT = Movement(id=f"{_SESSION}:1", child="child-1", direction=Direction.ENTRY, at_ms=_AT.wall_ms)
_HEALTH = Health(app="0.1.0", unsent=3, readers={"nfc": "unplugged", "qr": "up"}, problems=("chain_differs",))
_ROSTER = RosterPart("7", (Holder("child-1", Mark(Animal.CAT, Colour.RED), ("aa" * 32,)),), _NAMES)
_HEADS = (Head(_SESSION, 4, "05" * 32),)
MESSAGES: dict[type[msgspec.Struct], bytes] = {
    type(message): encode(message)
    for message in (
        EnrolRequest(code="H7K2M9QXRT", public_key=bytes(range(32)), app="0.1.0"),
        EnrolResponse("kiosk-1", "site-1", "Sakura", Policy(), bytes(32), _AT.wall_ms),
        OfferRequest(now=KioskNow(_SESSION, "b0" * 16, _AT), heads=_HEADS, health=_HEALTH),
        OfferResponse((Want(_SESSION, 2),), _AT.wall_ms, 500, 0, "7", "2026-04-01.12"),
        EntriesRequest(session=_SESSION, from_seq=0, entries=tuple(_chain()), told=1),
        Receipt(_SESSION, 4, "05" * 32, (3,)),
        StateResponse(Policy(), bytes(32), _ROSTER, PresencePart("1", date(2026, 4, 1), _HEADS, (_MOVEMENT,))),
        ErrorResponse(Problem(ErrorCode.BUSY, "wait")),
    )
}
"""An example of each message, by its type."""
KIOSK_TOML = [
    b"""
data_dir = "/var/lib/tadaima-kiosk"
server_url = "https://example.jp"
language = "ja"
[screen]
port = 8750
[greetings]
morning_until = "11:00"
[texts]
"screen.in.title" = "Hello!"
[sync]
interval_s = 2.0
[[readers]]
name = "front"
kind = "qr_camera"
source = "0"
system_codes = [0xFFFF, 3]
[[signals]]
name = "lamp"
kind = "gpio"
green_pin = 17
quiet_from = "18:00"
quiet_until = "08:00"
""",
    b'readers = [{name = "a", kind = "nfc"}]\njournal.busy_timeout_s = 1\n',
]
SERVER_TOML = [
    b"""
data_dir = "/var/lib/tadaima-server"
base_url = "https://example.jp"
languages = ["ja", "en"]
proxies = 1
[bind]
host = "127.0.0.1"
port = 8000
[smtp]
host = "mail.example.jp"
security = "starttls"
[backup]
recipients = ["age1"]
keep = 30
""",
    b"threads = 8\nnotices = {late_after_s = 300}\nlive.port = 1\n",
]
