"""The office's list of suspended addresses: who gets no notices, and what to do about it."""

from babel.dates import format_date
from flask import render_template

from attendance.clock import from_ms, local_day
from server.audit import record
from server.services import services
from server.suspended import suspended_addresses
from server.web.pages import catalogue, office_or_404, pages


@pages.get("/suspended")
def suspended() -> str:
    """Show the guardians whose address refused mail for good."""
    office = office_or_404()
    now_ms = services().clock.read().wall_ms
    with services().store.write() as conn:
        found = suspended_addresses(conn, local_day(from_ms(now_ms)))
        record(conn, office.id, "guardians.view", "suspended", now_ms)
    locale = catalogue().language.html
    rows = [(each, format_date(local_day(from_ms(each.since_ms)), "long", locale=locale)) for each in found]
    return render_template("suspended.html", rows=rows)
