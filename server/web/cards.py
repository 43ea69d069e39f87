"""The card sheet: A4 with 10 QR cards, in millimetres, to be printed by the office from the browser.

91 x 55 mm is what Japanese business-card paper (10 to a sheet, micro-perforated) comes in, so no one cuts and any card
case fits. The QR is version 2 at ECC Q in modules of 1.4 mm: 35 mm, which leaves 10 mm on every side for a thumb, and
3 pixels a module for a 640 pixel camera at arm's length of a child (docs/cards.md).
"""

import io
from dataclasses import dataclass

import segno
from flask import render_template, request
from markupsafe import Markup

from attendance.clock import from_ms, local_day
from attendance.roster import Animal, Colour, Mark
from server.audit import record
from server.cards import IssuedCard, token_cards
from server.services import services
from server.web.pages import office_or_404, pages, site_or_404

CARDS_A_SHEET = 10
QUIET_MODULES = 4


@dataclass(frozen=True, slots=True)
class PrintedCard:
    """What one card shows."""

    name: str
    kana: str
    mark: Mark
    qr: Markup


@pages.get("/cards/<code>")
def card_sheet(code: str) -> str:
    """Show the valid QR cards of a site, ready to print; `names=0` and `found=0` leave these lines out."""
    office = office_or_404()
    site = site_or_404(code)
    parts = services()
    now_ms = parts.clock.read().wall_ms
    with parts.store.write() as conn:
        issued = token_cards(conn, site.id, local_day(from_ms(now_ms)))
        record(conn, office.id, "cards.print", site.code, now_ms)
    printed = [_printed(card) for card in issued]
    return render_template(
        "cards.html",
        site=site,
        sheets=[printed[start : start + CARDS_A_SHEET] for start in range(0, len(printed), CARDS_A_SHEET)],
        count=len(issued),
        names=request.args.get("names") != "0",
        found=request.args.get("found") != "0",
    )


def _printed(card: IssuedCard) -> PrintedCard:
    return PrintedCard(card.name, card.kana, Mark(Animal(card.animal), Colour(card.colour)), qr_svg(card.token.text))


def qr_svg(text: str) -> Markup:
    """Return a QR code with its quiet zone as an SVG without size; segno draws what we give it, nothing is boosted."""
    code = segno.make_qr(text, version=2, error="q", mode="alphanumeric", boost_error=False)
    drawn = io.BytesIO()
    code.save(
        drawn, kind="svg", border=QUIET_MODULES, omitsize=True, xmldecl=False, nl=False, svgclass="qr", lineclass=None
    )
    return Markup(drawn.getvalue().decode("ascii"))  # noqa: S704 - made here from a token of our alphabet
