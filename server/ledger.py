"""The ledger: takes journal entries from kiosks, once each, and has derived what follows from them (step 11).

One transaction: entries are inserted or recognised, movements derived, notices queued. Nothing is refused that
happened at a door: what is not understood is kept as it came, in quarantine, and counts as received.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from attendance.errors import WireError
from attendance.records import AttendanceRecord, JournalLine, Moved, SessionOpened, Undone, kind_of
from attendance.wire import EntriesRequest, Receipt
from server import quarantine
from server.derive import Source, derive, find_anchor, known_children, lend_anchor, take_anchor
from server.entries import Place, Quarantined, kiosk_of, prev_of, storable, understand
from server.store.engine import Store
from server.store.ids import new_id
from server.store.tables import entry, journal_session, kiosk
from server.timeline import Anchor, TimeSource, anchor_of_answer

log = logging.getLogger(__name__)

_SESSION = re.compile(r"[0-9A-Za-z-]{1,36}")
OTHER_KIOSK = "the line names another kiosk"
"""Reason for quarantine."""


@dataclass(slots=True)
class _Session:
    """What is held of a session while entries are added to it."""

    name: str
    owner: str
    named: str | None
    """The kiosk that its lines name: the owner, but for what was written under a name this server does not know.

    The first line that is understood says it, which is the header unless that was lost; None until then.
    """
    boot: str = ""
    through: int = -1
    hash: str = ""

    def receipt(self, quarantined: Sequence[int] = ()) -> Receipt:
        return Receipt(session=self.name, through=self.through, hash=self.hash, quarantined=tuple(quarantined))


@dataclass(slots=True)
class _Fresh:
    """What is new in a request."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    records: list[AttendanceRecord] = field(default_factory=list)
    quarantined: list[int] = field(default_factory=list)


def accept(store: Store, sender: Row[Any], request: EntriesRequest, now_ms: int) -> Receipt:
    """Take a stretch of entries from a kiosk and say what is now held, durably. Raises: WireError, StoreError."""
    with store.write() as conn:
        return accept_within(conn, sender, request, now_ms)


def accept_within(conn: Connection, sender: Row[Any], request: EntriesRequest, now_ms: int) -> Receipt:
    """Do as `accept`, in a transaction that the caller commits before it answers. Raises: WireError."""
    if request.from_seq < 0 or not _SESSION.fullmatch(request.session):
        raise WireError("entries", "no such place in a journal")
    session = _held(conn, sender, request.session)
    if session.owner != sender.id and not _proves_to_hold(session, request):
        log.warning("foreign session kiosk=%s session=%s", sender.id, session.name)
        return Receipt(session=session.name, through=-1, hash="")
    again = max(session.through + 1 - request.from_seq, 0)
    wrong = _recognise(conn, session, request.from_seq, request.entries[:again])
    if request.from_seq > session.through + 1 or not request.entries[again:]:
        return session.receipt(wrong)
    told = range(request.told + 1)
    fresh = _read(conn, sender, session, request.entries[again:], now_ms, told)
    _keep(conn, session, fresh, now_ms)
    if request.heard is not None and session.boot:
        last_ns = max((record.at.boot_ns for record in fresh.records), default=0)
        remembered = anchor_of_answer(request.heard, last_ns, now_ms)
        if remembered is not None:
            _anchor_again(conn, sender, session, remembered)
    if session.owner != sender.id:
        log.info("brought for another kiosk=%s by=%s session=%s", session.owner, sender.id, session.name)
        lend_anchor(conn, session.boot, of=sender.id, to=session.owner)
    source = Source(site=_site_of(conn, session.owner), kiosk=session.owner, boot=session.boot)
    derive(conn, fresh.records, source, now_ms, told=told)
    return session.receipt(wrong + fresh.quarantined)


def _proves_to_hold(session: _Session, request: EntriesRequest) -> bool:
    """Say whether a stretch of another kiosk's session shows that its sender has that journal.

    A kiosk that is enrolled anew still holds the journal of the kiosk it was before. Nobody else knows the hash of the
    last entry held, so no kiosk can put words into the running journal of another.
    """
    last = session.through - request.from_seq
    if 0 <= last < len(request.entries):
        return storable(request.entries[last]).hash == session.hash
    return last == -1 and len(request.entries) > 0 and prev_of(request.entries[0]) == session.hash


def _anchor_again(conn: Connection, sender: Row[Any], session: _Session, remembered: Anchor) -> None:
    """Take an answer that a kiosk remembers of a boot, which may be over, where nothing as good is known.

    The anchor held is one of offers and so the newer, unless this database was restored. Of the boot of another kiosk's
    session a sender who brings that may tell what nobody knows, and correct nothing.
    """
    held = find_anchor(conn, session.owner, session.boot)
    if held is not None and session.owner != sender.id:
        return
    if held is None or not (held.source is TimeSource.ANCHOR and held.is_heard and held.boot_ns >= remembered.boot_ns):
        take_anchor(conn, session.owner, session.boot, remembered)


def _site_of(conn: Connection, kiosk_id: str) -> str:
    return str(conn.execute(select(kiosk.c.site_id).where(kiosk.c.id == kiosk_id)).scalar_one())


def _owner(conn: Connection, sender: Row[Any], named: str) -> str | None:
    """Return whose a session is by the kiosk that its lines name; None when that is of another site.

    A name that nobody bears here was given after the backup that this server was restored from, to the kiosk that
    brings it: enrolled anew, it has another. It may write under that one anyway, so its word gives it no more.
    """
    site_id = conn.execute(select(kiosk.c.site_id).where(kiosk.c.id == named)).scalar_one_or_none()
    if site_id is None:
        return str(sender.id)
    return named if site_id == sender.site_id else None


