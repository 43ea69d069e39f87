"""Whether the journals held are sound: each session without a hole, each line as it was hashed, each head true."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, assert_never

from sqlalchemy import Connection, Row, exists, func, select

from attendance.finding import Finding
from attendance.records import AttendanceRecord, JournalLine, kind_of
from server.entries import Place, Quarantined, understand
from server.store.engine import Store
from server.store.tables import entry, journal_session

RECENT_SESSIONS = 20
RECENT_ENTRIES = 500
"""Of each of them; a full examination reads all."""
PLACES_TOLD = 5
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong with a session: one of the codes that `doctor.CODE` tells."""

    code: str
    place: str


Stretch = tuple[AttendanceRecord, ...]
"""Some entries of a session that are understood, in order."""


@dataclass(slots=True)
class Tally:
    """How often each kind of fault was met, and where first; bounded whatever is wrong."""

    numbers: Counter[str] = field(default_factory=Counter)
    _places: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, fault: Fault) -> None:
        """Count a fault."""
        self.numbers[fault.code] += 1
        if len(self._places[fault.code]) < PLACES_TOLD:
            self._places[fault.code].append(fault.place)

    def findings(self) -> Iterator[Finding]:
        """Yield a finding for each kind of fault."""
        for code, number in sorted(self.numbers.items()):
            yield Finding(code, wrong=True, values={"number": number, "places": ", ".join(self._places[code])})


def check_recent_chains(conn: Connection, _now_ms: int) -> Iterator[Finding]:
    """Read the latest entries of the sessions that grew last."""
    recent = select(journal_session).order_by(journal_session.c.grown_at_ms.desc()).limit(RECENT_SESSIONS)
    tally, entries = Tally(), 0
    held = conn.execute(recent).all()
    for session in held:
        entries += _count(tally, read_session(conn, session, max(0, session.through + 1 - RECENT_ENTRIES)))
    yield from tally.findings()
    if not tally.numbers:
        yield Finding("chains", values={"sessions": len(held), "entries": entries})


def check_all_chains(store: Store) -> Iterator[Finding]:
    """Read every entry of every session, each session as it is at one moment, in memory that does not grow."""
    tally, entries, sessions = Tally(), 0, 0
    for name in session_names(store):
        with store.read() as conn:
            session = conn.execute(select(journal_session).where(journal_session.c.session == name)).one()
            entries += _count(tally, read_session(conn, session))
        sessions += 1
    with store.read() as conn:
        for session_id in conn.execute(_without_session()).scalars():
            tally.add(Fault("session_missing", session_id))
    yield from tally.findings()
    if not tally.numbers:
        yield Finding("chains_all", values={"sessions": sessions, "entries": entries})


def session_names(store: Store) -> Iterator[str]:
    """Yield the sessions that are held, in pages, with no transaction open between them."""
    after = ""
    while True:
        with store.read() as conn:
            page = (
                select(journal_session.c.session)
                .where(journal_session.c.session > after)
                .order_by(journal_session.c.session)
                .limit(_PAGE)
            )
            names = conn.execute(page).scalars().all()
        yield from names
        if len(names) < _PAGE:
            return
        after = names[-1]


def read_session(conn: Connection, session: Row[Any], from_seq: int = 0) -> Iterator[Stretch | Fault]:
    """Yield a session's entries from one on, in stretches; the first fault ends it.

    A line in quarantine may be anything, so of it only its place is judged, and its hash by the line after.
    """
    seq, prev = from_seq, ""
    if from_seq:
        before = select(entry.c.hash).where(entry.c.session == session.session, entry.c.seq == from_seq - 1)
        prev = conn.execute(before).scalar_one_or_none() or ""
    while True:
        page = (
            select(entry.c.seq, entry.c.kind, entry.c.line, entry.c.hash, entry.c.quarantined)
            .where(entry.c.session == session.session, entry.c.seq >= seq)
            .order_by(entry.c.seq)
            .limit(_PAGE)
        )
        rows = conn.execute(page).all()
        records: list[AttendanceRecord] = []
        for row in rows:
            if row.seq != seq:
                yield Fault("entry_missing", f"{session.session}:{seq}")
                return
            if row.quarantined is None:
                stored = JournalLine(line=row.line, hash=row.hash)
                record = understand(stored, Place(session=session.session, seq=seq, prev=prev))
                if isinstance(record, Quarantined) or kind_of(record.body) != row.kind:
                    yield Fault("entry_altered", f"{session.session}:{seq}")
                    return
                records.append(record)
            seq, prev = seq + 1, row.hash
        yield tuple(records)
        if len(rows) < _PAGE:
            break
    if seq - 1 < session.through:
        yield Fault("entry_missing", f"{session.session}:{seq}")
    elif (seq - 1, prev) != (session.through, session.hash):
        yield Fault("head_differs", session.session)


def _count(tally: Tally, read: Iterable[Stretch | Fault]) -> int:
    entries = 0
    for part in read:
        match part:
            case Fault():
                tally.add(part)
            case tuple():
                entries += len(part)
            case _:
                assert_never(part)
    return entries


def _without_session() -> Any:
    held = exists().where(journal_session.c.session == entry.c.session)
    return select(entry.c.session).where(~held).group_by(entry.c.session).order_by(func.min(entry.c.id)).limit(_PAGE)
