"""One example of every message and every kind of journal line; the goldens in tests/goldens/wire are their bytes."""

from datetime import date

import msgspec

from attendance.cards import CardForm, CardRef
from attendance.chain import place
from attendance.names import SealedNames
from attendance.policy import Policy
from attendance.presence import Movement
from attendance.records import (
    AttendanceRecord,
    Body,
    ClockStepped,
    Direction,
    Head,
    JournalLine,
    Undone,
    UnknownCard,
    kind_of,
)
from attendance.roster import Animal, Colour, Holder, Mark
from attendance.wire import (
    EnrolRequest,
    EnrolResponse,
    EntriesRequest,
    ErrorCode,
    ErrorResponse,
    Health,
    Heard,
    KioskNow,
    OfferRequest,
    OfferResponse,
    PresencePart,
    Problem,
    Receipt,
    RosterPart,
    StateResponse,
    Want,
)
from tests.attendance.factories import BOOT, CARD, CHILD, KIOSK, NOON_MS, SESSION, draft, moved, opened, reading

EARLIER = Head("5e551010000000000000000000000000", 41, "ab" * 32)
UNKNOWN = CardRef(card_hash="cd" * 32, form=CardForm.IDM)
SITE = "0195b0a0-0000-7000-8000-0000000000a1"
STAFF_PIN = "scrypt-8192-8-1$AAECAwQFBgcICQoLDA0ODw==$wICPp9ZTWRhKJ4IBGNB7oyqWa6mBObRdfO02zoHJI/0="
"""4-7-1-1-0-8, with the salt 00 01 ... 0f."""
MOVEMENT = Movement(id=f"{SESSION}:1", child=CHILD, direction=Direction.ENTRY, at_ms=NOON_MS)


def _session(*bodies: Body) -> list[tuple[AttendanceRecord, JournalLine]]:
    head: Head | None = None
    placed = []
    for body in bodies:
        record, line = place(draft(body), kiosk=KIOSK, session=SESSION, after=head)
        head = Head(SESSION, record.seq, line.hash)
        placed.append((record, line))
    return placed


RECORDS = _session(
    opened(heads=(EARLIER,)), moved(), Undone(seq=1), UnknownCard(card=UNKNOWN), ClockStepped(step_ms=-86_400_000)
)
LINES = {f"line_{kind_of(record.body)}": (record, line) for record, line in RECORDS}
LAST = Head(SESSION, len(RECORDS) - 1, RECORDS[-1][1].hash)

MESSAGES: dict[str, msgspec.Struct] = {
    "enrol_request": EnrolRequest(code="H7K2M9QXRT", public_key=bytes(range(32)), app="0.1.0"),
    "enrol_response": EnrolResponse(
        kiosk=KIOSK,
        site=SITE,
        site_name="さくら児童クラブ",
        policy=Policy(),
        uid_key=bytes(range(32, 64)),
        time_ms=NOON_MS,
    ),
    "offer_request": OfferRequest(
        now=KioskNow(session=SESSION, boot=BOOT, at=reading()),
        heads=(EARLIER, LAST),
        health=Health(app="0.1.0", unsent=3, readers={"qr": "up", "nfc": "unplugged"}, problems=("chain_differs",)),
    ),
    "offer_request_after_an_answer": OfferRequest(
        now=KioskNow(SESSION, BOOT, reading(), Heard(84_950_000_000, 85_010_000_000, NOON_MS - 5_000)),
        heads=(LAST,),
        health=Health(app="0.1.0", unsent=0),
    ),
    "offer_response": OfferResponse(
        want=(Want(session=SESSION, from_seq=2),),
        time_ms=NOON_MS,
        max_batch=500,
        backoff_ms=0,
        roster_version="7",
        presence_version="2026-04-01.12",
    ),
    "entries_request": EntriesRequest(session=SESSION, from_seq=0, entries=tuple(line for _, line in RECORDS[:2])),
    "entries_request_after_restore": EntriesRequest(session=SESSION, from_seq=3, entries=(RECORDS[3][1],), told=4),
    "entries_request_of_a_boot_that_is_over": EntriesRequest(
        session=SESSION,
        from_seq=4,
        entries=(RECORDS[4][1],),
        told=4,
        heard=Heard(84_950_000_000, 85_010_000_000, NOON_MS - 5_000),
    ),
    "receipt": Receipt(session=SESSION, through=4, hash=LAST.hash, quarantined=(3,)),
    "receipt_of_nothing": Receipt(session=SESSION, through=-1, hash=""),
    "state_response": StateResponse(
        policy=Policy(kiosks_at_site=2),
        names_key=bytes(range(64, 96)),
        roster=RosterPart(
            version="7",
            holders=(Holder(child=CHILD, mark=Mark(Animal.PENGUIN, Colour.BLUE), cards=(CARD.card_hash,)),),
            names=SealedNames(nonce=bytes(12), box=bytes(range(24))),
        ),
        presence=PresencePart(version="2026-04-01.12", day=date(2026, 4, 1), through=(LAST,), movements=(MOVEMENT,)),
    ),
    "state_response_without_news": StateResponse(policy=Policy(), names_key=bytes(range(64, 96))),
    "state_response_with_staff_pin": StateResponse(policy=Policy(staff_pin=STAFF_PIN), names_key=bytes(range(64, 96))),
    "error_response": ErrorResponse(
        error=Problem(code=ErrorCode.BUSY, message="another request is being written; try again")
    ),
}
