"""The main screen: who is in at a site now; the page, the part of it that is asked for again, and the same as JSON."""

import hashlib
from typing import Any

import msgspec
from flask import Response, make_response, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import Row

from attendance.clock import from_ms, local_day
from server.audit import record
from server.services import services
from server.timeline import BestTime
from server.web.board import Board, Contradiction, read_board
from server.web.pages import account, catalogue, day_text, live_origin, pages, site_or_404
from server.web.session import has_viewed, remember_view


@pages.get("/site/<code>")
def site_now(code: str) -> str:
    """Show who is in at a site, and keep it up to date."""
    site = site_or_404(code)
    at_ms = services().clock.read().wall_ms
    _audit_once(site, at_ms)
    board = _board(site, at_ms)
    day = day_text(local_day(from_ms(at_ms)))
    stream = f"{live_origin(services().settings)}/live/site/{site.code}"
    return render_template("staff.html", site=site, board=board, etag=_tag(board), day=day, stream=stream)


@pages.get("/site/<code>/now")
def now(code: str) -> ResponseReturnValue:
    """Give the figures as the page shows them, or 304 to a page that shows them already."""
    site = site_or_404(code)
    at_ms = services().clock.read().wall_ms
    board = _board(site, at_ms)
    etag = _tag(board)
    if request.headers.get("If-None-Match") == etag:
        return Response(status=304)
    _audit_once(site, at_ms)
    answer = make_response(render_template("figures.html", site=site, board=board, etag=etag))
    answer.headers["ETag"] = f'"{etag}"'
    return answer


@pages.get("/site/<code>/now.json")
def now_json(code: str) -> ResponseReturnValue:
    """Give who is in, for programs that hold the same login."""
    site = site_or_404(code)
    at_ms = services().clock.read().wall_ms
    _audit_once(site, at_ms)
    board = _board(site, at_ms)
    present = [{"id": row.child, "name": row.name, **_time("since", row.since)} for row in board.present]
    return {
        "site": site.code,
        "as_of_ms": at_ms,
        "present": present,
        "late": [row.child for row in board.late],
        "waiting": [row.child for row in board.waiting],
        "left": [row.child for row in board.left],
        "contradictions": [_contradiction(row) for row in board.contradictions],
        "silent": [kiosk.id for kiosk in board.kiosks if kiosk.silent],
    }


def _board(site: Row[Any], at_ms: int) -> Board:
    with services().store.read() as conn:
        return read_board(conn, site, at_ms)


def _contradiction(row: Contradiction) -> dict[str, Any]:
    what = {"key": row.key, "kind": row.kind, "child": row.child, "name": row.name}
    return what | _time("at", row.at) | _time("before", row.before) | {"kiosk": row.kiosk, "by": row.by}


def _time(name: str, time: BestTime | None) -> dict[str, Any]:
    """Return a time with its bound, null for none, and what it rests on."""
    if time is None:
        return {f"{name}_ms": None, f"{name}_err_ms": None, f"{name}_source": None}
    return {f"{name}_ms": time.at_ms, f"{name}_err_ms": time.err_ms, f"{name}_source": time.source}


def _tag(board: Board) -> str:
    """Return a tag of what a page in this language shows; the board holds the minute, so it changes each minute too."""
    shown = msgspec.json.encode((catalogue().language, board))
    return hashlib.sha256(shown).hexdigest()[:24]


def _audit_once(site: Row[Any], at_ms: int) -> None:
    """Record that this session looked at the names of a site, once a day and not at each look of a screen."""
    day = local_day(from_ms(at_ms)).isoformat()
    if has_viewed(site.code, day):
        return
    with services().store.write() as conn:
        record(conn, account().id, "site.view", site.code, at_ms)
    remember_view(site.code, day)  # only now: had the record failed, the next look must be recorded
