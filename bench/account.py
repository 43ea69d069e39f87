"""Compares what the doors said "ok" to with what journals, server and guardians have of it, and counts the rest."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, fields

from sqlalchemy import Connection, select

from attendance.chain import verify
from attendance.clock import from_ms, local_day
from attendance.errors import WireError
from attendance.presence import Movement, Presence, fold, movement_id
from attendance.records import AttendanceRecord, Head, JournalLine, Moved, Undone, kind_of, read_line
from bench.house import House
from bench.parts import Kiosk
from kiosk.database import asides_of
from kiosk.journal_reader import JournalReader
from kiosk.roster_cache import RosterCache
from server.headcount import movements_of_day
from server.notify.outbox import MOVED, UNDONE
from server.store.engine import using_store
from server.store.tables import delivery, entry, guardian, guardianship, kiosk, movement

Lines = Mapping[tuple[str, int], JournalLine]
"""Entries by session and number."""
_EXAMPLES = 10
WANTED = (
    select(movement.c.id.label("movement"), guardian.c.id.label("guardian"))
    .join(guardianship, guardianship.c.child_id == movement.c.child_id)
    .join(guardian, guardian.c.id == guardianship.c.guardian_id)
    .where(movement.c.undone_at_ms.is_(None), guardian.c.consented_at_ms.is_not(None))
)
"""Who is to be told of which movement."""


@dataclass
class Account:
    """What came of it all; zeros but for the first and the last figure are what is promised."""

    acknowledged: int = 0
    """Answers of "ok"."""
    lost: int = 0
    """Entries and notices that did not arrive."""
    doubled: int = 0
    """Entries and notices that arrived as if there were two."""
    wrong: int = 0
    """Chains that do not hold, entries nobody made, a presence that differs, acknowledgements of what is not held."""
    repeated: int = 0
    """Notices that came again with the same Message-ID, as they may."""
    examples: list[str] = field(default_factory=list)
    _seen: set[tuple[str, Hashable]] = field(default_factory=set)

    def count(self, figure: str, found: Iterable[Hashable], what: str) -> None:
        """Add what was not found before to a figure, and keep the first few for whoever looks into it."""
        fresh = {(what, each) for each in found} - self._seen
        self._seen |= fresh
        setattr(self, figure, getattr(self, figure) + len(fresh))
        if fresh and len(self.examples) < _EXAMPLES:
            self.examples.append(f"{figure} {len(fresh)}, {what}: {[each for _, each in sorted(fresh, key=str)][:3]}")

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled or wrong."""
        return self.lost == self.doubled == self.wrong == 0

    def __add__(self, other: "Account") -> "Account":
        figures = (each.name for each in fields(self) if not each.name.startswith("_"))
        return Account(*(getattr(self, each) + getattr(other, each) for each in figures))


def take_stock(house: House, account: Account) -> None:
    """Count what must hold at any moment, whoever is dead: nothing promised is gone, nothing is held that is not so."""
    for each in house.kiosks:
        # In this order: what the server holds when it is asked last is the most there can be.
        house.look()
        promised = dict(each.recorded)
        acks = _acks(each)
        lines = journal_of(each)
        with using_store(house.store_url) as store, store.read() as conn:
            held = held_of(conn, each)
        after = journal_of(each)
        gone = [key for key in promised if key not in lines or kind_of(read_line(lines[key]).body) != promised[key]]
        account.count("lost", gone, "promised at the door and not in its journal")
        false = [ack for ack in acks if (ack.session, ack.seq) not in held or held[ack[:2]].hash != ack.hash]
        account.count("wrong", false, "acknowledged by the server and not held")
        foreign = [key for key in held if held[key] != after.get(key)]
        account.count("wrong", foreign, "held by the server and not in the journal")


def has_settled(house: House) -> bool:
    """Say whether every entry has arrived and no notice waits."""
    with using_store(house.store_url) as store, store.read() as conn:
        if conn.execute(select(delivery.c.id).where(delivery.c.state == "queued").limit(1)).first() is not None:
            return False
        return all(len(held_of(conn, each)) >= len(journal_of(each)) for each in house.kiosks)


def close_account(house: House, account: Account) -> None:
    """Count, once everything has settled, what did not arrive or arrived twice."""
    take_stock(house, account)
    with using_store(house.store_url) as store, store.read() as conn:
        for each in house.kiosks:
            _entries(conn, each, account, house.taps)
        _presence(conn, house, account)
        _notices(conn, house, account)
    account.acknowledged += sum(len(each.recorded) for each in house.kiosks)
    account.count("wrong", [part.name for part in house.parts if "Traceback" in part.log], "tracebacks in the logs")


def journal_of(each: Kiosk) -> Lines:
    """Return every entry of a kiosk's journal."""
    with closing(JournalReader(each.data / "journal.db")) as reader:
        return {
            (head.session, seq): line
            for head in reader.heads()
            for seq, line in enumerate(reader.read(head.session, 0, -1))
        }


