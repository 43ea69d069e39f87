"""Who is logged in: a signed cookie that names an account and the stamp of its password, checked on every request.

The web and the live process read the same cookie; ports do not part cookies, so a stream on another port has it too.
"""

from datetime import timedelta

from flask import Flask, session
from sqlalchemy import Connection

from server.config import ServerSettings
from server.keys import Secrets
from server.services import services
from server.web.accounts import Account, find_account

IDLE = timedelta(hours=12)
"""A screen that is open asks all the time and so stays logged in; one that was closed this long does not."""
RENEW_AFTER_MS = 10 * 60_000
_VIEWS_KEPT = 40
"""A browser drops a cookie of more than 4096 bytes, and with it the login."""
_ACCOUNT, _STAMP, _VIEWED, _RENEWED = "account", "stamp", "viewed", "renewed"


def configure_session(app: Flask, settings: ServerSettings, secrets: Secrets) -> None:
    """Give an app the cookie of staff and office."""
    app.config.update(
        SECRET_KEY=secrets.flask,
        SESSION_COOKIE_NAME="tadaima_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.base_url.startswith("https://"),
        PERMANENT_SESSION_LIFETIME=IDLE,
        SESSION_REFRESH_EACH_REQUEST=False,  # renew_session does it
    )


def begin_session(account: Account) -> None:
    """Log an account in, on a session that keeps nothing of the one before."""
    session.clear()
    session.permanent = True
    session[_ACCOUNT] = account.id
    session[_STAMP] = account.stamp
    session[_RENEWED] = services().clock.read().wall_ms


def renew_session() -> None:
    """Put off the end of the session of somebody who is here.

    Seldom, and not with every answer: one that is still on its way when a person logs out or chooses a language would
    bring the cookie of before back.
    """
    now_ms = services().clock.read().wall_ms
    if now_ms - session.get(_RENEWED, 0) > RENEW_AFTER_MS:
        session[_RENEWED] = now_ms


def end_session() -> None:
    """Log out."""
    session.clear()


def session_account() -> Account | None:
    """Return the account of this request, or None when nobody is logged in or may be any more."""
    account_id = session.get(_ACCOUNT)
    if not isinstance(account_id, str):
        return None
    with services().store.read() as conn:
        return current_account(conn, account_id, str(session.get(_STAMP)))


def current_account(conn: Connection, account_id: str, stamp: str) -> Account | None:
    """Return an account if it still may log in with the password it had."""
    account = find_account(conn, account_id)
    return None if account is None or account.disabled or account.stamp != stamp else account


def has_viewed(subject: str, day: str) -> bool:
    """Say whether this session has looked at a subject on a day, as far as it remembers."""
    remembered: list[str] = session.get(_VIEWED, [])
    return _view(subject, day) in remembered


def remember_view(subject: str, day: str) -> None:
    """Remember that this session has looked at a subject on a day; the oldest of many views is forgotten."""
    remembered: list[str] = session.get(_VIEWED, [])
    session[_VIEWED] = [*remembered, _view(subject, day)][-_VIEWS_KEPT:]


def _view(subject: str, day: str) -> str:
    return f"{day} {subject}"
