"""The figures of a day: pure, folded from movements by the one fold of attendance.presence (after step 11)."""

from collections.abc import Sequence
from dataclasses import dataclass

from attendance.presence import Movement, fold, logical
from attendance.records import Direction
from server.headcount import Recorded
from server.timeline import BestTime, TimeSource

_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Figures:
    """What is counted of a day, for a site or a unit."""

    present_ever: int
    """Children who came or left: an exit without an entry is a child who was here."""
    entries: int
    exits: int
    double_reads: int
    """How many of the entries and exits are second reads of one walk through the door."""
    peak: int
    """The most children in at once; one whose entry is missing is not among them."""
    peak_at: BestTime | None
    """When the peak was first reached."""
    extended: int
    still_in: int
    """Children without an exit: in now, or, when the day is over, a record that is missing."""
    unsettled: int
    """Movements whose time nothing vouches for."""
    contradictions: int
    """Movements that cannot follow the one before them."""


def figures(records: Sequence[Recorded], *, extended_from_ms: int) -> Figures:
    """Return the figures of the movements of one local day at one site, in any order."""
    movements = [each.movement for each in records]
    folded = fold(movements)
    peak, peak_by = _peak(movements)
    times = {each.movement.id: each.time for each in records}
    return Figures(
        present_ever=len(folded),
        entries=sum(movement.direction is Direction.ENTRY for movement in movements),
        exits=sum(movement.direction is Direction.EXIT for movement in movements),
        double_reads=len(movements) - len(logical(movements)),
        peak=peak,
        peak_at=None if peak_by is None else times[peak_by.id],
        extended=len(extended_children(movements, extended_from_ms)),
        still_in=sum(presence.present for presence in folded.values()),
        unsettled=sum(each.time.source is TimeSource.UNSETTLED for each in records),
        contradictions=sum(len(presence.flags) for presence in folded.values()),
    )


def extended_children(movements: Sequence[Movement], extended_from_ms: int) -> set[str]:
    """Return who was seen after the minute of `extended_from_ms`.

    By the minute, because the office checks the figure by the times it sees. Without an exit nobody knows how long a
    child stayed: it counts as still in, and not here.
    """
    return {movement.child for movement in movements if movement.at_ms >= extended_from_ms + _MINUTE_MS}


def _peak(movements: Sequence[Movement]) -> tuple[int, Movement | None]:
    """Return the most children in at once, and the walk by which as many first were."""
    present: set[str] = set()
    walks = logical(movements)
    peak, by = 0, None
    for place, walk in enumerate(walks):
        if walk.direction is Direction.ENTRY:
            present.add(walk.child)
        else:
            present.discard(walk.child)
        at_once = walks[place + 1 : place + 2]
        if len(present) > peak and not (at_once and at_once[0].at_ms == walk.at_ms):
            peak, by = len(present), walk
    return peak, by
