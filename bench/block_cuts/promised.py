"""What the marks of a guest promise, and the harm in what was left after a cut. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, assert_never

from attendance.records import JournalLine, Moved, read_line
from bench.block_cuts.marks import (
    Appended,
    Began,
    Enrolled,
    Enrolling,
    LetGo,
    LettingGo,
    Mark,
    Storing,
    Told,
)
from bench.block_cuts.workload import children_of_roster, roster_version


@dataclass(frozen=True, slots=True)
class Left:
    """What the kiosk's own code finds after a cut."""

    sessions: Mapping[str, Sequence[JournalLine]]
    """Their chains are sound; the session that this opening began is not among them."""
    kiosk: str | None
    """None: it is not enrolled, and can be."""
    told: Mapping[str, int]
    """What the cache knows to be acknowledged, for the sessions that were asked about."""
    roster: tuple[str, int]
    """Version, and how many children there are."""


class Harm(NamedTuple):
    """What must not be, in words; None where all is well."""

    lost: str | None
    doubled: str | None
    wrong: str | None


@dataclass
class Promised:
    """Follows the marks."""

    entries: dict[str, list[str]] = field(default_factory=dict)
    """Hashes by session."""
    told: dict[str, int] = field(default_factory=dict)
    _letting_go: set[str] = field(default_factory=set)
    _gone: set[str] = field(default_factory=set)
    _kiosk: str | None = None
    _enrolling: bool = False
    _rosters: int = 0

    def note(self, mark: Mark) -> None:
        """Take in the next mark. Raises: ValueError for an entry out of its place."""
        match mark:
            case Appended():
                hashes = self.entries.setdefault(mark.session, [])
                if mark.seq != len(hashes):
                    raise ValueError(f"entry {mark.seq} was promised after {len(hashes)}")
                hashes.append(mark.hash)
            case LettingGo():
                self._letting_go.add(mark.session)
            case LetGo():
                self._gone.add(mark.session)
                del self.entries[mark.session]
            case Enrolling():
                self._enrolling = True
            case Enrolled():
                self._kiosk, self._enrolling = mark.kiosk, False
            case Told():
                self.told[mark.session] = mark.seq
            case Storing():
                self._rosters = mark.number + 1
            case Began():
                pass
            case _:
                assert_never(mark)

    def harm(self, left: Left) -> Harm:
        """Compare what is left to what was promised."""
        comings = Counter(
            record.body.child
            for lines in left.sessions.values()
            for record in map(read_line, lines)
            if isinstance(record.body, Moved)
        )
        doubled = [child for child, times in comings.items() if times > 1]
        return Harm(
            self._lost(left), f"{len(doubled)} entries are there twice" if doubled else None, self._invented(left)
        )

    def _lost(self, left: Left) -> str | None:
        for session, hashes in self.entries.items():
            if session in self._letting_go and session not in left.sessions:
                continue
            found = [line.hash for line in left.sessions.get(session, ())[: len(hashes)]]
            if found != hashes:
                return f"{len(hashes)} entries were promised, {len(found)} are there"
        if self._kiosk is not None and not self._enrolling and left.kiosk != self._kiosk:
            return f"enrolled as {self._kiosk}, left as {left.kiosk}"
        if any(left.told[session] != seq for session, seq in self.told.items()):
            return "what the server was known to hold is forgotten"
        return None

    def _invented(self, left: Left) -> str | None:
        """Beyond what was promised there may be the one entry that was about to be."""
        more = {session: len(lines) - len(self.entries.get(session, ())) for session, lines in left.sessions.items()}
        if sum(extra for extra in more.values() if extra > 0) > 1:
            return "entries that nobody wrote"
        if self._gone & left.sessions.keys():
            return "a session that was let go is back"
        if left.kiosk is not None and self._kiosk is None and not self._enrolling:
            return "an identity from nowhere"
        rosters = {roster_version(number): children_of_roster(number) for number in range(self._rosters)} | {"": 0}
        version, children = left.roster
        if rosters.get(version) != children:
            return f"a roster that is not whole: {version} with {children} children"
        return None
