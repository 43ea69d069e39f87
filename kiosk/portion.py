"""How much goes into one request on a way that does not take what the protocol allows; in memory only, pure."""

_FULL_ONES = 16
"""Requests of the whole size that must go well before more is tried: what fails costs a minute on a slow line."""


class Portion:
    """A number of things a request: halved where they were too many, grown slowly again. Thread: one."""

    def __init__(self, most: int, *, least: int) -> None:
        self.size = most
        """How many may go into the next request."""
        self._most = most
        self._least = least
        self._full = 0
        self._failed = False

    def went(self, number: int) -> None:
        """So many were taken."""
        self._failed = False
        if number < self.size:
            return
        self._full += 1
        if self._full >= _FULL_ONES:
            self.size, self._full = min(self._most, self.size + self.size // 4 + 1), 0

    def too_many(self, number: int) -> None:
        """So many were refused for their size; of the least number that is not the fault of the number."""
        if number > self._least:
            self.size, self._full = max(self._least, min(self.size, number) // 2), 0

    def failed(self, number: int) -> None:
        """So many were not answered: the second time in a row that counts as too many."""
        if self._failed:
            self.too_many(number)
        self._failed = True
