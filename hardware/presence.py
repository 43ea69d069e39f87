"""Tells a card that has just arrived from one that is still there, for drivers that look again and again."""

from collections.abc import Collection, Hashable


class Presence:
    """The cards in a reader's field; a card that arrived arrives again only after it was seen missing for `hold_off_s`.

    Absence counts from the first look that missed the card, never from the last that saw it: a caller that did not look
    for a while must not take a card that stayed for a new one.
    """

    def __init__(self, hold_off_s: float) -> None:
        self._hold_off_s = hold_off_s
        self._missing_since_s: dict[Hashable, float | None] = {}

    def observe(self, seen: Collection[Hashable], now_s: float) -> list[Hashable]:
        """Take in one look at the field and return the cards that arrived with it. Units: monotonic seconds."""
        for card, missing_since_s in list(self._missing_since_s.items()):
            if card in seen:
                self._missing_since_s[card] = None
            elif missing_since_s is None:
                self._missing_since_s[card] = now_s
            elif now_s - missing_since_s >= self._hold_off_s:
                del self._missing_since_s[card]
        arrived = [card for card in seen if card not in self._missing_since_s]
        self._missing_since_s.update(dict.fromkeys(arrived))
        return arrived

    def present(self) -> list[Hashable]:
        """The cards that have not been missing for the whole hold-off."""
        return list(self._missing_since_s)

    def forget(self, card: Hashable) -> None:
        """Let a card that could not be read arrive again at the next look."""
        self._missing_since_s.pop(card, None)
