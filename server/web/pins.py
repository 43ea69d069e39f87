"""The office's page of staff PINs: which sites have one, and a new one at the touch of a button, shown once."""

import hashlib

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from attendance.staff_pin import hash_pin
from server.audit import record
from server.services import services
from server.sites import all_sites, choose_pin, set_pin
from server.web.pages import office_or_404, pages, site_or_404


@pages.get("/pins")
def pins() -> str:
    """Show which sites have a PIN."""
    office = office_or_404()
    parts = services()
    with parts.store.write() as conn:
        record(conn, office.id, "pins.view", "sites", parts.clock.read().wall_ms)
    return _page()


@pages.get("/pins/<code>")
def seen_pin(code: str) -> ResponseReturnValue:
    """Lead whoever comes back, say by choosing a language, to the page without the number."""
    office_or_404()
    site_or_404(code)
    return redirect(url_for("web.pins"))


@pages.post("/pins/<code>")
def new_pin(code: str) -> str:
    """Give a site a new PIN and show it; its kiosks learn of it by themselves.

    A page that is sent again makes no second one: the number that was just told to staff would be dead.
    """
    office = office_or_404()
    site = site_or_404(code)
    if request.form.get("seen", "") != seen(site.staff_pin):
        return _page(already=site.name)
    parts = services()
    pin = choose_pin(None)
    hashed = hash_pin(pin)
    with parts.store.write() as conn:
        set_pin(conn, site.code, hashed, parts.clock.read().wall_ms, who=office.id)
    return _page(made_for=site.name, pin=pin)


def seen(staff_pin: str | None) -> str:
    """Return what stands in a page for the PIN that was there when it was made."""
    return "" if staff_pin is None else hashlib.sha256(staff_pin.encode()).hexdigest()[:16]


def _page(made_for: str = "", pin: str = "", already: str = "") -> str:
    with services().store.read() as conn:
        sites = all_sites(conn)
    return render_template("pins.html", sites=sites, made_for=made_for, pin=pin, already=already, seen=seen)
