"""The answer to a kiosk's offer: its journal compared with what the server holds, its health and clock (step 10).

What is wanted follows from the entries that are really here, so a server restored from a backup simply asks again.
"""

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select, update

from attendance.clock import from_ms, local_day
from attendance.records import Head
from attendance.wire import Health, KioskNow, OfferRequest, OfferResponse, Want
from server.clock_check import clock_difference
from server.derive import find_anchor, take_anchor
from server.roster_state import presence_version, roster_version
from server.store.chunks import chunks
from server.store.tables import entry, journal_session, kiosk
from server.timeline import Anchor, anchor_of_offer, is_possible
from server.twins import are_two_machines, has_twin

log = logging.getLogger(__name__)

MAX_BATCH = 500
"""Entries a request, see attendance.wire.MAX_BODY_BYTES."""
_APP_LENGTH = 40
_TROUBLE_LENGTH = 500
_BOOT_LENGTH = 36
_MOST_HEADS = 200
"""In one statement: SQLite bounds how deep an OR of them may be."""


def answer(conn: Connection, sender: Row[Any], request: OfferRequest, now_ms: int) -> OfferResponse:
    """Record a kiosk's health and clock, and return which of its entries the server lacks."""
    tied = anchor_of_offer(request.now.at, request.now.heard, now_ms)
    _note(conn, sender, request, tied, now_ms)
    _note_twin(conn, sender, request.now.boot, tied, now_ms)
    _set_anchor(conn, sender.id, request.now, tied)
    day = local_day(from_ms(now_ms))
    return OfferResponse(
        want=wanted(conn, request.heads),
        time_ms=now_ms,
        max_batch=MAX_BATCH,
        backoff_ms=0,
        roster_version=roster_version(conn, sender, day),
        presence_version=presence_version(conn, sender.site_id, day),
    )


def trouble_of(health: Health) -> str:
    """Return the codes of what is wrong with a kiosk, separated by spaces; empty when all is well."""
    down = [f"reader:{name}:{state}" for name, state in sorted(health.readers.items()) if state != "up"]
    return " ".join("_".join(code.split()) for code in [*down, *health.problems])[:_TROUBLE_LENGTH]


def _note(conn: Connection, sender: Row[Any], request: OfferRequest, tied: Anchor, now_ms: int) -> None:
    health, trouble = request.health, trouble_of(request.health)
    ahead_ms = _clock_ahead_ms(request.now, tied, now_ms)
    if ahead_ms and not sender.clock_ahead_ms:
        log.warning("clocks differ kiosk=%s server_ahead_ms=%d", sender.id, ahead_ms)
    if trouble and trouble != sender.trouble:
        log.warning("kiosk trouble kiosk=%s codes=%r", sender.id, trouble)
    elif sender.trouble and not trouble:
        log.info("kiosk well again kiosk=%s", sender.id)
    conn.execute(
        update(kiosk)
        .where(kiosk.c.id == sender.id)
        .values(
            heard_at_ms=now_ms,
            app=health.app[:_APP_LENGTH],
            unsent=health.unsent,
            trouble=trouble,
            clock_ahead_ms=ahead_ms,
            boot=request.now.boot[:_BOOT_LENGTH],
        )
    )


def _note_twin(conn: Connection, sender: Row[Any], boot: str, tied: Anchor, now_ms: int) -> None:
    """Compare the boot that asks with the one that asked before: a kiosk whose card runs twice has two in turn."""
    if not sender.boot or sender.boot == boot:
        return
    other = find_anchor(conn, sender.id, sender.boot)
    if other is None or not are_two_machines(tied, other):
        return
    if not has_twin(sender.twin_at_ms, now_ms):
        log.warning("two machines kiosk=%s boots=%s,%s", sender.id, sender.boot, boot)
    conn.execute(update(kiosk).where(kiosk.c.id == sender.id).values(twin_at_ms=now_ms))


def _clock_ahead_ms(now: KioskNow, tied: Anchor, now_ms: int) -> int | None:
    """Compare the clocks where the kiosk heard the server's time, so that a slow way is not taken for a wrong clock."""
    if not tied.is_heard:
        return clock_difference(now.at, now_ms)
    return clock_difference(now.at, tied.server_ms + (now.at.boot_ns - tied.boot_ns) // 1_000_000, tied.err_ms)


def _set_anchor(conn: Connection, kiosk_id: str, now: KioskNow, tied: Anchor) -> None:
    if is_possible(now.at) and 0 < len(now.boot) <= _BOOT_LENGTH:
        take_anchor(conn, kiosk_id, now.boot, tied)


def wanted(conn: Connection, heads: tuple[Head, ...]) -> tuple[Want, ...]:
    """Return what to ask for: of each offered session, the entries after those held.

    Where the hash at the offered head differs, that entry is asked for, and the ledger finds the conflict. What is not
    asked for counts as acknowledged on the kiosk, so whatever is lacking is asked for, whoever offers it.
    """
    held = _held(conn, heads)
    inside = _hashes(conn, [head for head in heads if head.session in held and head.seq < held[head.session].seq])
    wanted = []
    for head in heads:
        last = held.get(head.session, Head(head.session, -1, ""))
        if head.seq > last.seq:
            wanted.append(Want(session=head.session, from_seq=last.seq + 1))
        elif head.hash != (last.hash if head.seq == last.seq else inside.get((head.session, head.seq))):
            wanted.append(Want(session=head.session, from_seq=head.seq))
    return tuple(wanted)


def _held(conn: Connection, heads: Sequence[Head]) -> dict[str, Head]:
    """Return the last entry held of each offered session of which there is one."""
    held: dict[str, Head] = {}
    for chunk in chunks(heads, _MOST_HEADS):
        these = journal_session.c.session.in_([head.session for head in chunk])
        columns = (journal_session.c.session, journal_session.c.through, journal_session.c.hash)
        held.update({row.session: Head(*row) for row in conn.execute(select(*columns).where(these))})
    return held


def _hashes(conn: Connection, heads: Sequence[Head]) -> dict[tuple[str, int], str]:
    """Return the hashes held at offered heads inside longer sessions, as a kiosk has whose disk was rolled back."""
    hashes: dict[tuple[str, int], str] = {}
    for chunk in chunks(heads, _MOST_HEADS):
        # SQLite reads the whole table for (session, seq) IN (...); for these it uses the index.
        these = or_(*(and_(entry.c.session == head.session, entry.c.seq == head.seq) for head in chunk))
        asked = select(entry.c.session, entry.c.seq, entry.c.hash).where(these)
        hashes.update({(row.session, row.seq): row.hash for row in conn.execute(asked)})
    return hashes
