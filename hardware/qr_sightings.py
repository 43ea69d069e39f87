"""When a code seen in frame after frame is a new read (end of step 1 for QR): pure, the time is passed in."""

from collections.abc import Callable, Iterable

from hardware.presence import Presence

MOST_DOUBTED = 64


class Sightings:
    """Turns the codes of each looked-at frame into reads: one a card, until it has been gone for the hold-off.

    Only frames that were decoded count towards being gone: a stalled camera or a sleeping gate is no proof that a card
    went away. A payload that `accept` does not know as a card may be a misread; it is told when a later frame shows the
    same. Thread: one.
    """

    def __init__(self, *, hold_off_s: float = 1.0, accept: Callable[[bytes], bool] | None = None) -> None:
        self._presence = Presence(hold_off_s)
        self._accept = accept
        self._doubted: set[bytes] = set()

    def reads(self, payloads: Iterable[bytes], at_ns: int) -> list[bytes]:
        """The payloads that are new reads in the frame looked at just now, in the order given."""
        present = list(dict.fromkeys(payloads))
        arrived = self._presence.observe(present, at_ns / 1e9)
        new = []
        for payload in present:
            if payload in arrived:
                if self._accept is None or self._accept(payload):
                    new.append(payload)
                else:
                    self._doubt(payload)
            elif payload in self._doubted:
                self._doubted.discard(payload)
                new.append(payload)
        return new

    def _doubt(self, payload: bytes) -> None:
        # A screen that shows a new code in every frame must not fill the memory.
        if len(self._doubted) >= MOST_DOUBTED:
            self._doubted.clear()
        self._doubted.add(payload)
