"""How a kiosk becomes one of ours: the office makes a one-time code, an installer types it at the kiosk.

A code is 10 letters and digits that are not mistaken for one another: 4 that find it, 6 that are secret. It lives for
15 minutes, serves one kiosk, and 5 wrong tries end it.
"""

import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Row, delete, insert, select, update

from attendance.signatures import key_id
from server import audit
from server.errors import EnrolmentRefused
from server.sites import find_site, tell_kiosks
from server.store.engine import Store
from server.store.ids import new_id
from server.store.tables import enrolment_code, kiosk

log = logging.getLogger(__name__)

LIFE_MS = 15 * 60_000
TRIES = 5
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_SELECTOR_LENGTH = 4
_LENGTH = 10
_DOMAIN = b"tadaima enrolment code 1\0"


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code to be told to the installer; only its hash is kept."""

    code: str
    expires_at_ms: int


def issue(conn: Connection, site_code: str, kiosk_name: str, now_ms: int, *, who: str) -> IssuedCode:
    """Make a code for a new kiosk at a site. Raises: EnrolmentRefused when there is no such site."""
    site = find_site(conn, site_code)
    if site is None:
        raise EnrolmentRefused(f"there is no site {site_code}")
    conn.execute(delete(enrolment_code).where(enrolment_code.c.expires_at_ms < now_ms))
    taken = set(conn.execute(select(enrolment_code.c.selector)).scalars())
    code = _draw()
    while code[:_SELECTOR_LENGTH] in taken:
        code = _draw()
    issued = IssuedCode(code=code, expires_at_ms=now_ms + LIFE_MS)
    conn.execute(
        insert(enrolment_code).values(
            id=new_id(),
            site_id=site.id,
            kiosk_name=kiosk_name,
            selector=code[:_SELECTOR_LENGTH],
            code_hash=_hash(code),
            expires_at_ms=issued.expires_at_ms,
        )
    )
    audit.record(conn, who, "kiosk.code", site_code, now_ms)
    return issued


def redeem(store: Store, typed: str, public: Ed25519PublicKey, app: str, now_ms: int) -> Row[Any]:
    """Return the kiosk that a code and a proved key make.

    The same key may come again with its code, since an answer can be lost. Raises: EnrolmentRefused, StoreError.
    """
    with store.write() as conn:  # a wrong try is committed too, so the refusal is raised outside
        made = _redeem(conn, "".join(typed.upper().replace("-", " ").split()), public, app, now_ms)
    if made is None:
        raise EnrolmentRefused("the code is not valid")
    return made


def revoke(conn: Connection, kiosk_id: str, now_ms: int, *, who: str) -> bool:
    """Shut a kiosk out; return False when there is no such kiosk or it is out already."""
    this = (kiosk.c.id == kiosk_id) & kiosk.c.revoked_at_ms.is_(None)
    site_id = conn.execute(select(kiosk.c.site_id).where(this)).scalar_one_or_none()
    if site_id is None:
        return False
    conn.execute(update(kiosk).where(this).values(revoked_at_ms=now_ms))
    tell_kiosks(conn, site_id)
    audit.record(conn, who, "kiosk.revoke", kiosk_id, now_ms)
    return True


def _redeem(conn: Connection, code: str, public: Ed25519PublicKey, app: str, now_ms: int) -> Row[Any] | None:
    selects = enrolment_code.c.selector == code[:_SELECTOR_LENGTH]
    row = conn.execute(select(enrolment_code).where(selects)).one_or_none()
    if row is None or row.expires_at_ms <= now_ms or row.tries >= TRIES:
        return None
    this = enrolment_code.c.id == row.id
    used_hash = _hash(code + key_id(public))  # a used code is its kiosk's alone
    if not hmac.compare_digest(row.code_hash, _hash(code) if row.used_at_ms is None else used_hash):
        log.warning("enrolment code wrong tries=%s", row.tries + 1)
        conn.execute(update(enrolment_code).where(this).values(tries=row.tries + 1))
        return None
    held = conn.execute(select(kiosk).where(kiosk.c.key_id == key_id(public))).one_or_none()
    if row.used_at_ms is not None:
        return held if held is not None and held.revoked_at_ms is None else None
    if held is not None and held.site_id != row.site_id:
        log.warning("enrolment at another site kiosk=%s", held.id)  # its journal belongs to the first
        return None
    conn.execute(update(enrolment_code).where(this).values(used_at_ms=now_ms, code_hash=used_hash))
    kiosk_id = held.id if held is not None else new_id()
    values = {"name": row.kiosk_name, "revoked_at_ms": None, "app": app[:40]}
    # Enrolled anew it stays enrolled since the first time: its journal may be as old as that.
    if held is not None:
        conn.execute(update(kiosk).where(kiosk.c.id == kiosk_id).values(**values))
    else:
        key = {"key_id": key_id(public), "public_key": public.public_bytes_raw()}
        conn.execute(insert(kiosk).values(id=kiosk_id, site_id=row.site_id, enrolled_at_ms=now_ms, **key, **values))
    tell_kiosks(conn, row.site_id)
    audit.record(conn, f"code {row.selector}", "kiosk.enrol", kiosk_id, now_ms)
    return conn.execute(select(kiosk).where(kiosk.c.id == kiosk_id)).one()


def _draw() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def _hash(code: str) -> str:
    return hashlib.sha256(_DOMAIN + code.encode()).hexdigest()
