"""The kiosks of a site as people see them: heard from or silent, and what they have not sent yet."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from server.clock_check import server_ahead_ms
from server.store.tables import kiosk
from server.twins import has_twin

SILENT_MS = 60_000
"""A kiosk asks every few seconds: one that was quiet for so long is cut off, and whoever watches children must know
that figures may be short. Sooner would cry wolf whenever a router or this server starts anew."""


@dataclass(frozen=True, slots=True)
class Door:
    """A kiosk at a site."""

    id: str
    name: str
    heard_at_ms: int | None
    """None: never."""
    silent: bool
    unsent: int
    trouble: str
    """Codes of readers that are down and of other problems, as the kiosk tells them; empty when all is well."""
    twin: bool
    """Whether two machines run under its name."""


def is_silent(heard_at_ms: int | None, at_ms: int) -> bool:
    """Say whether a kiosk that was last heard from then is cut off; one heard in the future is: the clock was set back.

    `heard_at_ms` None: never.
    """
    return heard_at_ms is None or abs(at_ms - heard_at_ms) > SILENT_MS


def doors(conn: Connection, site_id: str, at_ms: int) -> tuple[Door, ...]:
    """Return the kiosks of a site that are in service, by name."""
    in_service = select(kiosk).where(kiosk.c.site_id == site_id, kiosk.c.revoked_at_ms.is_(None))
    return tuple(
        Door(
            id=row.id,
            name=row.name,
            heard_at_ms=row.heard_at_ms,
            silent=is_silent(row.heard_at_ms, at_ms),
            unsent=row.unsent,
            trouble=row.trouble,
            twin=has_twin(row.twin_at_ms, at_ms),
        )
        for row in conn.execute(in_service.order_by(kiosk.c.name, kiosk.c.id))
    )


def own_clock_ahead_ms(conn: Connection, at_ms: int) -> int:
    """Return by how much this server's clock is ahead by the word of the kiosks that are not silent; 0 for all well."""
    heard = select(kiosk.c.clock_ahead_ms).where(
        kiosk.c.clock_ahead_ms.is_not(None),
        kiosk.c.heard_at_ms.between(at_ms - SILENT_MS, at_ms + SILENT_MS),
        kiosk.c.revoked_at_ms.is_(None),
    )
    return server_ahead_ms(conn.execute(heard).scalars().all())
