"""A municipality after years, in a database: what the server would hold had it run so long, written without its rules.

Every day each door boots, each child comes and leaves once, and its guardian has a notice of both.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Table, insert

from attendance.chain import place
from attendance.clock import JST, ClockReading, ClockState, to_ms
from attendance.presence import movement_id
from attendance.records import Body, Direction, Head, JournalLine, MadeBy, Moved, RecordDraft, SessionOpened, kind_of
from server.sites import add_site
from server.store import tables
from server.store.engine import Store
from server.store.ids import new_id

SITES, DOORS, CHILDREN = 20, 2, 40
"""Doors and children are those of a site."""
LAST_DAY = date(2026, 4, 15)
NOW_MS = to_ms(datetime.combine(LAST_DAY, time(20), JST))
"""All children have left, and all notices are sent."""
_BOOTED = time(8)
BOOTED_MS = to_ms(datetime.combine(LAST_DAY, _BOOTED, JST))
"""When all doors did on that day."""
_NAMED = 64
"""Sessions that a header names, as a kiosk's."""
_DAYS_A_COMMIT = 50
_MOVES = ((Direction.ENTRY, time(13)), (Direction.EXIT, time(17)))

_Rows = dict[Table, list[dict[str, Any]]]


@dataclass(slots=True)
class Door:
    """A kiosk, and its journal as far as a header or an offer names it."""

    id: str
    site: str
    children: Sequence[str]
    heads: list[Head] = field(default_factory=list)
    boot: str = ""

    def write(self, body: Body, at_ms: int, boot_ns: int) -> JournalLine:
        """Append an entry to the running session; a header begins another."""
        at = ClockReading(at_ms, None, boot_ns, ClockState.RTC)
        opens = isinstance(body, SessionOpened)
        session, after = (_hex(), None) if opens else (self.heads[-1].session, self.heads[-1])
        record, line = place(RecordDraft(body, at), kiosk=self.id, session=session, after=after)
        self.heads = [*(self.heads if opens else self.heads[:-1]), Head(session, record.seq, line.hash)]
        return line

    def header(self) -> SessionOpened:
        """Boot, and return what opens the session."""
        self.boot = _hex()
        self.heads = self.heads[-_NAMED:]
        return SessionOpened(boot=self.boot, app="bench", key="k" * 32, heads=tuple(self.heads))


def populate(store: Store, days: int, *, undated: int) -> list[Door]:
    """Fill a database with so many days up to LAST_DAY; the first door's boot `undated` days before has no anchor."""
    doors, guardians = _enrol(store, days)
    for start in range(days, 0, -_DAYS_A_COMMIT):
        with store.write() as conn:
            conn.exec_driver_sql("PRAGMA cache_size = -1000000")
            for back in range(start - 1, max(start - 1 - _DAYS_A_COMMIT, -1), -1):
                rows: _Rows = {each: [] for each in (tables.entry, tables.journal_session, tables.movement)}
                rows |= {tables.anchor: [], tables.delivery: []}
                for door in doors:
                    _day(door, LAST_DAY - timedelta(days=back), guardians, rows)
                if back == undated:
                    rows[tables.anchor].pop(0)
                for table, made in rows.items():
                    conn.execute(insert(table), made)
    return doors


def _enrol(store: Store, days: int) -> tuple[list[Door], dict[str, str]]:
    """Make sites, doors, children and guardians; return the doors, and the guardian of each child."""
    first_ms = NOW_MS - days * 86_400_000
    doors, guardians = [], {}
    with store.write() as conn:
        for number in range(SITES):
            site = add_site(conn, f"S{number:02}", f"Site {number}", first_ms, who="bench")
            children = [new_id() for _ in range(CHILDREN)]
            for child in children:
                guardians[child] = new_id()
                values = {"number": child, "name": "Child", "kana": "k", "animal": "cat", "colour": "blue"}
                conn.execute(insert(tables.child).values(id=child, **values))
                mine = {"email": f"{child}@example.jp", "language": "ja", "consented_at_ms": first_ms}
                conn.execute(insert(tables.guardian).values(id=guardians[child], **mine))
                conn.execute(insert(tables.guardianship).values(guardian_id=guardians[child], child_id=child))
                here = {"child_id": child, "site_id": site, "from_day": LAST_DAY - timedelta(days=days)}
                conn.execute(insert(tables.enrolment).values(id=new_id(), **here))
            for door in range(DOORS):
                made = Door(new_id(), site, children[door::DOORS])
                kiosk = insert(tables.kiosk).values(id=made.id, site_id=site, name=f"Door {door}", key_id=_hex())
                conn.execute(kiosk.values(public_key=bytes(32), enrolled_at_ms=first_ms, heard_at_ms=NOW_MS))
                doors.append(made)
    return doors, guardians


def _day(door: Door, day: date, guardians: dict[str, str], rows: _Rows) -> None:
    """Add what a door's day leaves behind."""
    booted_ms = to_ms(datetime.combine(day, _BOOTED, JST))
    _entry(door, door.header(), booted_ms, 0, rows)
    mine = {"kiosk_id": door.id, "boot": door.boot}
    for direction, begins in _MOVES:
        for number, child in enumerate(door.children):
            at_ms = to_ms(datetime.combine(day, begins, JST)) + number * 60_000
            boot_ns = (at_ms - booted_ms) * 1_000_000
            _entry(door, Moved(child, direction, MadeBy.CARD, None), at_ms, boot_ns, rows)
            made = {"id": movement_id(door.heads[-1].session, door.heads[-1].seq), "site_id": door.site, **mine}
            when = {"day": day, "at_ms": at_ms, "at_source": "anchor", "at_err_ms": 1000, "wall_ms": at_ms}
            what = {"child_id": child, "direction": direction, "made_by": "card", "boot_ns": boot_ns}
            rows[tables.movement].append(made | when | what)
            notice = {"id": new_id(), "movement_id": made["id"], "guardian_id": guardians[child], "topic": "moved"}
            sent = {"channel": "mail", "state": "sent", "attempts": 1, "provider_id": made["id"]}
            times = {"queued_at_ms": at_ms, "due_at_ms": at_ms + 8000, "settled_at_ms": at_ms + 9000}
            rows[tables.delivery].append(notice | sent | times)
    head = door.heads[-1]
    held = {"session": head.session, "through": head.seq, "hash": head.hash, "grown_at_ms": at_ms}
    rows[tables.journal_session].append(mine | held)
    rows[tables.anchor].append(mine | {"boot_ns": 0, "server_ms": booted_ms, "err_ms": 1000})


def _entry(door: Door, body: Body, at_ms: int, boot_ns: int, rows: _Rows) -> None:
    line = door.write(body, at_ms, boot_ns)
    head = door.heads[-1]
    named = {"id": new_id(), "kiosk_id": door.id, "session": head.session, "seq": head.seq}
    rows[tables.entry].append(
        named | {"kind": kind_of(body), "line": line.line, "hash": line.hash, "received_at_ms": at_ms}
    )


_random = random.Random(20260415)


def _hex() -> str:
    return f"{_random.getrandbits(128):032x}"
