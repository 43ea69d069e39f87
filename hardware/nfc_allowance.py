"""How much a card may ask of an NFC reader, in exchanges and in time; every exchange of a driver draws on it."""

import time
from dataclasses import dataclass

CARD_EXCHANGES = 400
CARD_TIME_S = 2.0


class AllowanceSpent(Exception):
    """The card has used up its exchanges or its time, or the reader is being closed.

    Deliberately of no family of a vendor's errors: a vendor's library would try again.
    """


@dataclass(slots=True)
class Allowance:
    """How many exchanges and how much time one card may still use up."""

    exchanges_left: int
    until_s: float
    """On the monotonic clock."""
    faults: int = 0
    """Exchanges that the card did not answer, or not properly."""

    @property
    def spent(self) -> bool:
        """Whether nothing is left."""
        return self.exchanges_left <= 0 or time.monotonic() >= self.until_s


def card_allowance() -> Allowance:
    """The allowance of a card that has just arrived."""
    return Allowance(CARD_EXCHANGES, time.monotonic() + CARD_TIME_S)
