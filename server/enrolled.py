"""Who is enrolled when: the conditions on enrolments by which rosters, cards, counts and lists ask."""

from datetime import date

from sqlalchemy import ColumnElement, Connection, or_, select

from server.store.tables import enrolment


def not_over(day: date) -> ColumnElement[bool]:
    """Hold for enrolments that last on a day or begin after it."""
    return or_(enrolment.c.until_day.is_(None), enrolment.c.until_day >= day)


def lasts_on(day: date) -> ColumnElement[bool]:
    """Hold for enrolments that last on a day."""
    return (enrolment.c.from_day <= day) & not_over(day)


def enrolled_children(conn: Connection, site_id: str, day: date) -> set[str]:
    """Return who is enrolled at a site on a day or later."""
    here = select(enrolment.c.child_id).where(enrolment.c.site_id == site_id, not_over(day))
    return set(conn.execute(here).scalars())
