"""Which sessions the next offer names: what the server lacks, and in turn all others; in parts (step 8)."""

from collections.abc import Callable, Collection, Sequence
from collections.abc import Set as AbstractSet

from attendance.records import Head
from attendance.wire import ErrorCode
from kiosk.delivery import LOST
from kiosk.errors import UplinkError
from kiosk.portion import Portion

ALL_HEADS_S = 300.0
"""How often all sessions are offered to the server, also those it holds whole: a year has hundreds of them, and only a
server that was restored from a backup wants any of them again."""
HEADS_AN_OFFER = 1000
"""At most, of 107 bytes each: below what the meanest proxies take."""
_LEAST_HEADS = 50


class Offers:
    """Goes round all sessions, however many there are; where it is, it knows in memory only. Thread: one."""

    def __init__(self) -> None:
        self._portion = Portion(HEADS_AN_OFFER, least=_LEAST_HEADS)
        self._round_began_ns: int | None = None
        self._due: set[str] = set()
        """Sessions that this round has yet to name."""
        self._whole: set[Head] = set()
        """What the server did not want, though it was named; for a cache that cannot be used."""
        self.begins = True
        """Whether a round began with the last choice."""

    def choose(
        self,
        held: Sequence[Head],
        acks: AbstractSet[Head],
        running: str | None,
        now_ns: int,
        stuck: Callable[[str], int],
    ) -> list[Head]:
        """Return the heads to name, in their order: the running session, what the server may lack, others in turn.

        `stuck` tells how late a session has its turn of those that the server may lack.
        """
        self.begins = self._round_began_ns is None or now_ns - self._round_began_ns >= ALL_HEADS_S * 1e9
        if self.begins:
            self._round_began_ns = now_ns
            self._due = {head.session for head in held}
            self._whole.intersection_update(held)
        first = [head for head in held if head.session == running]
        others = [head for head in held if head.session != running]
        unknown = [head for head in others if head not in acks]
        lacking = sorted((each for each in unknown if each not in self._whole), key=lambda head: stuck(head.session))
        in_turn = [head for head in others if head.session in self._due and (head in acks or head in self._whole)]
        half = self._portion.size // 2
        order = dict.fromkeys([*first, *lacking[:half], *in_turn, *lacking[half:], *unknown])
        chosen = set(list(order)[: self._portion.size])
        return [head for head in held if head in chosen]

    def answered(self, heads: Collection[Head], wanted: Collection[str]) -> None:
        """The server heard these, and wants something of some of the sessions."""
        self._portion.went(len(heads))
        self._due.difference_update(head.session for head in heads)
        self._whole.difference_update([head for head in heads if head.session in wanted])
        self._whole.update(head for head in heads if head.session not in wanted)

    def failed(self, heads: Collection[Head], error: UplinkError) -> None:
        """The server did not hear these, or not that we know; they are named again."""
        if error.code is ErrorCode.TOO_LARGE:
            self._portion.too_many(len(heads))
        elif error.trouble in LOST:
            self._portion.failed(len(heads))

    def name_all(self) -> None:
        """The server lacks what it had: go round all sessions, unless a round is under way."""
        if not self._due:
            self._round_began_ns = None
