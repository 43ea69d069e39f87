"""The staff page and the start page: who sees what, what is said, and what is written down of it."""

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, session
from flask.sessions import SecureCookieSessionInterface
from flask.testing import FlaskClient
from sqlalchemy import Row, text, update

from attendance.catalogue import Language
from attendance.clock import ManualClock
from server.catalogues import catalogues
from server.config import ServerSettings
from server.store import tables
from server.store.engine import Store
from server.twins import TWIN_MS
from server.web.session import remember_view
from tests.server import factories as make
from tests.server import web_site as web

pytestmark = pytest.mark.usefixtures("quick_passwords")

HALF_AN_HOUR_AGO_MS = web.AFTERNOON_MS - 30 * web.MINUTE_MS
SCREENS = ["/site/A", "/site/A/now", "/site/A/now.json"]
FILES = ["/cards/A", "/report/A/2026-04-15.csv", "/report/A/2026-04-15.xlsx"]
"""Of the office alone: they leave the screen, with names or with the tokens of all cards."""
OF_A_SITE = [*SCREENS, *FILES]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(web.AFTERNOON)


@pytest.fixture
def site(store: Store) -> Row[Any]:
    row = make.site(store, code="A", name="Midori")
    make.site(store, code="B", name="Sakura")
    web.add_login(store, "staff", site="A", language=Language.EN)
    web.add_login(store, "neighbour", site="B", language=Language.EN)
    web.add_login(store, "office", language=Language.EN)
    return row


