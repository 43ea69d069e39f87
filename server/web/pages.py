"""What all pages share: the blueprint, who may pass, the reader's language, and strict headers for browsers."""

import hashlib
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from babel.dates import format_skeleton
from flask import Blueprint, Response, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf.csrf import CSRFProtect
from markupsafe import Markup
from sqlalchemy import Row
from werkzeug.exceptions import NotFound

from attendance.catalogue import Catalogue, Language
from attendance.clock import JST
from attendance.roster import ANIMAL_EMOJI, COLOUR_HEX, Mark
from server.catalogues import catalogues
from server.config import ServerSettings
from server.services import services
from server.sites import find_site
from server.web.accounts import Account, Role
from server.web.session import renew_session, session_account

_STATIC = Path(__file__).parent / "static"
_OPEN_TO_ALL = frozenset({"web.log_in", "web.choose_language", "web.static"})

pages = Blueprint("web", __name__, static_folder="static", static_url_path="/static/web", template_folder="templates")
csrf = CSRFProtect()
limiter = Limiter(get_remote_address, storage_uri="memory://")


def account() -> Account:
    """Return who is logged in; only for views behind the login."""
    found: Account = g.account
    return found


def office_or_404() -> Account:
    """Return who is logged in, when that is the office. Raises: NotFound for staff, as for a page that is not there."""
    if account().role is not Role.OFFICE:
        raise NotFound
    return account()


def site_or_404(code: str) -> Row[Any]:
    """Return the site of an address. Raises: NotFound alike for no such site and for one this account may not see."""
    with services().store.read() as conn:
        site = find_site(conn, code) if account().may_see(code) else None
    if site is None:
        raise NotFound
    return site


def catalogue() -> Catalogue:
    """Return the sentences in the reader's language: chosen in this session, else the account's, else the first."""
    offered = services().settings.languages
    chosen = session.get("language")
    if chosen not in offered:
        known: Account | None = g.get("account")
        chosen = known.language if known and known.language in offered else offered[0]
    return catalogues()[Language(chosen)]


def asks_for_part() -> bool:
    """Say whether a script on a page asks, and not a person."""
    return request.headers.get("HX-Request") == "true"


def live_origin(settings: ServerSettings) -> str:
    """Return the origin of the live stream as this browser reaches it."""
    if settings.live_url:
        parts = urlsplit(settings.live_url)
        return f"{parts.scheme}://{parts.netloc}"
    here = urlsplit(request.host_url)
    host = f"[{here.hostname}]" if ":" in (here.hostname or "") else here.hostname
    return f"{here.scheme}://{host}:{settings.live.port}"


def day_text(day: date) -> str:
    """Return a day as the reader's language writes it: month, day, weekday."""
    return format_skeleton(
        "MMMEd", datetime(day.year, day.month, day.day, tzinfo=JST), locale=catalogue().language.html
    )


def asset(name: str) -> str:
    """Return the address of a file of ours, which changes with its content."""
    return url_for("web.static", filename=name, v=_digest(name))


def mark_tile(mark: Mark) -> Markup:
    """Return a child's mark as a picture with its name; drawn so that it is printed and no style rule is needed."""
    text = catalogue().text
    label = text("web.mark", animal=text(f"web.animal.{mark.animal}"), colour=text(f"web.colour.{mark.colour}"))
    return Markup(
        '<svg class="mark" viewBox="0 0 48 48" role="img" aria-label="{}">'
        '<rect x="1" y="1" width="46" height="46" rx="10" fill="{}" stroke="#1b2530" stroke-width="1.5"/>'
        '<text x="24" y="25">{}</text></svg>'
    ).format(label, COLOUR_HEX[mark.colour], ANIMAL_EMOJI[mark.animal])


@pages.before_request
def _let_in() -> ResponseReturnValue | None:
    csrf.protect()
    if request.endpoint == "web.static":
        return None
    g.account = session_account()
    if g.account is not None:
        renew_session()
        return None
    if request.endpoint in _OPEN_TO_ALL:
        return None
    if request.endpoint == "web.now_json":
        return {"error": "not_logged_in"}, 401
    where = url_for("web.log_in", next=request.path)
    if asks_for_part():
        return Response(status=401, headers={"HX-Redirect": url_for("web.log_in")})
    return redirect(where)


@pages.after_request
def _be_strict(response: Response) -> Response:
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; "
        f"connect-src 'self' {live_origin(services().settings)}; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    response.headers["Content-Security-Policy"] = policy
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    if request.endpoint != "web.static":
        response.headers["Cache-Control"] = "no-store"
    return response


@pages.app_context_processor
def _for_templates() -> dict[str, object]:
    words = catalogue()
    return {
        "t": words.text,
        "tn": words.counted,
        "language": words.language,
        "languages": services().settings.languages,
        "account": g.get("account"),
        "asset": asset,
        "mark": mark_tile,
    }


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:12]
