"""When a code seen in frame after frame is a new read (end of step 1 for QR): pure, the time is passed in."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

CONFIRMING_LOOKS = 2


@dataclass(slots=True)
class _Sighting:
    looks: int = 0
    absent_ns: int = 0
    told: bool = False


class Sightings:
    """Turns the codes of each looked-at frame into reads: one a card, until it has been gone for the hold-off.

    Only frames that were decoded count towards being gone, and at least two of them must: a stalled camera or a
    sleeping gate is no proof that a card went away. A payload that `accept` does not know as a card may be a misread;
    it is told when a second frame shows the same. Thread: one.
    """

    def __init__(self, *, hold_off_s: float = 1.0, accept: Callable[[bytes], bool] | None = None) -> None:
        self._hold_off_ns = round(hold_off_s * 1e9)
        self._accept = accept
        self._seen: dict[bytes, _Sighting] = {}
        self._last_at_ns: int | None = None

    def reads(self, payloads: Iterable[bytes], at_ns: int) -> list[bytes]:
        """The payloads that are new reads in the frame looked at just now, in the order given."""
        since_ns = 0 if self._last_at_ns is None else max(0, at_ns - self._last_at_ns)
        self._last_at_ns = at_ns
        present = list(dict.fromkeys(payloads))
        self._forget_gone(set(present), min(since_ns, self._hold_off_ns // 2))
        new = []
        for payload in present:
            sighting = self._seen.setdefault(payload, _Sighting())
            sighting.looks += 1
            sighting.absent_ns = 0
            if not sighting.told and (sighting.looks >= CONFIRMING_LOOKS or self._trusts(payload)):
                sighting.told = True
                new.append(payload)
        return new

    def _trusts(self, payload: bytes) -> bool:
        return self._accept is None or self._accept(payload)

    def _forget_gone(self, present: set[bytes], since_ns: int) -> None:
        for payload, sighting in list(self._seen.items()):
            if payload not in present:
                sighting.absent_ns += since_ns
                if sighting.absent_ns >= self._hold_off_ns:
                    del self._seen[payload]