@pytest.fixture
def app(store: Store, site: Row[Any], tmp_path: Path, clock: ManualClock) -> Flask:
    return web.pages(store, ServerSettings(data_dir=str(tmp_path)), clock)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser of staff of site A."""
    client = app.test_client()
    web.log_in(client, "staff")
    return client


@pytest.fixture
def office(app: Flask) -> FlaskClient:
    """A browser of the office."""
    client = app.test_client()
    web.log_in(client, "office")
    return client


def page(client: FlaskClient) -> str:
    return " ".join(client.get("/site/A").text.split())


def told(client: FlaskClient) -> dict[str, Any]:
    answer: dict[str, Any] = client.get("/site/A/now.json").get_json()
    return answer


def enters(store: Store, site: Row[Any], **values: object) -> Row[Any]:
    """A child of the site who is in since 15:30."""
    child = make.child(store, at=site.id, **{key: values[key] for key in values if key in tables.child.c})
    moved = {"at_ms": HALF_AN_HOUR_AGO_MS} | {key: values[key] for key in values if key in tables.movement.c}
    make.movement(store, site_id=site.id, child_id=child.id, **moved)
    return child


@pytest.mark.parametrize("address", OF_A_SITE)
def test_nobody_sees_a_site_without_a_login(app: Flask, address: str) -> None:
    answer = app.test_client().get(address)
    assert answer.status_code == (401 if address.endswith(".json") else 302)
    assert answer.status_code == 401 or answer.location.startswith("/login")


@pytest.mark.parametrize("address", OF_A_SITE)
def test_staff_of_another_site_find_nothing_there(app: Flask, address: str) -> None:
    outsider = app.test_client()
    web.log_in(outsider, "neighbour")
    there, nowhere = outsider.get(address), outsider.get(address.replace("A", "NOWHERE", 1))
    assert (there.status_code, nowhere.status_code) == (404, 404)


@pytest.mark.parametrize("address", SCREENS)
def test_staff_of_the_site_see_its_screen(client: FlaskClient, address: str) -> None:
    assert client.get(address).status_code == 200


@pytest.mark.parametrize("address", OF_A_SITE)
def test_the_office_sees_it_all(office: FlaskClient, address: str) -> None:
    assert office.get(address).status_code == 200


@pytest.mark.parametrize("address", [*FILES, "/suspended"])
def test_staff_of_the_site_take_no_file_away(client: FlaskClient, store: Store, address: str) -> None:
    before = make.rows(store, tables.audit)
    assert client.get(address).status_code == 404
    assert make.rows(store, tables.audit) == before


def test_the_start_page_is_for_the_office(app: Flask, client: FlaskClient) -> None:
    assert app.test_client().get("/").location.startswith("/login")
    assert client.get("/").location == "/site/A"
    office = app.test_client()
    web.log_in(office, "office")
    assert "Midori" in office.get("/").text


def test_a_screen_whose_login_ended_is_led_to_the_form(app: Flask) -> None:
    answer = app.test_client().get("/site/A/now", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/login"


def test_the_page_says_how_many_are_in_who_and_since_when(client: FlaskClient, store: Store, site: Row[Any]) -> None:
    enters(store, site, name="Hana", kana="はな")
    assert '<b data-present="1">1</b>' in page(client)
    assert "Hana" in page(client)
    assert "since 15:30" in page(client)
    assert "as of 16:00" in page(client)


def test_who_is_expected_is_late_only_after_the_time_of_the_site(
    client: FlaskClient, store: Store, site: Row[Any], clock: ManualClock
) -> None:
    child = make.child(store, at=site.id)
    assert told(client)["late"] == [child.id]
    assert "Not arrived" in page(client)
    clock.advance(-timedelta(minutes=31).total_seconds())
    assert told(client)["waiting"] == [child.id]
    assert "Expected by 15:30." in page(client)


def test_a_time_that_is_not_settled_says_so(client: FlaskClient, store: Store, site: Row[Any]) -> None:
    enters(store, site, at_source="unsettled")
    assert "time not settled" in page(client)


def test_an_arrival_is_marked_for_a_minute_and_in_words(
    client: FlaskClient, store: Store, site: Row[Any], clock: ManualClock
) -> None:
    enters(store, site, at_ms=web.AFTERNOON_MS)
    assert "just came" in page(client)
    clock.advance(61)
    assert "just came" not in page(client)


def test_a_silent_kiosk_casts_doubt_on_the_figures(client: FlaskClient, store: Store, site: Row[Any]) -> None:
    make.kiosk(store, site_id=site.id, name="Back", heard_at_ms=web.AFTERNOON_MS - 59_000)
    assert "incomplete" not in page(client)
    make.kiosk(store, site_id=site.id, name="Front", heard_at_ms=web.AFTERNOON_MS - 61_000)
    assert "The figures may be incomplete" in page(client)
    assert "“Front” has been silent since 15:58" in page(client)
    make.kiosk(store, site_id=site.id, name="New", heard_at_ms=None)
    assert "“New” has never been heard from" in page(client)


def test_a_kiosk_tells_of_its_readers_and_of_what_it_has_not_sent(
    client: FlaskClient, store: Store, site: Row[Any]
) -> None:
    make.kiosk(store, site_id=site.id, name="Front", heard_at_ms=web.AFTERNOON_MS, unsent=2, trouble="reader:nfc:down")
    assert "The reader “nfc” of the kiosk “Front” does not work." in page(client)
    assert "reader:nfc" not in page(client)
    assert "needs a look" in page(client)
    assert "2 records have not arrived yet" in page(client)


def test_a_kiosk_that_fell_silent_is_told_of_as_that_alone(client: FlaskClient, store: Store, site: Row[Any]) -> None:
    make.kiosk(store, site_id=site.id, heard_at_ms=HALF_AN_HOUR_AGO_MS, trouble="reader:nfc:down")
    assert "The figures may be incomplete" in page(client)
    assert "nfc" not in page(client)


def test_a_kiosk_that_runs_on_two_machines_is_told_of(client: FlaskClient, store: Store, site: Row[Any]) -> None:
    at_ms = web.AFTERNOON_MS
    row = make.kiosk(store, site_id=site.id, name="Front", heard_at_ms=at_ms, twin_at_ms=at_ms)
    assert "Two machines run as the kiosk “Front”" in page(client)
    assert "needs a look" in page(client)
    with store.write() as conn:
        conn.execute(update(tables.kiosk).where(tables.kiosk.c.id == row.id).values(twin_at_ms=at_ms - TWIN_MS - 1))
    assert "Two machines" not in page(client)


def test_an_unknown_card_is_shown_by_its_first_digits_alone(client: FlaskClient, store: Store, site: Row[Any]) -> None:
    row = make.unknown_card(store, site_id=site.id, at_ms=HALF_AN_HOUR_AGO_MS)
    assert f"15:30, card {row.card_hash[:8]}<" in page(client)
    assert row.card_hash not in page(client)


def test_names_are_shown_as_text_whatever_is_in_them(client: FlaskClient, store: Store, site: Row[Any]) -> None:
    enters(store, site, name="<script>alert(1)</script>")
    assert "<script>alert" not in page(client)


def test_a_screen_that_is_up_to_date_is_told_so_until_something_changes(
    client: FlaskClient, store: Store, site: Row[Any], clock: ManualClock
) -> None:
    kiosk = make.kiosk(store, site_id=site.id, heard_at_ms=web.AFTERNOON_MS - 3000)
    tag = client.get("/site/A/now").headers["ETag"].strip('"')
    assert f'data-etag="{tag}"' in page(client)
    again = {"If-None-Match": tag}
    with store.write() as conn:
        conn.execute(
            tables.kiosk.update().where(tables.kiosk.c.id == kiosk.id).values(heard_at_ms=web.AFTERNOON_MS - 1000)
        )
    clock.advance(5)
    assert client.get("/site/A/now", headers=again).status_code == 304
    enters(store, site)
    assert client.get("/site/A/now", headers=again).status_code == 200


def test_programs_read_who_is_in_and_when_it_was_so(client: FlaskClient, store: Store, site: Row[Any]) -> None:
    child = enters(store, site, name="Hana")
    now = told(client)
    assert now["as_of_ms"] == web.AFTERNOON_MS
    assert now["present"] == [
        {
            "id": child.id,
            "name": "Hana",
            "since_ms": HALF_AN_HOUR_AGO_MS,
            "since_err_ms": None,
            "since_source": "anchor",
        }
    ]


def test_looking_is_audited_once_a_session_and_day_and_not_at_each_look(
    client: FlaskClient, store: Store, clock: ManualClock
) -> None:
    def views() -> int:
        return sum(row.action == "site.view" for row in make.rows(store, tables.audit))

    for address in ("/site/A", "/site/A/now", "/site/A/now.json", "/site/A"):
        client.get(address)
    assert views() == 1
    clock.advance(86_400)
    client.get("/site/A")
    assert views() == 2


def test_a_look_that_could_not_be_audited_shows_nothing_and_the_next_is_audited(
    client: FlaskClient, store: Store
) -> None:
    with store.write() as conn:
        conn.execute(text("ALTER TABLE audit RENAME TO elsewhere"))
    assert client.get("/site/A").status_code == 503
    with store.write() as conn:
        conn.execute(text("ALTER TABLE elsewhere RENAME TO audit"))
    assert client.get("/site/A").status_code == 200
    assert [row.action for row in make.rows(store, tables.audit)].count("site.view") == 1


def test_looking_at_many_sites_leaves_the_cookie_small_enough_for_browsers(app: Flask) -> None:
    with app.test_request_context():
        for _ in range(400):
            remember_view(secrets.token_hex(10), "2026-04-15")
        cookie = SecureCookieSessionInterface().get_signing_serializer(app)
        assert cookie is not None
        assert len(cookie.dumps(dict(session))) < 4000


def test_a_report_is_a_file_named_for_its_site_and_day_and_is_audited(office: FlaskClient, store: Store) -> None:
    answer = office.get("/report/A/2026-04-15.csv")
    assert answer.headers["Content-Disposition"] == "attachment; filename=A-2026-04-15.csv"
    assert answer.data.startswith(b"\xef\xbb\xbf")
    assert office.get("/report/A/2026-04-15.xlsx").data.startswith(b"PK")
    assert [row.action for row in make.rows(store, tables.audit)].count("report.daily") == 2


@pytest.mark.parametrize("address", ["/report/A/2026-02-30.csv", "/report/A/today.csv", "/report/A/2026-04-15.exe"])
def test_a_report_of_no_day_is_not_found(office: FlaskClient, address: str) -> None:
    assert office.get(address).status_code == 404


def test_the_office_sees_numbers_and_no_names(office: FlaskClient, store: Store, site: Row[Any]) -> None:
    enters(store, site, name="Hana")
    make.kiosk(store, site_id=site.id, heard_at_ms=None)
    make.kiosk(store, site_id=site.id, heard_at_ms=web.AFTERNOON_MS, trouble="reader:nfc:down")
    shown = office.get("/").text
    assert '<b data-total="1">1</b>' in shown
    assert "1 is silent" in shown
    assert "1 needs a look" in shown
    assert "Hana" not in shown


@pytest.mark.parametrize("language", list(Language))
def test_every_page_is_there_in_every_language(
    office: FlaskClient, store: Store, site: Row[Any], language: Language
) -> None:
    enters(store, site, at_source="unsettled", at_ms=web.AFTERNOON_MS)
    make.child(store, at=site.id)
    make.kiosk(store, site_id=site.id, heard_at_ms=None, unsent=1)
    make.kiosk(store, site_id=site.id, heard_at_ms=web.AFTERNOON_MS, trouble="reader:nfc:down disk_low")
    make.unknown_card(store, site_id=site.id, at_ms=web.AFTERNOON_MS)
    make.guardian(store, of=make.child(store, at=site.id).id, suspended_at_ms=web.AFTERNOON_MS)
    office.post("/language", data={"csrf_token": web.csrf_token(office.get("/site/A")), "language": language})
    for address in ("/", "/site/A", "/cards/A", "/suspended", "/site/NOWHERE"):
        answer = office.get(address)
        assert f'lang="{language.html}"' in answer.text
        assert "web." not in answer.text.replace("/web/", "")


def test_a_database_that_cannot_be_used_is_told_in_words(client: FlaskClient, store: Store, tmp_path: Path) -> None:
    store.close()
    (tmp_path / "tadaima.db").write_bytes(b"no database" * 1000)
    for leftover in tmp_path.glob("tadaima.db-*"):
        leftover.unlink()
    answer = client.get("/site/A")
    assert answer.status_code == 503
    assert catalogues()[Language.JA].text("web.broken.title") in answer.text
