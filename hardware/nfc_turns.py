"""Whose turn it is on an NFC reader: which card is still to be read, and whether it may be told of yet."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardware.nfc_identity import CardIdentity
from hardware.presence import Presence
from hardware.reader import Medium

if TYPE_CHECKING:
    from collections.abc import Hashable

_READ_ATTEMPTS = 3
"""Of a card's text, before its number is taken instead: one missed answer must not make a known card a stranger."""


@dataclass(slots=True)
class Unread:
    """A card that has arrived and has not been told of yet."""

    identity: CardIdentity
    attempts_left: int = _READ_ATTEMPTS


class Turns:
    """The cards that come to one reader and go, one look at the field after another."""

    def __init__(self, hold_off_s: float) -> None:
        self._presence = Presence(hold_off_s)
        self._told: dict[Hashable, Medium] = {}
        self.unread: Unread | None = None
        """The card to be read now."""

    def look(self, card: CardIdentity | None, now_s: float) -> bool:
        """Take in one look at the field and return whether a card arrived that is to be read. Units: monotonic s."""
        if self.unread is not None and card != self.unread.identity:
            # Torn away before it could be read: its next coming is a new one.
            self._presence.forget(self.unread.identity)
            self.unread = None
        arrived = bool(self._presence.observe([] if card is None else [card], now_s))
        if arrived:
            assert card is not None
            self.unread = Unread(card)
        self._told = {other: self._told[other] for other in self._presence.present() if other in self._told}
        return arrived

    def tell(self, medium: Medium) -> bool:
        """Whether the unread card may be told of as that now; it counts as read then.

        A pass case often holds two cards, and the wrong one is the last to lose the field: without a text of its own,
        and of another kind than the card before, it waits until that one has been gone for the hold-off.
        """
        if self.unread is None or (medium is not Medium.NFC_TEXT and any(o is not medium for o in self._told.values())):
            return False
        self._told[self.unread.identity] = medium
        self.unread = None
        return True
