"""Cards that are none, and cards in ways nobody meant: what the child sees, and what the journal holds afterwards."""

import threading
import time
from pathlib import Path

import cv2
import numpy as np

from attendance.records import Direction, Moved, UnknownCard
from hardware.qr_decode import Grey
from hardware.soft_card import SoftField
from hardware.soft_tags import SoftTag, Type2Tag, Type3Tag, Type4Tag, ndef_message
from hardware.synthetic_card import code_picture
from tests.kiosk.door_parts import HANA, HANAS_TOKEN, STRANGE_TOKEN, TARO, TAROS_TOKEN
from tests.real_door import fifo, real_door, set_up, tap, wait_until

HANAS = HANAS_TOKEN.text
FPS, HELD, GONE = 30, 6, 12
"""Frames; a card is gone for longer than the hold-off of 0.3 s."""
SIZE = (480, 640)

BAD_CODES = {
    "a name": "山田 花",
    "an address": "https://example.org/login?next=%2F",
    "a truncated card": HANAS[:-1],
    "a card with more after it": HANAS + "A",
    "a misprinted card": HANAS[:-1] + ("A" if HANAS[-1] != "A" else "B"),
    "a card in small letters": HANAS.lower(),
    "a card of a version to come": "U" + HANAS[1:],
    "a command": "'; DROP TABLE entry; --",
    "a page": "<script>alert(1)</script>",
    "a format": "%s%n{0.__class__}",
    "a log line": "x\n2026-01-01 INFO recorded session=0 seq=0",
    "zeros": "\0\0\0\0",
    "a book": "A" * 1200,
    "a bill": "WIFI:T:WPA;S:school;P:secret;;",
}
"""None of these may be recorded, answered with silence, or written into the log."""


def code_frame(*payloads: str) -> Grey:
    """A frame with these codes side by side."""
    frame = np.full(SIZE, 200, dtype=np.uint8)
    wide = SIZE[1] // max(1, len(payloads))
    for number, payload in enumerate(payloads):
        picture = code_picture(payload, module_px=6 if len(payload) < 100 else 3)
        side = min(wide, SIZE[0], picture.shape[0])
        small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        left, top = number * wide + (wide - side) // 2, (SIZE[0] - side) // 2
        frame[top : top + side, left : left + side] = small
    return frame


def camera(folder: Path, *showings: tuple[str, ...]) -> str:
    """A camera before which cards are held one after another, as a sequence of pictures; its settings."""
    frames = [code_frame()] * GONE
    for payloads in showings:
        frames += [code_frame(*payloads)] * HELD + [code_frame()] * GONE
    for number, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"frame_{number:04d}.png"), frame)
    source = f'source = "{folder}/frame_%04d.png"\nfps = {FPS}\nhold_off_s = 0.3\n'
    return f'[[readers]]\nname = "front"\nkind = "qr_camera"\n{source}'


def antenna(field: SoftField) -> str:
    return f'[[readers]]\nname = "desk"\nkind = "nfc"\nsource = "udp:127.0.0.1:{field.port}"\nhold_off_s = 0.3\n'


def test_codes_that_are_no_cards_are_answered_kindly_one_by_one_and_leave_no_trace(tmp_path: Path) -> None:
    config = set_up(tmp_path, camera(tmp_path, *((bad,) for bad in BAD_CODES.values()), (HANAS,)))
    with real_door(config) as door:
        door.wait_shown(*["foreign"] * len(BAD_CODES), "in")
    assert [type(body) for body in door.bodies()] == [Moved]
    told = door.told()
    assert [name for name, bad in BAD_CODES.items() if bad in told or repr(bad) in told] == []
    assert HANAS not in told
    assert sum("recorded" in line for line in door.log) == 1


