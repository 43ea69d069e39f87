"""What a person is told when a page cannot be shown, whatever went wrong and wherever in the app."""

import logging

from flask import g, make_response, render_template
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, NotFound

from server.errors import StoreError
from server.web.pages import pages
from server.web.session import session_account

_log = logging.getLogger(__name__)


@pages.errorhandler(NotFound)
@pages.errorhandler(StoreError)
def answer_person(error: Exception) -> ResponseReturnValue:
    """Return a page in the reader's language; what is our fault is logged."""
    match error:
        case HTTPException(code=int(status)) if status < 400:
            return error  # a redirect
        case HTTPException(code=int(status)) if status < 500:
            _know_reader()
            return _message("missing", status)
        case StoreError():
            _log.error("store not usable reason=%s", error)
            return _message("broken", 503)
        case _:
            _log.error("page failed", exc_info=error)
            return _message("broken", 500)


def _know_reader() -> None:
    """Look who is logged in, for an address that belongs to no page and so has let nobody in."""
    if "account" not in g:
        try:
            g.account = session_account()
        except StoreError:
            g.account = None


def _message(which: str, status: int) -> ResponseReturnValue:
    shown = render_template("message.html", title=f"web.{which}.title", text=f"web.{which}.text")
    answer = make_response(shown, status)
    answer.headers["Cache-Control"] = "no-store"
    return answer
