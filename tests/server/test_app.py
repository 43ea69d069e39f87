"""The web process's app: health, headers, and what stands before it."""

import pytest
from flask import Flask, request
from sqlalchemy import text

from attendance.catalogue import Language
from attendance.clock import ManualClock
from server.app import create_app
from server.catalogues import catalogues
from server.config import ServerSettings
from server.errors import StoreError
from server.store.engine import Store
from tests.server import web_site as web


def test_health_says_ok_without_a_login(app: Flask) -> None:
    answer = app.test_client().get("/health")
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_health_fails_with_the_store(app: Flask, store: Store) -> None:
    with store.write() as conn:
        conn.execute(text("ALTER TABLE site RENAME TO away"))
    assert app.test_client().get("/health").status_code == 503


@pytest.mark.parametrize("path", ["/health", "/kiosk/v1/nothing", "/", "/nowhere"])
def test_every_answer_is_strict_with_browsers(app: Flask, path: str) -> None:
    headers = app.test_client().get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy or "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] in ("no-referrer", "same-origin")


@pytest.mark.parametrize(("base_url", "sent"), [("https://kids.example.jp", True), ("http://kids.local", False)])
def test_browsers_are_told_to_stay_with_https_only_where_there_is_https(
    server_settings: ServerSettings, store: Store, clock: ManualClock, base_url: str, *, sent: bool
) -> None:
    settings = ServerSettings(
        data_dir=server_settings.data_dir, database_url=server_settings.database_url, base_url=base_url
    )
    headers = create_app(settings, store, clock).test_client().get("/health").headers
    assert ("Strict-Transport-Security" in headers) is sent


@pytest.mark.parametrize(("proxies", "seen"), [(0, "127.0.0.1"), (1, "203.0.113.9")])
def test_the_sender_is_what_a_proxy_of_ours_says_and_no_other(
    server_settings: ServerSettings, store: Store, clock: ManualClock, proxies: int, seen: str
) -> None:
    settings = ServerSettings(
        data_dir=server_settings.data_dir, database_url=server_settings.database_url, proxies=proxies
    )
    app = create_app(settings, store, clock)
    app.add_url_rule("/who", view_func=lambda: str(request.remote_addr))
    assert app.test_client().get("/who", headers={"X-Forwarded-For": "203.0.113.9"}).text == seen


def boom() -> str:
    raise ZeroDivisionError


@pytest.mark.parametrize("language", list(Language))
def test_a_person_who_strays_is_told_in_the_language_of_the_account(
    app: Flask, store: Store, quick_passwords: None, language: Language
) -> None:
    web.add_login(store, "office", language=language)
    client = app.test_client()
    web.log_in(client, "office")
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert catalogues()[language].text("web.missing.text") in answer.text
    assert catalogues()[language].text("web.home") in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_stranger_who_strays_is_told_in_the_first_language(app: Flask) -> None:
    answer = app.test_client().get("/nowhere")
    assert answer.status_code == 404
    assert catalogues()[Language.JA].text("web.missing.title") in answer.text


def test_a_person_is_told_of_a_fault_of_ours_and_the_log_has_it(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    app.add_url_rule("/boom", view_func=boom)
    answer = app.test_client().get("/boom")
    assert answer.status_code == 500
    assert catalogues()[Language.JA].text("web.broken.text") in answer.text
    assert "ZeroDivisionError" in caplog.text
    assert "ZeroDivisionError" not in answer.text


def test_an_address_that_may_only_be_posted_to_is_told_as_missing(app: Flask) -> None:
    answer = app.test_client().get("/logout")
    assert answer.status_code == 405
    assert catalogues()[Language.JA].text("web.missing.text") in answer.text


def test_programs_of_kiosks_are_told_in_json(app: Flask) -> None:
    app.add_url_rule("/kiosk/v1/boom", view_func=boom)
    for address, status, code in (("nowhere", 404, "not_found"), ("boom", 500, "internal")):
        answer = app.test_client().get(f"/kiosk/v1/{address}")
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (status, code)


def test_there_is_no_app_without_secrets(store: Store, clock: ManualClock, tmp_path: object) -> None:
    with pytest.raises(StoreError, match="tadaima-server init"):
        create_app(ServerSettings(data_dir=f"{tmp_path}/nowhere"), store, clock)
