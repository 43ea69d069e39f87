"""The login: who gets in, for how long, and what an attacker learns."""

from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from attendance.clock import ManualClock
from server.config import ServerSettings
from server.store import tables
from server.store.engine import Store
from server.web.accounts import disable_account, set_password
from tests.server import factories as make
from tests.server import web_site as web

pytestmark = pytest.mark.usefixtures("quick_passwords")

HTTPS = "https://tadaima.example.jp"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(web.AFTERNOON)


@pytest.fixture
def app(store: Store, tmp_path: Path, clock: ManualClock) -> Flask:
    make.site(store, code="A")
    web.add_login(store, "staff", site="A")
    web.add_login(store, "office")
    return web.pages(store, ServerSettings(data_dir=str(tmp_path)), clock)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_staff_go_straight_to_their_site_and_the_office_to_the_start_page(client: FlaskClient) -> None:
    assert web.log_in(client, "staff").location == "/"
    assert client.get("/").location == "/site/A"
    client.post("/logout", data={"csrf_token": web.csrf_token(client.get("/site/A"))})
    web.log_in(client, "office")
    assert client.get("/").status_code == 200


def test_a_login_goes_on_to_the_page_that_asked_for_it(client: FlaskClient) -> None:
    asked = client.get("/site/A")
    assert asked.location == "/login?next=/site/A"
    assert web.log_in(client, "staff", next="/site/A").location == "/site/A"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "site/A",
    ],
)
def test_a_login_never_leads_to_another_server(client: FlaskClient, elsewhere: str) -> None:
    assert web.log_in(client, "staff", next=elsewhere).location == "/"


def test_a_wrong_login_and_a_wrong_password_are_answered_alike(client: FlaskClient) -> None:
    wrong = [web.log_in(client, "staff", "a wrong password"), web.log_in(client, "nobody")]
    assert [answer.status_code for answer in wrong] == [403, 403]
    pages = [answer.text.replace(web.csrf_token(answer), "") for answer in wrong]
    assert pages[0] == pages[1]


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client: FlaskClient) -> None:
    cookie = web.log_in(client, "staff").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie, "a site without https could not log in"


def test_the_cookie_travels_by_https_alone_where_there_is_https(store: Store, tmp_path: Path) -> None:
    web.add_login(store, "office")
    client = web.pages(store, ServerSettings(data_dir=str(tmp_path), base_url=HTTPS)).test_client()
    page = client.get("/login", base_url=HTTPS)
    form = {"csrf_token": web.csrf_token(page), "login": "office", "password": web.PASSWORD}
    answer = client.post("/login", base_url=HTTPS, data=form, headers={"Referer": f"{HTTPS}/login"})
    assert "Secure" in answer.headers["Set-Cookie"]


def test_a_form_without_its_token_does_nothing(client: FlaskClient) -> None:
    answer = client.post("/login", data={"login": "staff", "password": web.PASSWORD})
    assert answer.location == "/login?again=1"
    assert client.get("/site/A").status_code == 302


def test_ten_wrong_tries_at_a_login_close_it_for_a_while(client: FlaskClient) -> None:
    tries = [web.log_in(client, "staff", "a wrong password").status_code for _ in range(11)]
    assert tries == [403] * 10 + [429]
    assert web.log_in(client, "staff").status_code == 429, "also to the right password"
    assert web.log_in(client, "office").status_code == 302, "and to nobody else"


def test_one_address_has_thirty_wrong_tries_whatever_the_login(client: FlaskClient) -> None:
    tries = [web.log_in(client, f"guess{number}", "a wrong password").status_code for number in range(31)]
    assert tries == [403] * 30 + [429]


def test_good_logins_are_not_counted(client: FlaskClient) -> None:
    for _ in range(12):
        assert web.log_in(client, "office").status_code == 302
        client.post("/logout", data={"csrf_token": web.csrf_token(client.get("/"))})


def test_logging_out_ends_the_session(client: FlaskClient) -> None:
    web.log_in(client, "staff")
    client.post("/logout", data={"csrf_token": web.csrf_token(client.get("/site/A"))})
    assert client.get("/site/A").status_code == 302


def test_a_new_password_or_a_disabled_account_ends_sessions_at_once(client: FlaskClient, store: Store) -> None:
    web.log_in(client, "staff")
    assert client.get("/site/A").status_code == 200
    with store.write() as conn:
        set_password(conn, "staff", "another four plain words")
    assert client.get("/site/A").status_code == 302
    web.log_in(client, "staff", "another four plain words")
    with store.write() as conn:
        disable_account(conn, "staff", web.AFTERNOON_MS)
    assert client.get("/site/A").status_code == 302


def test_an_open_screen_stays_logged_in_but_not_by_each_look(client: FlaskClient, clock: ManualClock) -> None:
    web.log_in(client, "staff")
    client.get("/site/A")
    assert "Set-Cookie" not in client.get("/site/A/now").headers, "it could undo a logout that overtakes it"
    clock.advance(601)
    assert "tadaima_session" in client.get("/site/A/now").headers["Set-Cookie"]


def test_a_session_nobody_used_for_twelve_hours_is_over(client: FlaskClient, app: Flask) -> None:
    assert app.permanent_session_lifetime == timedelta(hours=12)
    web.log_in(client, "staff")
    app.permanent_session_lifetime = timedelta(seconds=-1)
    assert client.get("/site/A").status_code == 302


def test_a_login_is_audited(client: FlaskClient, store: Store) -> None:
    web.log_in(client, "staff", "a wrong password")
    web.log_in(client, "staff")
    [row] = make.rows(store, tables.audit)
    assert row.action == "account.log_in"


def test_the_language_can_be_chosen_before_and_after_the_login(client: FlaskClient) -> None:
    form = {"csrf_token": web.csrf_token(client.get("/login")), "language": "en", "next": "/login"}
    assert client.post("/language", data=form).location == "/login"
    assert 'lang="en"' in client.get("/login").text
    web.log_in(client, "staff")
    assert "Who" in client.get("/site/A").text or "Nobody is in now." in client.get("/site/A").text


def test_pages_let_in_no_script_of_others_and_are_kept_nowhere(client: FlaskClient) -> None:
    web.log_in(client, "staff")
    answer = client.get("/site/A")
    assert "default-src 'none'; script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "connect-src 'self' http://localhost:8001" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert "<script>" not in answer.text
    assert "style=" not in answer.text