def held_of(conn: Connection, each: Kiosk) -> Lines:
    """Return every entry that the server holds of a kiosk."""
    asked = (
        select(entry.c.session, entry.c.seq, entry.c.line, entry.c.hash)
        .join(kiosk, kiosk.c.id == entry.c.kiosk_id)
        .where(kiosk.c.name == each.folder.name)
        .order_by(entry.c.session, entry.c.seq)
    )
    return {(row.session, row.seq): JournalLine(line=row.line, hash=row.hash) for row in conn.execute(asked)}


def _acks(each: Kiosk) -> list[Head]:
    with closing(RosterCache.open(each.data / "cache.db", read_only=True)) as cache:
        return cache.acks()


def _entries(conn: Connection, each: Kiosk, account: Account, taps: Counter[str]) -> None:
    ours, theirs = journal_of(each), held_of(conn, each)
    account.count("lost", ours.keys() - theirs.keys(), "in the journal and not on the server")
    account.count("wrong", [*_broken_chains(ours), *_broken_chains(theirs)], "chains that do not verify")
    account.count("wrong", asides_of(each.data / "journal.db"), "journals set aside")
    refused = select(entry.c.id).where(entry.c.quarantined.is_not(None))
    account.count("wrong", conn.execute(refused).scalars(), "entries in quarantine")
    records = [read_line(line) for line in ours.values()]
    made = Counter(record.body.child for record in records if isinstance(record.body, Moved))
    account.count("doubled", (made - taps).elements(), "more movements of a child than it held its card to a reader")


def _broken_chains(lines: Lines) -> list[str]:
    sessions: dict[str, list[JournalLine]] = {}
    for (session, _), line in lines.items():
        sessions.setdefault(session, []).append(line)
    broken = []
    for session, chain in sessions.items():
        try:
            verify(chain)
        except WireError:
            broken.append(session)
    return broken


def _presence(conn: Connection, house: House, account: Account) -> None:
    """Fold the journals as a kiosk does, and compare with what the server folds from its own rows."""
    days = defaultdict(list)
    for each in house.kiosks:
        for found in _standing(read_line(line) for line in journal_of(each).values()):
            days[local_day(from_ms(found.at_ms))].append(found)
    sites = conn.execute(select(kiosk.c.site_id).distinct()).scalars().all()
    for day, ours in days.items():
        theirs = [each for site in sites for each in movements_of_day(conn, site, day)]
        account.count("lost", {each.id for each in ours} - {each.id for each in theirs}, "movements not derived")
        account.count("wrong", {each.id for each in theirs} - {each.id for each in ours}, "movements nobody made")
        kiosk_says, server_says = _told(fold(ours)), _told(fold(theirs))
        differ = [child for child in kiosk_says.keys() | server_says if kiosk_says.get(child) != server_says.get(child)]
        account.count("wrong", differ, f"children whose presence differs on {day}")


def _standing(records: Iterable[AttendanceRecord]) -> list[Movement]:
    """Return the movements of a kiosk that stand."""
    known = list(records)
    undone = {(record.session, record.body.seq) for record in known if isinstance(record.body, Undone)}
    return [
        Movement(movement_id(record.session, record.seq), record.body.child, record.body.direction, record.at.wall_ms)
        for record in known
        if isinstance(record.body, Moved) and (record.session, record.seq) not in undone
    ]


def _told(folded: Mapping[str, Presence]) -> dict[str, tuple[bool, int, int]]:
    return {child: (each.present, each.entries, each.exits) for child, each in folded.items()}


def _notices(conn: Connection, house: House, account: Account) -> None:
    """Hold what the guardians' mail server took against what the server says of each notice."""
    rows = conn.execute(select(delivery)).all()
    taken = dict(house.mailbox.taken)
    sent = {row.id for row in rows if row.state == "sent"}
    account.count("lost", sent - taken.keys(), "notices marked as sent that nobody got")
    unsure = {row.id for row in rows if row.state == "cancelled" and row.leased_until_ms is not None}
    never = {row.id for row in rows if row.state != "sent"} - unsure
    account.count("wrong", never & taken.keys(), "notices that came and were called off, or still wait")
    account.count("wrong", taken.keys() - {row.id for row in rows}, "mails that nobody queued")
    account.repeated += sum(taken.values()) - len(taken)
    told = Counter((row.movement_id, row.guardian_id, row.topic) for row in rows if row.id in taken)
    account.count("doubled", [each for each, number in told.items() if number > 1], "notices under two Message-IDs")
    wanted = {(row.movement, row.guardian) for row in conn.execute(WANTED)}
    account.count("lost", {each for each in wanted if (*each, MOVED) not in told}, "guardians who were told nothing")
    taken_back = {(of, guardian_id) for of, guardian_id, topic in told if topic == MOVED} - wanted
    uncorrected = {each for each in taken_back if (*each, UNDONE) not in told}
    account.count("wrong", uncorrected, "notices of what was taken back, and no correction")
    asked = select(delivery.c.id, guardian.c.email).join(guardian, guardian.c.id == delivery.c.guardian_id)
    strayed = [
        row.id for row in conn.execute(asked) if house.mailbox.recipients.get(row.id, {row.email}) != {row.email}
    ]
    account.count("wrong", strayed, "notices to somebody else")
