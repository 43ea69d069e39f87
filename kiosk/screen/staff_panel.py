"""The staff panel's part of the screen's web application: PIN, children, and the movement that staff enter.

Every request brings the page's own token, and all but the first the one that only the right PIN gives; both stand in
headers and PIN and child in the body, so that no URL and no log ever holds them.
"""

from collections.abc import Callable
from typing import Annotated, TypeVar, assert_never

import msgspec
from flask import Blueprint, Response, abort, request

from attendance.catalogue import Catalogue
from attendance.records import Direction
from attendance.staff_pin import DIGITS_MAX
from kiosk.by_staff import NoPin, Opened, Refusal, StaffDesk, Unlocking, Wait, WrongPin
from kiosk.errors import CacheError, JournalError
from kiosk.screen.screen import Screen
from kiosk.screen.staff_view import panel_view

STAFF_HEADER = "X-Tadaima-Staff"
BODY_BYTES = 512
"""More than any page sends."""
_MINUTES_FROM_S = 120
_Body = TypeVar("_Body", bound=msgspec.Struct)


class Unlock(msgspec.Struct, frozen=True):
    """What a page sends with a PIN."""

    pin: Annotated[str, msgspec.Meta(max_length=DIGITS_MAX)]


class Stay(msgspec.Struct, frozen=True):
    """What an unlocked page sends each second."""

    touched: bool


class Enter(msgspec.Struct, frozen=True):
    """What an unlocked page sends to enter a child."""

    child: Annotated[str, msgspec.Meta(max_length=64)]
    direction: Direction


class Said(msgspec.Struct, frozen=True):
    """An answer to a page: what it got, or what to say."""

    text: str = ""
    token: str = ""
    wait_s: int = 0
    answer: int | None = None


def staff_panel(screen: Screen, staff: StaffDesk, refuse_strange_page: Callable[[], None]) -> Blueprint:
    """Return what lets the pages of a screen enter children by hand."""
    words = screen.words
    panel = Blueprint("staff", __name__, url_prefix="/staff")
    panel.before_request(refuse_strange_page)

    @panel.post("/unlock")
    def unlock() -> Response:
        return _unlocked(staff.unlock(_body(Unlock).pin), words)

    @panel.post("/children")
    def children() -> Response:
        try:
            found = staff.children(_token())
        except (CacheError, JournalError):
            return _say(503, Said(text=words.text("panel.fault")))
        return _refused(found, words) if isinstance(found, Refusal) else _say(200, panel_view(found, words))

    @panel.post("/stay")
    def stay() -> Response:
        stays = staff.stay(_token(), touched=_body(Stay).touched)
        return Response(status=204) if stays else _refused(Refusal.LOCKED, words)

    @panel.post("/enter")
    def enter() -> Response:
        wanted = _body(Enter)
        answer = staff.enter(_token(), wanted.child, wanted.direction)
        if isinstance(answer, Refusal):
            return _refused(answer, words)
        screen.show(answer)
        return _say(200, Said(answer=answer.id))

    @panel.post("/lock")
    def lock() -> Response:
        staff.lock(_token())
        return Response(status=204)

    return panel


def _token() -> str:
    return request.headers.get(STAFF_HEADER, "")


def _body(kind: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(request.get_data(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        abort(400)


def _unlocked(unlocking: Unlocking, words: Catalogue) -> Response:
    match unlocking:
        case Opened():
            return _say(200, Said(token=unlocking.token))
        case WrongPin():
            return _say(403, Said(text=words.text("panel.wrong")))
        case Wait():
            return _say(429, Said(text=_wait_text(unlocking.seconds, words), wait_s=unlocking.seconds))
        case NoPin():
            return _say(404, Said(text=words.text("panel.no_pin")))
        case _:
            assert_never(unlocking)


def _refused(refusal: Refusal, words: Catalogue) -> Response:
    match refusal:
        case Refusal.LOCKED:
            return _say(401, Said(text=words.text("panel.locked")))
        case Refusal.GONE:
            return _say(410, Said(text=words.text("panel.gone")))
        case _:
            assert_never(refusal)


def _wait_text(seconds: int, words: Catalogue) -> str:
    if seconds < _MINUTES_FROM_S:
        return words.counted("panel.wait.seconds", seconds)
    return words.counted("panel.wait.minutes", -(-seconds // 60))


def _say(status: int, message: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(message), status, mimetype="application/json")