def test_a_card_of_another_site_is_told_to_staff_and_to_the_journal_once(tmp_path: Path) -> None:
    strange = (STRANGE_TOKEN.text,)
    with real_door(set_up(tmp_path, camera(tmp_path, strange, strange, (HANAS,)))) as door:
        door.wait_shown("unknown", "unknown", "in")
    assert [type(body) for body in door.bodies()] == [UnknownCard, Moved]
    assert STRANGE_TOKEN.text not in "".join(line.line for line in door.lines())


def test_two_cards_in_one_frame_are_two_children(tmp_path: Path) -> None:
    with real_door(set_up(tmp_path, camera(tmp_path, (HANAS, TAROS_TOKEN.text)))) as door:
        door.wait_for("recorded", times=2)
        door.wait_for("reader ended")
    moved = door.bodies()
    assert all(isinstance(body, Moved) and body.direction is Direction.ENTRY for body in moved)
    assert sorted(body.child for body in moved if isinstance(body, Moved)) == [HANA, TARO]


UID, RANDOM_UID, IDM = bytes.fromhex("04a1b2c3d4e580"), bytes.fromhex("08112233"), bytes.fromhex("012e4c1122334455")
BAD_TAGS: dict[str, tuple[SoftTag, str]] = {
    "somebody's train card": (Type3Tag(IDM, None), "unknown"),
    "somebody's key": (Type2Tag(UID, None), "unknown"),
    "a phone": (Type4Tag(RANDOM_UID, None), "foreign"),
    "a tag with an address": (Type2Tag(UID[::-1], ndef_message(uri="https://example.org/")), "unknown"),
    "a tag with a name": (Type4Tag(UID, ndef_message(text="山田 花")), "foreign"),
    "a truncated token": (Type2Tag(UID, ndef_message(text=HANAS[:-1])), "foreign"),
    "a token of another site": (Type3Tag(IDM, ndef_message(text=STRANGE_TOKEN.text)), "unknown"),
    "a very long text": (Type4Tag(UID, ndef_message(text="x" * 600)), "foreign"),
    "a message that is none": (Type2Tag(UID[:1] + UID[1:][::-1], b"\xd1\xff\xff\xff\x54\x02"), "unknown"),
}
"""What is laid on the reader, and what the screen says to it."""


def test_tags_that_are_no_cards_are_answered_and_the_next_card_is_taken(tmp_path: Path) -> None:
    with SoftField() as field, real_door(set_up(tmp_path, antenna(field))) as door:
        for number, (tag, _) in enumerate(BAD_TAGS.values(), start=1):
            field.lay(tag)
            wait_until(lambda number=number: len(door.shown) >= number, door.told)  # type: ignore[misc]
            field.lift()
            time.sleep(0.6)
        field.lay(Type2Tag(UID, ndef_message(text=HANAS)))
        door.wait_for("kind=movement")
    assert dict(zip(BAD_TAGS, door.shown, strict=False)) == {name: kind for name, (_, kind) in BAD_TAGS.items()}
    unknown = sum(kind == "unknown" for _, kind in BAD_TAGS.values())
    assert [type(body) for body in door.bodies()] == [UnknownCard] * unknown + [Moved]
    told = door.told() + "".join(line.line for line in door.lines())
    assert [each for each in (HANAS, STRANGE_TOKEN.text, UID.hex(), IDM.hex(), "山田") if each in told] == []


def test_a_childs_qr_code_and_tag_at_the_same_instant_are_one_walk_through_the_door(tmp_path: Path) -> None:
    readers = [fifo(tmp_path, name) for name in ("camera", "antenna")]
    with real_door(set_up(tmp_path, "".join(readers))) as door:
        both = threading.Barrier(2)

        def hold(reader: str, medium: str) -> None:
            both.wait()
            tap(tmp_path / reader, f"{medium} {HANAS}")

        hands = [threading.Thread(target=hold, args=each) for each in (("camera", "qr"), ("antenna", "nfc_text"))]
        for hand in hands:
            hand.start()
        for hand in hands:
            hand.join()
        door.wait_for("kind=again_in")
    assert [type(body) for body in door.bodies()] == [Moved]
