"""How long to wait before a device is tried again."""

FIRST_S = 1.0
LONGEST_S = 30.0


class Backoff:
    """Waits that double from `first_s` to `longest_s`, until something worked."""

    def __init__(self, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._next_s = first_s

    def next_s(self) -> float:
        """Return how long to wait now."""
        wait_s, self._next_s = self._next_s, min(self._next_s * 2, self._longest_s)
        return wait_s

    def reset(self) -> None:
        """Begin anew: it worked."""
        self._next_s = self._first_s
