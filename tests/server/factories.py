"""Rows for tests of the server, each made with sensible values and keyword overrides, given back as it is stored."""

import hashlib
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Row, Table, insert, select

from attendance.cards import CardToken
from attendance.clock import from_ms, local_day, to_ms
from attendance.presence import movement_id
from attendance.signatures import key_id
from server.store import tables
from server.store.engine import Store
from server.store.ids import new_id

DAY = date(2026, 4, 15)
"""A Wednesday."""
NOON = datetime(2026, 4, 15, 3, 0, tzinfo=UTC)
"""12:00 on DAY in Japan."""
NOON_MS = to_ms(NOON)

_number = count(1)


def put(store: Store, table: Table, **values: Any) -> Row[Any]:
    """Insert a row and give it back by its primary key."""
    with store.write() as conn:
        conn.execute(insert(table).values(**values))
        same = [column == values[column.name] for column in table.primary_key]
        return conn.execute(select(table).where(*same)).one()


def link(store: Store, table: Table, **values: Any) -> None:
    """Insert a row of a table without a primary key."""
    with store.write() as conn:
        conn.execute(insert(table).values(**values))


def rows(store: Store, table: Table) -> list[Row[Any]]:
    """Every row of a table, in the order of its first column."""
    with store.read() as conn:
        return list(conn.execute(select(table).order_by(table.columns[0])).all())


def site(store: Store, **values: Any) -> Row[Any]:
    n = next(_number)
    return put(store, tables.site, **{"id": new_id(), "code": f"S{n}", "name": f"Site {n}"} | values)


def kiosk(store: Store, *, key: Ed25519PrivateKey | None = None, **values: Any) -> Row[Any]:
    """A kiosk at `site_id` (a new site when not given), with the public half of `key`."""
    public = (key or Ed25519PrivateKey.generate()).public_key()
    defaults = {
        "id": new_id(),
        "site_id": values["site_id"] if "site_id" in values else site(store).id,
        "name": "Front door",
        "key_id": key_id(public),
        "public_key": public.public_bytes_raw(),
        "enrolled_at_ms": NOON_MS - 86_400_000,
    }
    return put(store, tables.kiosk, **defaults | values)


def child(store: Store, *, at: str | None = None, **values: Any) -> Row[Any]:
    """A child, enrolled from 1 April at site `at` when given."""
    n = next(_number)
    defaults = {
        "id": new_id(),
        "number": f"N{n}",
        "name": f"Child {n}",
        "kana": f"\N{HIRAGANA LETTER KO}{n}",
        "animal": "cat",
        "colour": "blue",
    }
    row = put(store, tables.child, **defaults | values)
    if at is not None:
        enrolment(store, child_id=row.id, site_id=at)
    return row


def enrolment(store: Store, *, child_id: str, site_id: str, **values: Any) -> Row[Any]:
    defaults = {"id": new_id(), "child_id": child_id, "site_id": site_id, "from_day": date(2026, 4, 1)}
    return put(store, tables.enrolment, **defaults | values)


def card(store: Store, *, child_id: str, token: CardToken | None = None, **values: Any) -> Row[Any]:
    token = token or CardToken.new()
    defaults = {
        "id": new_id(),
        "child_id": child_id,
        "card_hash": token.ref.card_hash,
        "form": "token",
        "token": token.text,
        "issued_at_ms": NOON_MS - 86_400_000,
    }
    return put(store, tables.card, **defaults | values)


def guardian(store: Store, *, of: str | None = None, **values: Any) -> Row[Any]:
    """A guardian who consented, of child `of` when given."""
    defaults = {"id": new_id(), "name": "Guardian", "email": f"g{next(_number)}@example.jp", "consented_at_ms": NOON_MS}
    row = put(store, tables.guardian, **defaults | values)
    if of is not None:
        link(store, tables.guardianship, guardian_id=row.id, child_id=of)
    return row


def movement(store: Store, *, site_id: str, child_id: str, **values: Any) -> Row[Any]:
    """A movement by staff, without a journal entry behind it; the day follows from `at_ms`."""
    at_ms = values.get("at_ms", NOON_MS)
    defaults = {
        "id": new_id(),
        "site_id": site_id,
        "child_id": child_id,
        "direction": "entry",
        "made_by": "card",
        "day": local_day(from_ms(at_ms)),
        "at_ms": at_ms,
        "at_source": "anchor",
        "wall_ms": at_ms,
    }
    return put(store, tables.movement, **defaults | values)


def unknown_card(store: Store, *, site_id: str, **values: Any) -> Row[Any]:
    at_ms = values.get("at_ms", NOON_MS)
    defaults = {
        "id": movement_id(new_id(), 1),
        "site_id": site_id,
        "card_hash": hashlib.sha256(str(next(_number)).encode()).hexdigest(),
        "day": local_day(from_ms(at_ms)),
        "at_ms": at_ms,
    }
    return put(store, tables.unknown_card, **defaults | values)


def absence(store: Store, *, child_id: str, day: date = DAY) -> None:
    link(store, tables.absence, child_id=child_id, day=day, told_at_ms=NOON_MS)
