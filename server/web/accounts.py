"""Accounts of staff and office: passwords, and who an account is; knows no web request.

A password is at least 10 characters with no rule about their kind (NIST SP 800-63B), kept as argon2id. An unknown
login costs as much work as a wrong password, so that the time of an answer tells nothing.
"""

import hashlib
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import ColumnElement, Connection, insert, select, true, update
from sqlalchemy.exc import IntegrityError

from attendance.catalogue import Language
from server.errors import ServerError
from server.sites import find_site
from server.store import tables
from server.store.engine import Store
from server.store.ids import new_id

PASSWORD_LENGTH = 10
_LONGEST_LOGIN = 60
_LONGEST_PASSWORD = 200  # more is no person but an attempt to keep the processor busy
_hasher = PasswordHasher()


class Role(StrEnum):
    """What an account may see."""

    STAFF = "staff"
    """Its own site."""
    OFFICE = "office"
    """All sites."""


class Refusal(StrEnum):
    """Why an account cannot be made or changed; each has a sentence, account.refused.<code>."""

    LOGIN = "login"
    TAKEN = "taken"
    UNKNOWN = "unknown"
    SITE_WANTED = "site_wanted"
    SITE_UNWANTED = "site_unwanted"
    SITE_UNKNOWN = "site_unknown"
    PASSWORD = "password"  # noqa: S105 - a code


class AccountRefused(ServerError, ValueError):
    """An account cannot be made or changed as asked."""

    def __init__(self, code: Refusal) -> None:
        super().__init__(code.value)
        self.code = code


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in."""

    id: str
    login: str
    name: str
    role: Role
    site: str | None
    """Code of the site of staff; None for the office."""
    language: Language
    stamp: str
    """Changes with the password: a session that holds another one is over."""
    disabled: bool

    def may_see(self, site_code: str) -> bool:
        """Say whether the figures and names of a site are this account's to see."""
        return self.role is Role.OFFICE or self.site == site_code


def sign_in(store: Store, login: str, password: str) -> Account | None:
    """Return the account of a login and its password, or None; renews a hash made with older parameters."""
    with store.read() as conn:
        row = conn.execute(
            select(tables.account.c.id, tables.account.c.password_hash).where(
                tables.account.c.login == normal_login(login), tables.account.c.disabled_at_ms.is_(None)
            )
        ).one_or_none()
    held = _decoy() if row is None else row.password_hash
    if not _fits(held, password) or row is None:
        return None
    if _hasher.check_needs_rehash(held):
        with store.write() as conn:
            _keep_password(conn, row.id, password)
    with store.read() as conn:
        return find_account(conn, row.id)


def find_account(conn: Connection, account_id: str) -> Account | None:
    """Return the account of an id as it is now."""
    return next(iter(_accounts(conn, tables.account.c.id == account_id)), None)


def list_accounts(conn: Connection) -> list[Account]:
    """Return all accounts by login."""
    return _accounts(conn, true())


def add_account(
    conn: Connection, login: str, *, name: str, role: Role, site_code: str | None, language: Language, password: str
) -> str:
    """Make an account and return its id. Raises: AccountRefused."""
    wanted = normal_login(login)
    if not wanted or len(wanted) > _LONGEST_LOGIN or any(letter.isspace() for letter in wanted):
        raise AccountRefused(Refusal.LOGIN)
    site_id = _site_id(conn, role, site_code)
    account_id = new_id()
    try:
        conn.execute(
            insert(tables.account).values(
                id=account_id,
                login=wanted,
                name=name or wanted,
                password_hash=_hashed(password),
                role=role.value,
                site_id=site_id,
                language=language.value,
            )
        )
    except IntegrityError as error:
        raise AccountRefused(Refusal.TAKEN) from error
    return account_id


def disable_account(conn: Connection, login: str, now_ms: int) -> str:
    """Let an account log in no more, end its sessions, and return its id. Raises: AccountRefused."""
    account_id = _id_of(conn, login)
    conn.execute(update(tables.account).where(tables.account.c.id == account_id).values(disabled_at_ms=now_ms))
    return account_id


def set_password(conn: Connection, login: str, password: str) -> str:
    """Give an account a new password, end its sessions, and return its id. Raises: AccountRefused."""
    account_id = _id_of(conn, login)
    _keep_password(conn, account_id, password)
    return account_id


def normal_login(login: str) -> str:
    """Return a login as it is stored: full-width letters and capitals of a Japanese keyboard are the same."""
    return unicodedata.normalize("NFKC", login).strip().casefold()


def _accounts(conn: Connection, condition: ColumnElement[bool]) -> list[Account]:
    account, site = tables.account, tables.site
    rows = conn.execute(
        select(account, site.c.code.label("site_code"))
        .outerjoin(site, site.c.id == account.c.site_id)
        .where(condition)
        .order_by(account.c.login)
    )
    return [
        Account(
            id=row.id,
            login=row.login,
            name=row.name,
            role=Role(row.role),
            site=row.site_code,
            language=Language(row.language),
            stamp=hashlib.sha256(row.password_hash.encode()).hexdigest()[:16],
            disabled=row.disabled_at_ms is not None,
        )
        for row in rows
    ]


def _site_id(conn: Connection, role: Role, site_code: str | None) -> str | None:
    if role is Role.OFFICE:
        if site_code is not None:
            raise AccountRefused(Refusal.SITE_UNWANTED)
        return None
    if site_code is None:
        raise AccountRefused(Refusal.SITE_WANTED)
    site = find_site(conn, site_code)
    if site is None:
        raise AccountRefused(Refusal.SITE_UNKNOWN)
    site_id: str = site.id
    return site_id


def _id_of(conn: Connection, login: str) -> str:
    account_id: str | None = conn.scalar(
        select(tables.account.c.id).where(tables.account.c.login == normal_login(login))
    )
    if account_id is None:
        raise AccountRefused(Refusal.UNKNOWN)
    return account_id


def _keep_password(conn: Connection, account_id: str, password: str) -> None:
    conn.execute(
        update(tables.account).where(tables.account.c.id == account_id).values(password_hash=_hashed(password))
    )


def _normal_password(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _hashed(password: str) -> str:
    normal = _normal_password(password)
    if not PASSWORD_LENGTH <= len(normal) <= _LONGEST_PASSWORD:
        raise AccountRefused(Refusal.PASSWORD)
    return _hasher.hash(normal)


def _fits(held: str, password: str) -> bool:
    try:
        return _hasher.verify(held, _normal_password(password[:_LONGEST_PASSWORD]))
    except (VerificationError, InvalidHashError):
        return False


@cache
def _decoy() -> str:
    return _hasher.hash("nobody has this password")
