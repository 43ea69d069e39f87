"""What came in and is not as it should be: entries in quarantine, and movements whose time nothing vouches for."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import Connection, func, select

from attendance.chain import SECOND_HEADER
from attendance.clock import from_ms, local_day
from attendance.finding import Finding
from attendance.records import NOT_CANONICAL, WRONG_HASH
from server.doctor.kiosks import name_of
from server.entries import BROKEN_CHAIN, IMPOSSIBLE_CLOCK, OTHER_PLACE
from server.ledger import OTHER_KIOSK
from server.quarantine import REASONS
from server.store.tables import entry, kiosk, movement, site
from server.timeline import TimeSource

RECENT_DAYS = 30
"""What is older was told for a month, and nobody will do anything about it any more."""
_KINDS = {
    **dict.fromkeys(REASONS, "child"),
    OTHER_KIOSK: "kiosk",
    **dict.fromkeys((OTHER_PLACE, BROKEN_CHAIN, SECOND_HEADER), "chain"),
    **dict.fromkeys((WRONG_HASH, NOT_CANONICAL), "damaged"),
    IMPOSSIBLE_CLOCK: "clock",
}
"""Reasons of the ledger; any other says that the line's words are not known here."""


def check_quarantine(conn: Connection, now_ms: int) -> Iterator[Finding]:
    """Tell what is kept without being understood, by what a person can do about it."""
    rows = conn.execute(
        select(
            entry.c.quarantined,
            kiosk.c.name,
            site.c.name.label("site"),
            func.count().label("number"),
            func.max(entry.c.received_at_ms).label("last_ms"),
        )
        .join(kiosk, kiosk.c.id == entry.c.kiosk_id)
        .join(site, site.c.id == kiosk.c.site_id)
        .where(entry.c.quarantined.is_not(None))
        .group_by(entry.c.quarantined, kiosk.c.id, kiosk.c.name, site.c.name)
    ).all()
    since_ms = from_ms(now_ms) - timedelta(days=RECENT_DAYS)
    numbers: Counter[str] = Counter()
    names: defaultdict[str, set[str]] = defaultdict(set)
    old = 0
    for row in rows:
        if from_ms(row.last_ms) < since_ms:
            old += row.number
            continue
        kind = _KINDS.get(row.quarantined, "strange")
        numbers[kind] += row.number
        names[kind].add(name_of(row))
    for kind, number in sorted(numbers.items()):
        yield Finding(
            f"quarantine_{kind}", wrong=True, values={"number": number, "names": ", ".join(sorted(names[kind]))}
        )
    if old:
        yield Finding("quarantine_old", values={"number": old, "days": RECENT_DAYS})


def check_times(conn: Connection, now_ms: int) -> Iterator[Finding]:
    """Tell of the movements whose boot was never placed on the server's clock."""
    since = local_day(from_ms(now_ms)) - timedelta(days=RECENT_DAYS)
    rows = conn.execute(
        select(kiosk.c.name, site.c.name.label("site"), func.count().label("number"))
        .join(kiosk, kiosk.c.id == movement.c.kiosk_id)
        .join(site, site.c.id == kiosk.c.site_id)
        .where(movement.c.day >= since, movement.c.at_source == TimeSource.UNSETTLED, movement.c.undone_at_ms.is_(None))
        .group_by(kiosk.c.id, kiosk.c.name, site.c.name)
        .order_by(site.c.name, kiosk.c.name)
    ).all()
    if rows:
        names = ", ".join(f"{name_of(row)} ({row.number})" for row in rows)
        yield Finding("times_unsettled", wrong=True, values={"names": names})
