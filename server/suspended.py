"""Guardians whose address refused mail for good: nothing is sent to them until the office mends it."""

from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import Connection, select

from attendance.kana import kana_key
from server.enrolled import not_over
from server.store.tables import child, enrolment, guardian, guardianship, site


@dataclass(frozen=True, slots=True)
class SuspendedAddress:
    """A guardian who gets no notices, and the child they would be about; the address itself is in the roster file."""

    guardian_id: str
    guardian: str = field(repr=False)
    """Empty when the roster holds no name."""
    child: str = field(repr=False)
    number: str
    site: str
    since_ms: int


def suspended_addresses(conn: Connection, today: date) -> list[SuspendedAddress]:
    """Return the suspended addresses of children enrolled now or later, by site and kana."""
    rows = conn.execute(
        select(
            guardian.c.id,
            guardian.c.name.label("guardian"),
            guardian.c.suspended_at_ms,
            child.c.number,
            child.c.name,
            child.c.kana,
            site.c.code,
            site.c.name.label("site"),
        )
        .join(guardianship, guardianship.c.guardian_id == guardian.c.id)
        .join(child, child.c.id == guardianship.c.child_id)
        .join(enrolment, enrolment.c.child_id == child.c.id)
        .join(site, site.c.id == enrolment.c.site_id)
        .where(guardian.c.suspended_at_ms.is_not(None), guardian.c.consented_at_ms.is_not(None), not_over(today))
        .distinct()
    )
    return [
        SuspendedAddress(row.id, row.guardian, row.name, row.number, row.site, row.suspended_at_ms)
        for row in sorted(rows, key=lambda row: (row.code, kana_key(row.kana), row.number, row.id))
    ]
