"""What the door knows at a moment: the time, its own records and the server's word, for the rule and for staff."""

from attendance.clock import NS_IN_S, Clock
from attendance.policy import Policy
from attendance.presence import Presence
from attendance.records import AttendanceRecord, Direction
from attendance.roster import Holder
from kiosk.answer import ChildNow, Whereabouts
from kiosk.desk import Outcome, Rules, decide
from kiosk.journal import Journal
from kiosk.name_book import NameBook
from kiosk.own_records import OwnRecords
from kiosk.roster_cache import Contact, RosterCache
from kiosk.today import Now, Today, best_now


class Knowledge:
    """Looks at clock, cache and own records together. Thread: one at a time."""

    def __init__(self, journal: Journal, cache: RosterCache, clock: Clock, names: NameBook, *, can_ask: bool) -> None:
        self._cache = cache
        self._clock = clock
        self._names = names
        self._can_ask = can_ask
        self._own = OwnRecords(journal)

    def add(self, record: AttendanceRecord) -> None:
        """Take in what was just recorded."""
        self._own.add(record)

    def now(self) -> tuple[Now, Contact | None]:
        """Return the time, and the last contact with the server in this boot. Raises: CacheError."""
        contact = self._cache.contact()
        return best_now(self._clock.read(), contact), contact

    def today(self, now: Now) -> Today:
        """Return the day of that time. Raises: CacheError, JournalError."""
        self._own.load(now)
        return Today(now, self._own.this_boot, self._own.earlier, self._cache.presence())

    def decide(
        self,
        holder: Holder | None,
        policy: Policy,
        read_at_ns: int,
        chosen: Direction | None,
        *,
        by_staff: bool = False,
    ) -> Outcome:
        """Return what the rule says of a child at that instant of this boot. Raises: CacheError, JournalError."""
        now, contact = self.now()
        alone_s = None if contact is None else (now.boot_ns - contact.at_boot_ns) / NS_IN_S
        rules = Rules(policy, alone_s, chosen, self._can_ask, by_staff)
        return decide(holder, self.today(now), now.at(read_at_ns), rules)

    def children(self) -> tuple[ChildNow, ...]:
        """Return every child of the roster as it is now. Raises: CacheError, JournalError."""
        now, _ = self.now()
        presence, names = self.today(now).presence(), self._names.names()
        return tuple(
            ChildNow(child, mark, names.get(child), _whereabouts(presence.get(child)))
            for child, mark in self._cache.marks().items()
        )


def _whereabouts(presence: Presence | None) -> Whereabouts:
    if presence is None:
        return Whereabouts.NOT_YET
    return Whereabouts.IN if presence.present else Whereabouts.LEFT
