"""Sites as the pages need them."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from server.store import tables

_COLUMNS = (tables.site.c.id, tables.site.c.code, tables.site.c.name, tables.site.c.expected_by)


@dataclass(frozen=True, slots=True)
class Site:
    """A place with children."""

    id: str
    code: str
    name: str
    expected_by: str
    """HH:MM; who is expected and not here later than this is 未着."""


def find_site(conn: Connection, code: str) -> Site | None:
    """Return the site of a code."""
    row = conn.execute(select(*_COLUMNS).where(tables.site.c.code == code)).one_or_none()
    return None if row is None else Site(*row)


def all_sites(conn: Connection) -> list[Site]:
    """Return all sites by code."""
    return [Site(*row) for row in conn.execute(select(*_COLUMNS).order_by(tables.site.c.code))]

