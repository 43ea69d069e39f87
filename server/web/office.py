"""The start page: the office sees all sites today; staff of one site go straight to it."""

from dataclasses import dataclass
from typing import Any

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Row

from attendance.clock import from_ms, local_day
from server.doors import own_clock_ahead_ms
from server.services import services
from server.sites import all_sites
from server.suspended import suspended_addresses
from server.web.board import read_board
from server.web.doubt import hh_mm
from server.web.pages import account, day_text, pages


@dataclass(frozen=True, slots=True)
class SiteToday:
    """What the office sees of a site: numbers, no names."""

    site: Row[Any]
    present: int
    late: int
    waiting: int
    contradictions: int
    kiosks: int
    silent: int
    troubled: int


@pages.get("/")
def start() -> ResponseReturnValue:
    """Show all sites to the office, and send staff to their own."""
    own = account().site
    if own is not None:
        return redirect(url_for("web.site_now", code=own))
    at_ms = services().clock.read().wall_ms
    day = local_day(from_ms(at_ms))
    with services().store.read() as conn:
        suspended = len({each.guardian_id for each in suspended_addresses(conn, day)})
        ahead_ms = own_clock_ahead_ms(conn, at_ms)
        sites = []
        for site in all_sites(conn):
            board = read_board(conn, site, at_ms)
            sites.append(
                SiteToday(
                    site,
                    present=len(board.present),
                    late=len(board.late),
                    waiting=len(board.waiting),
                    contradictions=len(board.contradictions),
                    kiosks=len(board.kiosks),
                    silent=sum(kiosk.silent for kiosk in board.kiosks),
                    troubled=sum(bool(kiosk.troubles) for kiosk in board.kiosks),
                )
            )
    return render_template(
        "office.html",
        sites=sites,
        total=sum(each.present for each in sites),
        suspended=suspended,
        clock=None if ahead_ms == 0 else "ahead" if ahead_ms > 0 else "behind",
        clock_minutes=-(-abs(ahead_ms) // 60_000),
        day=day,
        day_text=day_text(day),
        at=hh_mm(at_ms),
    )
