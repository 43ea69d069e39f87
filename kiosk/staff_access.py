"""Who may enter children by hand: how often a PIN may be tried, and how long an unlocked panel stays so. Pure.

Instants are nanoseconds of CLOCK_BOOTTIME, which nobody can set back.
"""

import hmac
from dataclasses import dataclass

from attendance.clock import NS_IN_S

FREE_TRIES = 5
FIRST_WAIT_S = 60
LONGEST_WAIT_S = 900
UNTOUCHED_S = 60
"""An unlocked panel that nobody touches for this long locks itself."""


@dataclass(frozen=True, slots=True)
class Tries:
    """The wrong PINs in a row, and until when no other is looked at."""

    wrong: int = 0
    barred_until_ns: int = 0

    def wait_s(self, now_ns: int) -> int:
        """Return how many seconds are to be waited, rounded up; 0 for none."""
        return max(0, -((now_ns - self.barred_until_ns) // NS_IN_S))

    def after_wrong(self, now_ns: int) -> "Tries":
        """Return the count after another wrong PIN: from the fifth on each brings a wait, twice as long as the last."""
        wrong = self.wrong + 1
        if wrong < FREE_TRIES:
            return Tries(wrong, self.barred_until_ns)
        doublings = min(wrong - FREE_TRIES, LONGEST_WAIT_S.bit_length())
        return Tries(wrong, now_ns + min(FIRST_WAIT_S << doublings, LONGEST_WAIT_S) * NS_IN_S)


@dataclass(frozen=True, slots=True)
class Unlocked:
    """A panel that the right PIN opened, for the one page that has the token."""

    token: str
    hashed: str
    """Of the PIN it was opened with: another PIN locks it."""
    until_ns: int

    def touched(self, now_ns: int) -> "Unlocked":
        """Return the panel as somebody's finger leaves it: open for another while."""
        return Unlocked(self.token, self.hashed, now_ns + UNTOUCHED_S * NS_IN_S)

    def belongs_to(self, token: str) -> bool:
        """Say whether that is the token; compared in constant time."""
        return hmac.compare_digest(token.encode(), self.token.encode())

    def opens(self, token: str, hashed: str | None, now_ns: int) -> bool:
        """Say whether a page with that token may go on, while the site's PIN has that hash."""
        return self.belongs_to(token) and hashed == self.hashed and now_ns < self.until_ns
