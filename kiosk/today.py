"""Today, as the kiosk knows it: its own records and the server's movements, brought onto one time line and folded.

Pure. A kiosk may not know what time it is, so its own records of this boot are dated by CLOCK_BOOTTIME from now
backwards: a child who came while the clock said 1970 is here today once the clock is set.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from attendance.clock import NS_IN_MS, ClockReading, from_ms, local_day
from attendance.presence import Movement, Presence, fold, in_order, movement_id
from attendance.records import AttendanceRecord, Moved, Undone
from attendance.wire import PresencePart


@dataclass(frozen=True, slots=True)
class Now:
    """An instant, as good as the kiosk can tell it."""

    at_ms: int
    boot_ns: int
    certain: bool
    """The day is known: from the server in this boot, from NTP or from a battery-backed clock."""

    @property
    def day(self) -> date:
        """The local day."""
        return local_day(from_ms(self.at_ms))

    def at(self, boot_ns: int) -> "Now":
        """Return another instant of this boot."""
        return Now(self.at_ms + (boot_ns - self.boot_ns) // NS_IN_MS, boot_ns, self.certain)


def best_now(reading: ClockReading, contact: tuple[int, int] | None) -> Now:
    """Return now by the server's time, if `contact` (boot_ns, ms) was made in this boot, else by the wall clock."""
    if contact is not None:
        at_boot_ns, at_ms = contact
        return Now(at_ms + (reading.boot_ns - at_boot_ns) // NS_IN_MS, reading.boot_ns, certain=True)
    return Now(reading.wall_ms, reading.boot_ns, certain=reading.state.trusted)


@dataclass(frozen=True, slots=True)
class State:
    """What is known of one child today."""

    presence: Presence
    last: Movement
    this_boot: bool
    """The last movement was made at this kiosk since it booted, so its distance from now is exact."""
    certain: bool
    """It was today for sure; while the kiosk is not certain of the day, what is from before this boot may be older."""


@dataclass(frozen=True, slots=True)
class Today:
    """The movements of today that count; `this_boot` and `earlier` are this kiosk's own records."""

    now: Now
    this_boot: Sequence[AttendanceRecord] = ()
    earlier: Sequence[AttendanceRecord] = ()
    part: PresencePart | None = None
    _through: Mapping[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        part = self.part if self.part is not None and self.part.day == self.now.day else None
        object.__setattr__(self, "part", part)
        through = {} if part is None else {head.session: head.seq for head in part.through}
        object.__setattr__(self, "_through", through)

    def state_of(self, child: str) -> State | None:
        """Return what is known of a child, or None for one who did not move today."""
        movements = in_order(self._movements(child))
        if not movements:
            return None
        last = movements[-1]
        here = any(movement_id(record.session, record.seq) == last.id for record, _ in _moved(self.this_boot, child))
        return State(fold(movements)[child], last, this_boot=here, certain=here or self.now.certain)

    def presence(self) -> dict[str, Presence]:
        """Return what is known of every child who moved today."""
        return fold(self._movements())

    def present(self) -> int:
        """Return how many children are in."""
        return sum(presence.present for presence in self.presence().values())

    def _movements(self, child: str | None = None) -> Iterator[Movement]:
        undone = {
            movement_id(record.session, record.body.seq)
            for record in (*self.this_boot, *self.earlier)
            if isinstance(record.body, Undone) and not self._folded(record)
        }
        told = () if self.part is None else self.part.movements
        for movement in (*told, *self._own(child)):
            if movement.id not in undone and child in (None, movement.child):
                yield movement

    def _own(self, child: str | None) -> Iterator[Movement]:
        """This kiosk's movements of today that the server has not told."""
        day = self.now.day
        dated = (
            *((each, self.now.at(each[0].at.boot_ns).at_ms) for each in _moved(self.this_boot, child)),
            *((each, each[0].at.wall_ms) for each in _moved(self.earlier, child)),
        )
        for (record, body), at_ms in dated:
            if not self._folded(record) and local_day(from_ms(at_ms)) == day:
                yield Movement(movement_id(record.session, record.seq), body.child, body.direction, at_ms)

    def _folded(self, record: AttendanceRecord) -> bool:
        """Say whether the server's movements were made with this record in view."""
        return record.seq <= self._through.get(record.session, -1)


def _moved(records: Iterable[AttendanceRecord], child: str | None) -> Iterator[tuple[AttendanceRecord, Moved]]:
    for record in records:
        body = record.body
        if isinstance(body, Moved) and child in (None, body.child):
            yield record, body
