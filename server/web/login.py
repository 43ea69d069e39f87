"""Logging in and out, and the choice of language."""

from flask import g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import TooManyRequests

from server.audit import record
from server.services import services
from server.web.accounts import normal_login, sign_in
from server.web.pages import limiter, pages
from server.web.session import begin_session, end_session

_WRONG_STATUS = 403


def _counts(response: object) -> bool:
    """Say whether an answer is to a failed try; a site's whole staff may stand behind one address and succeed."""
    return getattr(response, "status_code", None) == _WRONG_STATUS


def _asked_login() -> str:
    return normal_login(request.form.get("login", ""))[:60]


@pages.route("/login", methods=["GET", "POST"])
@limiter.limit("10 per 15 minutes", key_func=_asked_login, methods=["POST"], deduct_when=_counts)
@limiter.limit("30 per 15 minutes", methods=["POST"], deduct_when=_counts)
def log_in() -> ResponseReturnValue:
    """Show the form, or take it; a mistake is answered alike whatever it was."""
    if request.method == "GET":
        return redirect(url_for("web.start")) if g.account else _form()
    parts = services()
    found = sign_in(parts.store, request.form.get("login", ""), request.form.get("password", ""))
    if found is None:
        return _form("web.login.wrong"), _WRONG_STATUS
    language = session.get("language")
    begin_session(found)
    if language:
        session["language"] = language
    with parts.store.write() as conn:
        record(conn, found.id, "account.log_in", found.id, parts.clock.read().wall_ms)
    return redirect(_path_here(request.form.get("next", "")) or url_for("web.start"))


@pages.post("/logout")
def log_out() -> ResponseReturnValue:
    """End the session and show the form."""
    end_session()
    return redirect(url_for("web.log_in"))


@pages.post("/language")
def choose_language() -> ResponseReturnValue:
    """Keep a language for this session and go back to the page."""
    wanted = request.form.get("language", "")
    if wanted in services().settings.languages:
        session["language"] = wanted
    return redirect(_path_here(request.form.get("next", "")) or url_for("web.start"))


@pages.errorhandler(CSRFError)
def _form_too_old(_: CSRFError) -> ResponseReturnValue:
    """A form that lay open longer than its session lived; nothing was done, so the person begins again."""
    return redirect(url_for("web.log_in", again=1))


@pages.errorhandler(TooManyRequests)
def _wait(_: TooManyRequests) -> ResponseReturnValue:
    return _form("web.login.wait"), TooManyRequests.code


def _form(message: str = "") -> str:
    if not message and request.args.get("again"):
        message = "web.login.again"
    return render_template("login.html", message=message, next=_path_here(request.values.get("next", "")))


def _path_here(path: str) -> str:
    """Return a path on this server as it is, and anything else as nothing: a login must not lead elsewhere."""
    # Browsers drop tabs and line ends, and read "\\" as "/": what is left of "/<tab>/evil.example" is another server.
    here = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if here else ""
