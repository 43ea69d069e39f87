"""What a kiosk is told of its site: policy, roster, sealed names, and the movements of today.

Versions are opaque texts; both carry the day, since enrolments begin and end and presence does not cross midnight. That
of the roster carries the kiosk too: names are sealed for it alone, and enrolled anew, here or at another site, it must
not take what it was given before for what it is to have now.
"""

from datetime import date
from typing import Any

from msgspec import UNSET
from sqlalchemy import Connection, Row, func, select

from attendance.clock import day_bounds, to_ms
from attendance.names import kiosk_key, seal
from attendance.policy import Policy, WayMode
from attendance.records import Head
from attendance.roster import Animal, Colour, DisplayName, Holder, Mark
from attendance.wire import PresencePart, RosterPart
from server.enrolled import lasts_on
from server.headcount import movements_of_day
from server.store.tables import card, child, enrolment, journal_session, kiosk, movement, site


def policy(conn: Connection, site_id: str) -> Policy:
    """Return the rules of a site's door."""
    row = conn.execute(select(site).where(site.c.id == site_id)).one()
    at_site = select(func.count()).where(kiosk.c.site_id == site_id, kiosk.c.revoked_at_ms.is_(None))
    return Policy(
        way=WayMode(row.way),
        repeat_window_s=row.repeat_window_s,
        undo_s=row.undo_s,
        reentry_allowed=row.reentry_allowed,
        kiosks_at_site=conn.execute(at_site).scalar_one(),
        contact_lost_s=row.contact_lost_s,
        staff_pin=row.staff_pin or UNSET,
    )


def roster_version(conn: Connection, for_kiosk: Row[Any], day: date) -> str:
    """Return the version of the roster part of a kiosk on a day."""
    count = conn.execute(select(site.c.roster_version).where(site.c.id == for_kiosk.site_id)).scalar_one()
    return f"{day.isoformat()}.{count}.{for_kiosk.id}"


def presence_version(conn: Connection, site_id: str, day: date) -> str:
    """Return the version of the presence part of a site on a day; cheap, it is asked for at every offer."""
    row = conn.execute(
        select(func.count(), func.coalesce(func.sum(movement.c.at_ms), 0), func.max(movement.c.id)).where(
            movement.c.day == day, movement.c.site_id == site_id, movement.c.undone_at_ms.is_(None)
        )
    ).one()
    return f"{day.isoformat()}.{row[0]}.{row[1]}.{row[2] or ''}"


def roster_part(conn: Connection, for_kiosk: Row[Any], day: date, master: bytes) -> RosterPart:
    """Return who is enrolled at a kiosk's site on a day, with the names sealed for that kiosk under the master key."""
    enrolled = (
        select(enrolment.c.child_id)
        .where(
            enrolment.c.site_id == for_kiosk.site_id,
            lasts_on(day),
        )
        .distinct()
        .scalar_subquery()
    )
    children = conn.execute(select(child).where(child.c.id.in_(enrolled)).order_by(child.c.id)).all()
    cards: dict[str, list[str]] = {}
    valid = select(card.c.child_id, card.c.card_hash).where(
        card.c.child_id.in_(enrolled), card.c.revoked_at_ms.is_(None)
    )
    for row in conn.execute(valid.order_by(card.c.id)):
        cards.setdefault(row.child_id, []).append(row.card_hash)
    names = {row.id: DisplayName(name=row.name, kana=row.kana) for row in children}
    return RosterPart(
        version=roster_version(conn, for_kiosk, day),
        holders=tuple(
            Holder(
                child=row.id,
                mark=Mark(Animal(row.animal), Colour(row.colour)),
                cards=tuple(cards.get(row.id, ())),
            )
            for row in children
        ),
        names=seal(names, kiosk_key(master, for_kiosk.id)),
    )


def presence_part(conn: Connection, for_kiosk: Row[Any], day: date) -> PresencePart:
    """Return the movements of a day at a kiosk's site, and how far the journals of its kiosks are in them.

    Of all its kiosks, since one that was enrolled anew holds what it wrote under another name. Hashes are left out: by
    the last one of a session the ledger knows who holds that journal, so no neighbour may hear it.
    """
    at_site = select(kiosk.c.id).where(kiosk.c.site_id == for_kiosk.site_id)
    grown_today = select(journal_session).where(
        journal_session.c.kiosk_id.in_(at_site),
        journal_session.c.grown_at_ms >= to_ms(day_bounds(day)[0]),
    )
    return PresencePart(
        version=presence_version(conn, for_kiosk.site_id, day),
        day=day,
        through=tuple(
            Head(row.session, row.through, "") for row in conn.execute(grown_today.order_by(journal_session.c.session))
        ),
        movements=tuple(movements_of_day(conn, for_kiosk.site_id, day)),
    )