def _held(conn: Connection, sender: Row[Any], name: str) -> _Session:
    row = conn.execute(select(journal_session).where(journal_session.c.session == name)).one_or_none()
    if row is None:
        return _Session(name=name, owner=sender.id, named=None)
    understood = select(entry.c.line).where(entry.c.session == name, quarantine.IS_UNDERSTOOD)
    first = conn.execute(understood.order_by(entry.c.seq).limit(1)).scalar_one_or_none()
    named = None if first is None else kiosk_of(JournalLine(first, ""))
    return _Session(name, owner=row.kiosk_id, named=named, boot=row.boot, through=row.through, hash=row.hash)


def _recognise(conn: Connection, session: _Session, from_seq: int, lines: Sequence[JournalLine]) -> list[int]:
    """Compare lines with those held; return which of them are in quarantine, or not the same: then the first stands."""
    if not lines:
        return []
    held = conn.execute(
        select(entry.c.seq, entry.c.hash, entry.c.quarantined)
        .where(entry.c.session == session.name, entry.c.seq.between(from_seq, from_seq + len(lines) - 1))
        .order_by(entry.c.seq)
    ).all()
    wrong = []
    for row in held:
        conflict = row.hash != storable(lines[row.seq - from_seq]).hash
        if conflict:
            log.warning("conflict session=%s seq=%s", session.name, row.seq)
        if conflict or row.quarantined is not None:
            wrong.append(row.seq)
    return wrong


def _read(
    conn: Connection, sender: Row[Any], session: _Session, lines: Sequence[JournalLine], now_ms: int, told: range
) -> _Fresh:
    """Read new lines one after another, and move the session's end past them."""
    fresh = _Fresh()
    read: list[tuple[JournalLine, AttendanceRecord | Quarantined]] = []
    prev = session.hash
    for seq, sent in enumerate(lines, start=session.through + 1):
        read.append((storable(sent), understand(sent, Place(session=session.name, seq=seq, prev=prev))))
        prev = read[-1][0].hash
    strangers = _Strangers.among(conn, session.name, [each for _, each in read if isinstance(each, AttendanceRecord)])
    for stored, record in read:
        session.through, session.hash = session.through + 1, stored.hash
        checked = record if isinstance(record, Quarantined) else _place(conn, sender, session, record)
        if isinstance(checked, AttendanceRecord) and strangers.concerned(checked):
            checked = Quarantined(quarantine.unknown_child(told=checked.seq in told))
        if isinstance(checked, Quarantined):
            log.warning("quarantined session=%s seq=%s", session.name, session.through)
            fresh.quarantined.append(session.through)
        else:
            fresh.records.append(checked)
        fresh.rows.append(
            {
                "id": new_id(),
                "kiosk_id": session.owner,
                "session": session.name,
                "seq": session.through,
                "kind": "" if isinstance(checked, Quarantined) else kind_of(checked.body),
                "line": stored.line,
                "hash": stored.hash,
                "received_at_ms": now_ms,
                "quarantined": checked.reason if isinstance(checked, Quarantined) else None,
            }
        )
    return fresh


def _place(
    conn: Connection, sender: Row[Any], session: _Session, record: AttendanceRecord
) -> AttendanceRecord | Quarantined:
    """Check what a record says of its kiosk; the first also tells whose session it is, and a header of which boot."""
    if session.named is None:
        owner = _owner(conn, sender, record.kiosk)
        if owner is not None:
            session.owner, session.named = owner, record.kiosk
            session.boot = record.body.boot if isinstance(record.body, SessionOpened) else ""
        if owner == sender.id != record.kiosk:
            log.info("brought under a name unknown here kiosk=%s by=%s", record.kiosk, sender.id)
    return record if record.kiosk == session.named else Quarantined(OTHER_KIOSK)


@dataclass(slots=True)
class _Strangers:
    """Children in a stretch who are not on the roster, and their movements."""

    known: frozenset[str]
    waiting: set[int]
    """Movements of theirs in the session, held and in the stretch."""

    @classmethod
    def among(cls, conn: Connection, session: str, records: Sequence[AttendanceRecord]) -> "_Strangers":
        undone = {each.body.seq for each in records if isinstance(each.body, Undone)}
        return cls(known_children(conn, records), quarantine.waiting(conn, session, undone))

    def _is_of_stranger(self, record: AttendanceRecord) -> bool:
        return isinstance(record.body, Moved) and record.body.child not in self.known

    def concerned(self, record: AttendanceRecord) -> bool:
        """Say whether a record is to wait for its child: a movement, or what takes back one that waits."""
        if self._is_of_stranger(record):
            self.waiting.add(record.seq)
            return True
        return isinstance(record.body, Undone) and record.body.seq in self.waiting


def _keep(conn: Connection, session: _Session, fresh: _Fresh, now_ms: int) -> None:
    conn.execute(insert(entry), fresh.rows)
    held = {
        "kiosk_id": session.owner,
        "boot": session.boot,
        "through": session.through,
        "hash": session.hash,
        "grown_at_ms": now_ms,
    }
    if fresh.rows[0]["seq"] == 0:
        conn.execute(insert(journal_session).values(session=session.name, **held))
    else:
        conn.execute(update(journal_session).where(journal_session.c.session == session.name).values(**held))
