"""From what a reader saw to a card (step 3 of the straight line). Pure."""

from typing import assert_never

from attendance.cards import CardForm, CardRef, parse_card, uid_card
from attendance.errors import CardFormatError
from hardware.reader import Medium, RawRead


def card_of(raw: RawRead, uid_key: bytes) -> CardRef | None:
    """Return the card of a read (step 3), or None for what cannot be a card of ours."""
    try:
        match raw.medium:
            case Medium.QR | Medium.NFC_TEXT | Medium.KEYS:
                return parse_card(raw.payload)
            case Medium.NFC_UID:
                return uid_card(CardForm.UID, raw.payload, uid_key)
            case Medium.FELICA_IDM:
                return uid_card(CardForm.IDM, raw.payload, uid_key)
            case Medium.NFC_RANDOM_UID:
                return None
            case _:
                assert_never(raw.medium)
    except CardFormatError:
        return None
