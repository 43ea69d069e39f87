"""How long the kiosk keeps its entries: 40 days, and until the server has acknowledged them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from attendance.clock import ClockState
from attendance.records import AttendanceRecord, Head, SessionOpened

Contacts = Mapping[str, tuple[int, int]]
"""By boot: CLOCK_BOOTTIME in nanoseconds, and the server's time at that instant in milliseconds."""
NO_CONTACTS: Contacts = MappingProxyType({})
KEPT_MS = 40 * 24 * 3600 * 1000
_TRUSTED = frozenset({ClockState.NTP, ClockState.RTC})


@dataclass(frozen=True, slots=True)
class SessionAge:
    """A session, and when it began by a clock that was worth `state`; the server's is worth as much as NTP."""

    head: Head
    began_ms: int
    state: ClockState


def age_of(head: Head, first: AttendanceRecord, contacts: Contacts) -> SessionAge:
    """Return the age of a session by its first entry, and by the contact of its boot if there was one."""
    contact = contacts.get(first.body.boot) if isinstance(first.body, SessionOpened) else None
    if contact is None:
        return SessionAge(head, first.at.wall_ms, first.at.state)
    at_boot_ns, at_ms = contact
    return SessionAge(head, at_ms - (at_boot_ns - first.at.boot_ns) // 1_000_000, ClockState.NTP)


def prunable(sessions: Sequence[SessionAge], acked: Iterable[Head], now_ms: int) -> list[str]:
    """Return the sessions to let go, oldest first; `sessions` are all there are, in the order they began.

    A session ended before a later one began, so only beginnings told by a trusted clock prove an age: a kiosk that woke
    in 1970 and met no server then loses nothing by it. The last session is never let go. `now_ms` is the server's time.
    """
    acknowledged = set(acked)
    old = 0
    for number, session in enumerate(sessions):
        if session.state in _TRUSTED and session.began_ms < now_ms - KEPT_MS:
            old = number
    return [session.head.session for session in sessions[:old] if session.head in acknowledged]
