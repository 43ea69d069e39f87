"""What can be saved of a journal that was set aside: sound entries go into the new journal, and so to the server.

Every entry proves itself by its hash and its place by the one after it, so a damaged file may be read in any way that
yields some. The file itself is never written.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

from sqlite_utils import Database

from attendance.errors import WireError
from attendance.records import FIRST_PREV, AttendanceRecord, Head, JournalLine, SessionOpened, read_line
from kiosk.journal_queries import INSERT_ENTRY
from kiosk.leaf_pages import Pages, leaf_rows, opened
from kiosk.lost_entries import lost_between

_INSERT_SESSION_FIRST = """
    INSERT INTO session (rowid, id, boot) VALUES ((SELECT coalesce(min(rowid), 0) - 1 FROM session), ?, ?)
"""
_NEVER = -1
"""When a lost entry was written, for the queries by time: it is in no span."""
_LINE_BEGINS, _LINE_ENDS, _HASH_BYTES = re.compile(rb'\{"at":\{'), b'"v":1}', 64

Entry = tuple[AttendanceRecord, JournalLine]
"""A record and the line it was read from."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What is sound of a session: entries in order, each with its number, some perhaps missing."""

    session: str
    boot: str
    """Empty when neither the first entry nor the table of sessions could be read."""
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Search:
    """What a damaged file gave."""

    sessions: Sequence[Salvaged]
    """In the order in which they began."""
    fruitless: bool
    """Whether there is nothing sound in it, though it holds what were entries once."""


def search(aside: Path) -> Search:
    """Read all that is sound in a damaged file; takes seconds for a full journal. Raises: OSError."""
    found = _Found()
    with opened(aside) as pages:
        found.read_rows(pages)
        remains = found.read_text(pages)
    sessions = [found.session(name) for name in _in_order(found)]
    return Search([each for each in sessions if each.entries], fruitless=remains and not found.entries)


def take_in(db: Database, found: Salvaged) -> int:
    """Put a session before all others of a journal, unless it is there; return how many sound entries it brought.

    Where some are missing, lines that say so take their places. Raises: sqlite3.Error.
    """
    db.execute("BEGIN IMMEDIATE")
    if db.execute("SELECT 1 FROM session WHERE id = ?", (found.session,)).fetchone():
        db.execute("ROLLBACK")
        return 0
    # The order of sessions is that of their rows, and the running one is the last.
    db.execute(_INSERT_SESSION_FIRST, (found.session, found.boot))
    head: Head | None = None
    for record, stored in found.entries:
        for seq, lost in lost_between(head, record):
            db.execute(INSERT_ENTRY, (record.session, seq, _NEVER, _NEVER, lost.line, lost.hash))
        at = record.at
        db.execute(INSERT_ENTRY, (record.session, record.seq, at.boot_ns, at.wall_ms, stored.line, stored.hash))
        head = Head(record.session, record.seq, stored.hash)
    db.execute("COMMIT")
    return len(found.entries)


@dataclass(slots=True)
class _Found:
    """What was read of a file so far."""

    entries: dict[str, dict[int, Entry]] = field(default_factory=lambda: defaultdict(dict))
    """By session and number."""
    table: dict[str, tuple[int, str]] = field(default_factory=dict)
    """The table of sessions: row and boot, by session. Nothing proves it."""
    hashes: set[str] = field(default_factory=set)

    def read_rows(self, pages: Pages) -> None:
        """Take in the rows of both tables."""
        for row in leaf_rows(pages):
            match row.values:
                case (bytes(), int(), int(), int(), bytes(line), bytes(digest)):
                    self._add(line, digest)
                case (bytes(session), bytes(boot)):
                    with suppress(UnicodeDecodeError):
                        self.table.setdefault(session.decode(), (row.rowid, boot.decode()))
                case _:
                    pass

    def read_text(self, pages: Pages) -> bool:
        """Take in lines that stand in pages whose list of rows is spoilt; say whether there is any line at all.

        A row holds its line and, right behind it, the hash.
        """
        any_line = False
        for page in pages.all():
            for begins in _LINE_BEGINS.finditer(page):
                any_line = True
                ends = page.find(_LINE_ENDS, begins.start()) + len(_LINE_ENDS)
                self._add(page[begins.start() : ends], page[ends : ends + _HASH_BYTES])
        return any_line

    def _add(self, line: bytes, digest: bytes) -> None:
        with suppress(WireError, UnicodeDecodeError):
            stored = JournalLine(line=line.decode(), hash=digest.decode())
            if stored.hash not in self.hashes:
                record = read_line(stored)
                self.hashes.add(stored.hash)
                self.entries[record.session].setdefault(record.seq, (record, stored))

    def session(self, name: str) -> Salvaged:
        """Return what of a session can be sent: entries that follow one another, or what is missing between them."""
        entries = list(_chained(self.entries[name]))
        opening = self.opening(name)
        return Salvaged(name, opening.boot if opening else self.table.get(name, (0, ""))[1], entries)

    def opening(self, name: str) -> SessionOpened | None:
        """Return the beginning of a session if it is sound."""
        first = self.entries[name].get(0)
        return first[0].body if first is not None and isinstance(first[0].body, SessionOpened) else None


def _chained(found: dict[int, Entry]) -> Iterator[Entry]:
    seq, prev = -1, FIRST_PREV
    for number, (record, stored) in sorted(found.items()):
        follows = number != seq + 1 or record.prev == prev
        if not follows or (number == 0) != isinstance(record.body, SessionOpened):
            return
        yield record, stored
        seq, prev = number, stored.hash


def _in_order(found: _Found) -> list[str]:
    """The sessions of which something is sound, as they began: by their table, and by what their beginnings name."""
    in_table = sorted(found.entries.keys() & found.table.keys(), key=lambda name: found.table[name][0])
    named = [
        [*(head.session for head in opening.heads), name]
        for name in found.entries
        if (opening := found.opening(name)) is not None
    ]
    try:
        order = _merged([in_table, *named, *([name] for name in found.entries)])
    except CycleError:
        order = [*in_table, *(name for name in found.entries if name not in found.table)]
    return [name for name in order if name in found.entries]


def _merged(orders: Iterable[Sequence[str]]) -> list[str]:
    """One order in which all of these hold. Raises: CycleError when there is none."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for order in orders:
        for name in order:
            sorter.add(name)
        for before, after in pairwise(order):
            sorter.add(after, before)
    return list(sorter.static_order())
