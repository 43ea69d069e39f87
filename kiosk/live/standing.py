"""What a read would be worth at this door: whose card it might be and how far to believe it (after steps 1 and 3)."""

from dataclasses import dataclass
from enum import StrEnum

from attendance.cards import CardRef, Trust, looks_like_card, trust_of
from hardware.reader import Medium, RawRead
from kiosk.card_read import card_of
from kiosk.errors import CacheError
from kiosk.roster_cache import RosterCache

START_MAX = 4
"""Characters of a payload that are shown: enough to tell two cards apart, and useless to whoever looks on."""
SYSTEM_CODE_BYTES = 2
_NUMBERS = frozenset({Medium.NFC_UID, Medium.FELICA_IDM})


class Standing(StrEnum):
    """What this door would make of what was read."""

    KNOWN = "known"
    """A card of a child of this site."""
    UNKNOWN = "unknown"
    """It could be a card, but nobody here holds it."""
    NO_ROSTER = "no_roster"
    """It could be a card; there is no roster here yet to look it up in."""
    FOREIGN = "foreign"
    """No card of ours: another code, another text."""
    RANDOM = "random"
    """A number that is another one each time."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A read as this door would take it."""

    standing: Standing
    trust: Trust | None
    """None for what cannot be a card."""


class CardBook:
    """Looks cards up in the roster of this site, if there is one. Thread: any."""

    def __init__(self, cache: RosterCache | None, uid_key: bytes | None) -> None:
        """`uid_key`: None on a machine that is not enrolled, which can recognise no UID."""
        self._cache = cache
        self._uid_key = uid_key

    def judge(self, raw: RawRead) -> Judgement:
        """Return what this door would make of a read; never raises."""
        if raw.medium is Medium.NFC_RANDOM_UID:
            return Judgement(Standing.RANDOM, None)
        card = card_of(raw, self._uid_key or b"")
        if card is None:
            return Judgement(Standing.FOREIGN, None)
        can_look_up = self._uid_key is not None or raw.medium not in _NUMBERS
        return Judgement(self._look_up(card) if can_look_up else Standing.NO_ROSTER, trust_of(card.form))

    def judge_code(self, payload: bytes) -> Standing:
        """Return what this door would make of a QR code; never raises."""
        if not looks_like_card(payload):
            return Standing.FOREIGN
        return self.judge(RawRead(Medium.QR, payload, "", 0)).standing

    def _look_up(self, card: CardRef) -> Standing:
        try:
            if self._cache is None or not self._cache.versions()[0]:
                return Standing.NO_ROSTER
            return Standing.UNKNOWN if self._cache.find(card) is None else Standing.KNOWN
        except CacheError:
            return Standing.NO_ROSTER


def start_of(raw: RawRead) -> str:
    """Return the first characters of a payload and never the whole: plain ASCII, a dot for everything else."""
    match raw.medium:
        case Medium.NFC_UID:
            shown = raw.payload.hex().upper()
        case Medium.FELICA_IDM:
            shown = raw.payload[SYSTEM_CODE_BYTES:].hex().upper()  # the system code is the same on every card
        case _:
            shown = raw.payload.decode("ascii", "replace")
    if not shown:
        return ""
    start = shown[: min(START_MAX, len(shown) // 2)]
    return "".join(letter if letter.isascii() and letter.isprintable() else "·" for letter in start) + "…"
