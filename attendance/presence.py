"""Presence: the one fold from movements to who is in, used by kiosk and server alike (invariant 5).

Pure. Movements go in best-time order within one local day; state never crosses the day, and nothing is invented.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from attendance.clock import Instant
from attendance.records import Direction

SAME_MOVEMENT_MS = 60_000
"""Two reads of a child, same way, nothing between them, within this time are one movement (two kiosks, one door)."""


class Movement(msgspec.Struct, frozen=True):
    """One entry or exit that counts, at its best time."""

    id: str
    """`session:seq` of the record, or the id of the amendment that added it."""
    child: str
    direction: Direction
    at_ms: Instant


class Flag(StrEnum):
    """A movement that contradicts the state before it; for the closing list."""

    ENTRY_WHILE_PRESENT = "entry_while_present"
    EXIT_WHILE_ABSENT = "exit_while_absent"


class Presence(msgspec.Struct, frozen=True):
    """What one day's movements say of one child."""

    child: str
    present: bool
    since_ms: int
    """When the state began: the entry for a child who is in, the exit for one who left."""
    first_entry_ms: int | None
    last_exit_ms: int | None
    entries: int
    """Logical entries, same movements counted once."""
    exits: int
    flags: tuple[tuple[Flag, str], ...]
    """Each with the id of the movement it is about."""

    @property
    def last_direction(self) -> Direction:
        """The way of the last movement."""
        return Direction.ENTRY if self.present else Direction.EXIT


def movement_id(session: str, seq: int) -> str:
    """Return the id of the movement that a record made."""
    return f"{session}:{seq}"


def in_order(movements: Iterable[Movement]) -> list[Movement]:
    """Return movements in the order both sides fold them: by best time, then by id, each id once."""
    once = {movement.id: movement for movement in movements}
    return sorted(once.values(), key=lambda movement: (movement.at_ms, movement.id))


def logical(movements: Iterable[Movement]) -> list[Movement]:
    """Return the movements in order without those that repeat the one before them (two kiosks at one door)."""
    last: dict[str, Movement] = {}
    kept = []
    for movement in in_order(movements):
        before = last.get(movement.child)
        if before is None or not repeats(before, movement):
            last[movement.child] = movement
            kept.append(movement)
    return kept


def repeats(before: Movement, movement: Movement) -> bool:
    """Say whether a movement is the same walk through the door as the one before it."""
    return movement.direction is before.direction and movement.at_ms - before.at_ms <= SAME_MOVEMENT_MS


def fold(movements: Iterable[Movement]) -> dict[str, Presence]:
    """Return the presence of every child who moved, from the movements of one local day at one site, in any order."""
    state: dict[str, Presence] = {}
    for movement in logical(movements):
        before = state.get(movement.child)
        state[movement.child] = _first(movement) if before is None else _next(before, movement)
    return state


def _first(movement: Movement) -> Presence:
    entered = movement.direction is Direction.ENTRY
    return Presence(
        child=movement.child,
        present=entered,
        since_ms=movement.at_ms,
        first_entry_ms=movement.at_ms if entered else None,
        last_exit_ms=None if entered else movement.at_ms,
        entries=int(entered),
        exits=int(not entered),
        flags=() if entered else ((Flag.EXIT_WHILE_ABSENT, movement.id),),
    )


def _next(before: Presence, movement: Movement) -> Presence:
    entered = movement.direction is Direction.ENTRY
    if movement.direction is before.last_direction:
        flag = Flag.ENTRY_WHILE_PRESENT if entered else Flag.EXIT_WHILE_ABSENT
        flags = (*before.flags, (flag, movement.id))
        # A second entry keeps the time the child came; a second exit moves the time the child was last seen.
        since_ms = before.since_ms if entered else movement.at_ms
    else:
        flags, since_ms = before.flags, movement.at_ms
    return Presence(
        child=movement.child,
        present=entered,
        since_ms=since_ms,
        first_entry_ms=movement.at_ms if entered and before.first_entry_ms is None else before.first_entry_ms,
        last_exit_ms=before.last_exit_ms if entered else movement.at_ms,
        entries=before.entries + int(entered),
        exits=before.exits + int(not entered),
        flags=flags,
    )
