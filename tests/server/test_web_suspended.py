"""The suspended addresses: the office learns of them on its start page, and reads whom to ask for a new one."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Row, update

from attendance.catalogue import Language
from attendance.clock import ManualClock
from server.config import ServerSettings
from server.store import tables
from server.store.engine import Store
from tests.server import factories as make
from tests.server import web_site as web

pytestmark = pytest.mark.usefixtures("quick_passwords")

TWO_DAYS_AGO_MS = web.AFTERNOON_MS - 2 * 86_400_000


@pytest.fixture
def site(store: Store) -> Row[Any]:
    return make.site(store, code="A", name="Midori")


@pytest.fixture
def app(store: Store, site: Row[Any], tmp_path: Path) -> Flask:
    web.add_login(store, "office", language=Language.EN)
    return web.pages(store, ServerSettings(data_dir=str(tmp_path)), ManualClock(web.AFTERNOON))


@pytest.fixture
def office(app: Flask) -> FlaskClient:
    client = app.test_client()
    web.log_in(client, "office")
    return client


def suspended(store: Store, site: Row[Any], *, child: str = "Hana", **values: Any) -> Row[Any]:
    """A guardian of a new child of the site, whose address refused mail two days ago."""
    row = make.child(store, at=site.id, name=child)
    return make.guardian(store, of=row.id, **{"name": "Aoi", "suspended_at_ms": TWO_DAYS_AGO_MS} | values)


def test_the_list_names_guardian_child_site_and_day_and_not_the_address(
    office: FlaskClient, store: Store, site: Row[Any]
) -> None:
    gone = suspended(store, site)
    shown = office.get("/suspended").text
    for text in ("Hana", "Aoi", "Midori", "April 13, 2026", "roster file"):
        assert text in shown
    assert gone.email not in shown


def test_the_start_page_counts_guardians_and_leads_to_the_list(
    office: FlaskClient, store: Store, site: Row[Any]
) -> None:
    assert "/suspended" not in office.get("/").text
    gone = suspended(store, site)
    sibling = make.child(store, at=site.id)
    make.link(store, tables.guardianship, guardian_id=gone.id, child_id=sibling.id)
    shown = office.get("/").text
    assert 'href="/suspended"' in shown
    assert "1 guardian&#39;s address" in shown
    assert "Aoi" not in shown
    assert "Hana" not in shown


def test_a_guardian_who_would_get_no_notices_anyway_is_not_on_the_list(
    office: FlaskClient, store: Store, site: Row[Any]
) -> None:
    suspended(store, site, child="Well", suspended_at_ms=None)
    suspended(store, site, child="Unwilling", consented_at_ms=None)
    left = make.child(store, name="Left")
    make.enrolment(store, child_id=left.id, site_id=site.id, until_day=date(2026, 4, 14))
    make.guardian(store, of=left.id, suspended_at_ms=TWO_DAYS_AGO_MS)
    shown = office.get("/suspended").text
    assert "No address of a guardian has been refused" in shown
    for name in ("Well", "Unwilling", "Left"):
        assert name not in shown


def test_a_child_with_two_enrolments_stands_there_once(office: FlaskClient, store: Store, site: Row[Any]) -> None:
    suspended(store, site)
    child = make.rows(store, tables.child)[0]
    with store.write() as conn:
        conn.execute(update(tables.enrolment).values(until_day=date(2026, 4, 30)))
    make.enrolment(store, child_id=child.id, site_id=site.id, from_day=date(2026, 5, 1))
    assert office.get("/suspended").text.count("Hana") == 1


def test_each_look_at_the_list_is_audited(office: FlaskClient, store: Store) -> None:
    office.get("/suspended")
    office.get("/suspended")
    looks = [row for row in make.rows(store, tables.audit) if row.action == "guardians.view"]
    assert [row.subject for row in looks] == ["suspended", "suspended"]


def test_nobody_sees_the_list_without_a_login(app: Flask) -> None:
    assert app.test_client().get("/suspended").location == "/login?next=/suspended"
