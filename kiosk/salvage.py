"""What can be saved of a journal that was set aside: sound entries go into the new journal, and so to the server.

Every entry proves itself by its hash, so a damaged file may be read in any way that yields some. The file itself is
never written: a copy is, whose first page is made anew when it is the one that is spoilt.
"""

import errno
import os
import shutil
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

from sqlite_utils import Database

from attendance.errors import WireError
from attendance.records import FIRST_PREV, AttendanceRecord, JournalLine, SessionOpened, read_line
from kiosk.ballast import SPARE_BYTES
from kiosk.database import asides_of, empty_database
from kiosk.journal_queries import INSERT_ENTRY
from kiosk.schema import JOURNAL, Schema

_COPIES = ".salvage-"
"""How the folders of copies are named; one process at a time makes them, the door."""
SMALLEST_ENTRY_BYTES = 200
"""A line is at least 300 bytes long; bounds how many rows a file can hold."""
_INSERT_SESSION_FIRST = """
    INSERT INTO session (rowid, id, boot) VALUES ((SELECT coalesce(min(rowid), 0) - 1 FROM session), ?, ?)
"""
_CHANGE_COUNTER_AT, _PAGE_COUNT_AT, _VALID_FOR_AT = 24, 28, 92
_FORMATS_AT = 18
"""Offsets in the first page. Source: sqlite.org/fileformat2.html, 1.3."""

Entry = tuple[AttendanceRecord, JournalLine]
"""A record and the line it was read from."""


def unsearched(path: Path) -> list[Path]:
    """Return the files set aside at a path that nobody has gone through."""
    return [each for each in asides_of(path) if not _mark(each).exists()]


def mark_searched(aside: Path) -> None:
    """Note that all that is sound in a file has been taken. Raises: OSError."""
    _mark(aside).touch()


def sound_chains(aside: Path) -> list[list[Entry]]:
    """Return of each session in a damaged file its entries from the first to the one before the first that is missing.

    Sessions come in the order in which they began. Takes seconds for a full journal. Raises: sqlite3.Error, OSError.
    """
    return _chains(_entries(aside))


def take_in(db: Database, entries: Sequence[Entry]) -> int:
    """Put a session before all others of a journal, unless it is there; return how many entries it brought.

    Raises: sqlite3.Error.
    """
    header = entries[0][0]
    assert isinstance(header.body, SessionOpened)
    db.execute("BEGIN IMMEDIATE")
    if db.execute("SELECT 1 FROM session WHERE id = ?", (header.session,)).fetchone():
        db.execute("ROLLBACK")
        return 0
    # The order of sessions is that of their rows, and the running one is the last.
    db.execute(_INSERT_SESSION_FIRST, (header.session, header.body.boot))
    for record, stored in entries:
        at = record.at
        db.execute(INSERT_ENTRY, (record.session, record.seq, at.boot_ns, at.wall_ms, stored.line, stored.hash))
    db.execute("COMMIT")
    return len(entries)


def _mark(aside: Path) -> Path:
    return aside.with_name(aside.name + ".salvaged")


def _chains(entries: dict[str, dict[int, Entry]]) -> list[list[Entry]]:
    """Of each session the unbroken chain from its header on, in the order in which the sessions were found."""
    chains = []
    for found in entries.values():
        chain: list[Entry] = []
        prev = FIRST_PREV
        while (entry := found.get(len(chain))) is not None and entry[0].prev == prev:
            chain.append(entry)
            prev = entry[1].hash
        if chain and isinstance(chain[0][0].body, SessionOpened):
            chains.append(chain)
    return chains


def _entries(aside: Path) -> dict[str, dict[int, Entry]]:
    """The sound entries of a damaged file, by session and number."""
    found: dict[str, dict[int, Entry]] = defaultdict(dict)
    for left in aside.parent.glob(f"{_COPIES}*"):  # by a process that was killed over it
        shutil.rmtree(left)
    _expect_room(aside)
    with tempfile.TemporaryDirectory(dir=aside.parent, prefix=_COPIES) as folder:
        for first_page_anew in (False, True):
            copy = _copy(aside, Path(folder) / f"copy-{first_page_anew}")
            if first_page_anew and not _renew_first_page(copy, JOURNAL):
                continue
            for record, stored in _rows(copy):
                found[record.session].setdefault(record.seq, (record, stored))
    return found


def _expect_room(aside: Path) -> None:
    """Raise OSError where two copies would take the space that the next child's record needs."""
    copies = 2 * sum(part.stat().st_size for part in _parts(aside))
    if shutil.disk_usage(aside.parent).free < copies + SPARE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(aside))


def _parts(aside: Path) -> list[Path]:
    """The file and its log, if there is one."""
    return [part for part in (aside, aside.with_name(f"{aside.name}-wal")) if part.exists()]


def _copy(aside: Path, to: Path) -> Path:
    for part in _parts(aside):
        shutil.copyfile(part, to.with_name(to.name + part.name.removeprefix(aside.name)))
    return to


def _renew_first_page(copy: Path, schema: Schema) -> bool:
    """Give a copy the first page of a new file with the same tables; false when it is too short to have one.

    The tables of one version lie at the same pages in every file, since the same statements made them.
    """
    with closing(empty_database(schema)) as fresh:
        page_bytes = fresh.execute("PRAGMA page_size").fetchone()[0]
        page = bytearray(fresh.conn.serialize()[:page_bytes])
    pages = copy.stat().st_size // page_bytes
    if pages < 2:
        return False
    page[_PAGE_COUNT_AT : _PAGE_COUNT_AT + 4] = pages.to_bytes(4, "big")
    page[_VALID_FOR_AT : _VALID_FOR_AT + 4] = page[_CHANGE_COUNTER_AT : _CHANGE_COUNTER_AT + 4]
    page[_FORMATS_AT : _FORMATS_AT + 2] = b"\x02\x02"  # write-ahead log, so that the copy's log is read too
    with copy.open("r+b") as file:
        file.write(page)
    return True


def _rows(copy: Path) -> Iterator[Entry]:
    """Each row that can be got at by its number; those on spoilt pages are passed over."""
    largest = sum(part.stat().st_size for part in copy.parent.glob(f"{copy.name}*")) // SMALLEST_ENTRY_BYTES
    with closing(sqlite3.connect(copy)) as connection:
        connection.text_factory = bytes
        for number in range(1, largest + 1):
            with suppress(sqlite3.Error, WireError, UnicodeDecodeError):
                row = connection.execute("SELECT line, hash FROM entry WHERE rowid = ?", (number,)).fetchone()
                if row is not None:
                    stored = JournalLine(line=row[0].decode(), hash=row[1].decode())
                    yield read_line(stored), stored
