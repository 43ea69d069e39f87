"""Sites and their rules, as the office sets them."""

import re
import secrets
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from attendance.errors import SettingsError
from attendance.policy import WayMode
from attendance.settings import load
from attendance.staff_pin import DIGITS_MAX, DIGITS_MIN, draw_pin, is_easy, is_pin
from server import audit
from server.errors import SiteRefused
from server.store.ids import new_id
from server.store.tables import site

_CODE = re.compile(r"[A-Za-z0-9_-]{1,20}")
_Time = Annotated[
    str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="a time of day such as 08:30")
]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
_Seconds = Annotated[int, msgspec.Meta(ge=0, le=3600)]


class SiteRules(msgspec.Struct, frozen=True):
    """What can be set of a site; the names are those people write."""

    name: _Name
    expected_by: _Time = "15:30"
    """Children who are expected and not here at this time are shown as not arrived."""
    closes_at: _Time = "19:00"
    extended_from: _Time = "18:00"
    way: WayMode = WayMode.AUTO
    repeat_window_s: _Seconds = 60
    undo_s: Annotated[int, msgspec.Meta(ge=0, le=300)] = 8
    """Less than the quiet after which a door begins a session anew: no undo reaches over that."""
    reentry_allowed: bool = True
    contact_lost_s: _Seconds = 300


def add_site(conn: Connection, code: str, name: str, now_ms: int, *, who: str) -> str:
    """Make a site with the usual rules and return its id. Raises: SiteRefused."""
    if not _CODE.fullmatch(code):
        raise SiteRefused(f"{code}: 1 to 20 letters, digits, - and _ are wanted")
    if find_site(conn, code) is not None:
        raise SiteRefused(f"{code}: there is such a site already")
    rules = _checked({"name": name}, {})
    site_id = new_id()
    conn.execute(insert(site).values(id=site_id, code=code, **msgspec.structs.asdict(rules)))
    audit.record(conn, who, "site.add", code, now_ms)
    return site_id


def set_rules(conn: Connection, code: str, changes: Mapping[str, str], now_ms: int, *, who: str) -> None:
    """Change rules of a site, all or none. Raises: SiteRefused with everything that is wrong."""
    row = find_site(conn, code)
    if row is None:
        raise SiteRefused(f"there is no site {code}")
    rules = _checked({name: getattr(row, name) for name in SiteRules.__struct_fields__}, changes)
    conn.execute(update(site).where(site.c.id == row.id).values(**msgspec.structs.asdict(rules)))
    tell_kiosks(conn, row.id)
    audit.record(conn, who, "site.set", code, now_ms)


def choose_pin(wish: str | None) -> str:
    """Return the PIN that was wished for, or a random one. Raises: SiteRefused for one that is none or too easy."""
    if wish is None:
        return draw_pin()
    if not is_pin(wish):
        raise SiteRefused(f"a PIN has {DIGITS_MIN} to {DIGITS_MAX} digits")
    if is_easy(wish):
        raise SiteRefused("children try this PIN first: take other digits than one over and over, or a row of them")
    return wish


def set_pin(conn: Connection, code: str, hashed: str | None, now_ms: int, *, who: str) -> None:
    """Let staff enter children by hand with the PIN behind a hash, or with None not at all. Raises: SiteRefused."""
    row = find_site(conn, code)
    if row is None:
        raise SiteRefused(f"there is no site {code}")
    conn.execute(update(site).where(site.c.id == row.id).values(staff_pin=hashed))
    tell_kiosks(conn, row.id)
    audit.record(conn, who, "site.no-pin" if hashed is None else "site.pin", code, now_ms)


def tell_kiosks(conn: Connection, site_id: str) -> None:
    """Make the kiosks of a site ask for its state: something they must learn of has changed."""
    conn.execute(update(site).where(site.c.id == site_id).values(roster_version=new_version()))


def new_version() -> int:
    """Return a roster version that was never given, also not by a database that this one was restored to be before."""
    return secrets.randbelow(2**31 - 2) + 2


def find_site(conn: Connection, code: str) -> Row[Any] | None:
    """Return the site of a code."""
    return conn.execute(select(site).where(site.c.code == code)).one_or_none()


def all_sites(conn: Connection) -> list[Row[Any]]:
    """Return the sites by code."""
    return list(conn.execute(select(site).order_by(site.c.code)).all())


def _checked(held: Mapping[str, Any], changes: Mapping[str, str]) -> SiteRules:
    try:
        return load(SiteRules, table=held, environ={}, prefix="", flags=changes)
    except SettingsError as error:
        raise SiteRefused(str(error)) from error
