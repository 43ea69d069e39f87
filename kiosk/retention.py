"""How long the kiosk keeps its entries: 40 days, and until the server has acknowledged them. Pure.

Sessions are what is let go, so none may grow for months.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from attendance.clock import NS_IN_MS, NS_IN_S, ClockReading, ClockState
from attendance.records import AttendanceRecord, Head

Contacts = Mapping[str, tuple[int, int]]
"""By boot: CLOCK_BOOTTIME in nanoseconds, and the server's time at that instant in milliseconds."""
NO_CONTACTS: Contacts = MappingProxyType({})
KEPT_MS = 40 * 24 * 3600 * 1000
SESSION_NS = 24 * 3600 * NS_IN_S
QUIET_NS = 600 * NS_IN_S
"""A movement can be taken back within its session only, so a new one begins when nobody has come for a while."""
_LIE_MS = 24 * 3600 * 1000
"""A beginning later than now by more than this was told by a clock that was wrong, and proves nothing."""


@dataclass(frozen=True, slots=True)
class SessionAge:
    """A session, and what tells when it began."""

    head: Head
    boot: str
    at: ClockReading | None
    """The kiosk's own clocks; None when the first entry cannot be read."""
    heard_ms: int | None
    """By the server's time, if it was heard in that boot."""

    @property
    def began_ms(self) -> int:
        """The best date there is."""
        if self.heard_ms is not None:
            return self.heard_ms
        return 0 if self.at is None else self.at.wall_ms

    @property
    def state(self) -> ClockState:
        """What that date is worth; the server's as much as NTP's."""
        if self.heard_ms is not None:
            return ClockState.NTP
        return ClockState.NONE if self.at is None else self.at.state


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, by all that tells it."""

    boot: str
    reading: ClockReading
    server_ms: int
    contacts: Contacts


def is_ripe(first_ns: int, last_ns: int, now_ns: int) -> bool:
    """Say whether another session is to begin after one whose entries span this much of CLOCK_BOOTTIME."""
    return now_ns - first_ns >= SESSION_NS and now_ns - last_ns >= QUIET_NS


def age_of(head: Head, boot: str, first: AttendanceRecord | None, contacts: Contacts) -> SessionAge:
    """Return the age of a session by its first entry, and by the contact of its boot if there was one."""
    contact = contacts.get(boot)
    if first is None or contact is None:
        return SessionAge(head, boot, None if first is None else first.at, None)
    at_boot_ns, at_ms = contact
    return SessionAge(head, boot, first.at, at_ms - (at_boot_ns - first.at.boot_ns) // NS_IN_MS)


def prunable(sessions: Sequence[SessionAge], acked: Iterable[Head], now: Moment) -> list[str]:
    """Return the sessions to let go, oldest first; `sessions` are all there are, in the order they began.

    A session ended before a later one began, so it is beginnings that prove an age. Those before which one is young may
    not be so old as they say. The last session is never let go.
    """
    acknowledged = set(acked)
    old, doubted = 0, False
    for number, session in enumerate(sessions):
        if _ran_through(session, now):
            old = number
        elif not doubted:
            is_old = _is_old(session, now)
            old = number if is_old else old
            doubted = is_old is False
    return [session.head.session for session in sessions[:old] if session.head in acknowledged]


def _ran_through(session: SessionAge, now: Moment) -> bool:
    """Say whether the kiosk has run since then for as long as it keeps entries: so it is, whatever any clock says."""
    if session.at is None or session.boot != now.boot:
        return False
    return now.reading.boot_ns - session.at.boot_ns >= KEPT_MS * NS_IN_MS


def _is_old(session: SessionAge, now: Moment) -> bool | None:
    """Say whether a session began 40 days ago, by the server and by the kiosk's own clock; None when they do not tell.

    Either may be wrong by years for a while, and then nothing may go that is young.
    """
    if session.at is None:
        return None
    if session.boot == now.boot:  # it would have run through
        return False
    by_server = _age_ms(session.heard_ms, now.server_ms)
    by_own = _own_age_ms(session, now)
    ages = [age for age in (by_server, by_own) if age is not None]
    if any(age < KEPT_MS for age in ages):
        return False
    if by_server is None:  # a clock kept by NTP then, and both clocks now
        return True if by_own is not None and session.state is ClockState.NTP else None
    return True if by_own is not None or _vouched(session, now) else None


def _age_ms(began_ms: int | None, now_ms: int) -> int | None:
    return None if began_ms is None or began_ms > now_ms + _LIE_MS else now_ms - began_ms


def _own_age_ms(session: SessionAge, now: Moment) -> int | None:
    if session.at is None or not (session.at.state.trusted and now.reading.state.trusted):
        return None
    return _age_ms(session.at.wall_ms, min(now.reading.wall_ms, now.server_ms))


def _vouched(session: SessionAge, now: Moment) -> bool:
    """Say whether the server told in a boot between that 40 days had passed: it is not wrong for this one alone."""
    assert session.heard_ms is not None
    between = [at_ms for boot, (_, at_ms) in now.contacts.items() if boot not in {session.boot, now.boot}]
    return any(session.heard_ms + KEPT_MS <= at_ms <= now.server_ms for at_ms in between)
