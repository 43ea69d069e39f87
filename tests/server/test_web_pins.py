"""Staff PINs on the office's page: made at a touch, shown once, and nobody else's business."""

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Row

from attendance.catalogue import Language
from attendance.staff_pin import matches
from server.config import ServerSettings
from server.store import tables
from server.store.engine import Store
from tests.server import factories as make
from tests.server import web_site as web

pytestmark = pytest.mark.usefixtures("quick_passwords")


@pytest.fixture
def site(store: Store) -> Row[Any]:
    return make.site(store, code="A", name="Midori")


@pytest.fixture
def app(store: Store, site: Row[Any], tmp_path: Path) -> Flask:
    web.add_login(store, "office", language=Language.EN)
    web.add_login(store, "staff", site="A", language=Language.EN)
    return web.pages(store, ServerSettings(data_dir=str(tmp_path)))


@pytest.fixture
def office(app: Flask) -> FlaskClient:
    client = app.test_client()
    web.log_in(client, "office")
    return client


def make_new(client: FlaskClient, code: str = "A") -> str:
    page = client.get("/pins")
    seen = re.search(r'name="seen" value="([0-9a-f]*)"', page.text)
    assert seen
    form = {"csrf_token": web.csrf_token(page), "seen": seen[1]}
    shown = re.search(r'class="pin">([0-9]{6})<', client.post(f"/pins/{code}", data=form).text)
    assert shown
    return shown[1]


def hashed(store: Store) -> str | None:
    [row] = make.rows(store, tables.site)
    found: str | None = row.staff_pin
    return found


def test_the_office_makes_a_pin_which_is_shown_once_and_told_to_kiosks(office: FlaskClient, store: Store) -> None:
    assert 'href="/pins"' in office.get("/").text
    assert "none" in office.get("/pins").text
    pin = make_new(office)
    assert matches(pin, hashed(store) or "")
    [row] = make.rows(store, tables.site)
    assert row.roster_version != 1
    again = office.get("/pins").text
    assert pin not in again
    assert "yes" in again


def test_a_new_pin_is_another_and_both_acts_are_audited_without_the_number(office: FlaskClient, store: Store) -> None:
    first, second = make_new(office), make_new(office)
    assert not matches(first, hashed(store) or "")
    acts = [each for each in make.rows(store, tables.audit) if each.action == "site.pin"]
    assert [each.subject for each in acts] == ["A", "A"]
    assert {each.who for each in acts} == {row.id for row in make.rows(store, tables.account) if row.login == "office"}
    assert second not in str(make.rows(store, tables.audit))


def test_a_page_that_is_sent_again_makes_no_second_pin(office: FlaskClient, store: Store) -> None:
    form = {"csrf_token": web.csrf_token(office.get("/pins")), "seen": ""}
    assert 'class="pin"' in office.post("/pins/A", data=form).text
    made = hashed(store)
    again = office.post("/pins/A", data=form).text
    assert 'class="pin"' not in again
    assert "has a new PIN already" in again
    assert hashed(store) == made


def test_staff_have_no_such_page(app: Flask, store: Store) -> None:
    client = app.test_client()
    web.log_in(client, "staff")
    form = {"csrf_token": web.csrf_token(client.get("/site/A"))}
    assert client.get("/pins").status_code == 404
    assert client.post("/pins/A", data=form).status_code == 404
    assert hashed(store) is None


def test_a_form_without_its_token_and_a_site_that_is_not_there_change_nothing(
    office: FlaskClient, store: Store
) -> None:
    assert office.post("/pins/A").status_code == 302
    form = {"csrf_token": web.csrf_token(office.get("/pins"))}
    assert office.post("/pins/B", data=form).status_code == 404
    assert office.get("/pins/A").headers["Location"] == "/pins"
    assert hashed(store) is None
