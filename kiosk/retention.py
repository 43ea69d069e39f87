"""How long the kiosk keeps its entries: 40 days, and until the server has acknowledged them. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from attendance.clock import ClockState
from attendance.records import Head

KEPT_MS = 40 * 24 * 3600 * 1000
_TRUSTED = frozenset({ClockState.NTP, ClockState.RTC})


@dataclass(frozen=True, slots=True)
class SessionAge:
    """A session, and when it began by a clock that was worth `state`."""

    head: Head
    began_ms: int
    state: ClockState


def prunable(sessions: Sequence[SessionAge], acked: Iterable[Head], now_ms: int) -> list[str]:
    """Return the sessions to let go, oldest first; `sessions` are all there are, in the order they began.

    A session ended before a later one began, so only beginnings told by a trusted clock prove an age: a kiosk that woke
    in 1970 loses nothing by it. The last session is never let go. `now_ms` is the server's time.
    """
    acknowledged = set(acked)
    old = 0
    for number, session in enumerate(sessions):
        if session.state in _TRUSTED and session.began_ms < now_ms - KEPT_MS:
            old = number
    return [session.head.session for session in sessions[:old] if session.head in acknowledged]
