"""The live stream: who may listen, when it speaks, and that it lets go of threads."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Row, insert

from attendance.clock import ManualClock
from server.config import BindSettings, ServerSettings
from server.store import tables
from server.store.engine import Store, open_store
from server.web.accounts import disable_account
from server.web.live import create_live_app, end_streams
from server.web.watch import Watcher, figures_by_site
from tests.server import factories as make
from tests.server import web_site as web

pytestmark = pytest.mark.usefixtures("quick_passwords")
STREAM = "/live/site/A"
PATIENCE_S = 20


@pytest.fixture
def site(store: Store) -> Row[Any]:
    row = make.site(store, code="A")
    make.site(store, code="B")
    for login, code in (("staff", "A"), ("neighbour", "B"), ("office", None)):
        web.add_login(store, login, site=code)
    return row


@pytest.fixture
def settings(tmp_path: Path) -> ServerSettings:
    return ServerSettings(data_dir=str(tmp_path), bind=BindSettings(port=8000))


@pytest.fixture
def pages(store: Store, site: Row[Any], settings: ServerSettings) -> Flask:
    return web.pages(store, settings)


@pytest.fixture
def live(pages: Flask, store_url: str, settings: ServerSettings) -> Iterator[Flask]:
    """The app of the live process, on a store of its own as in life."""
    with closing(open_store(store_url)) as store:
        yield create_live_app(settings, store, ManualClock(web.AFTERNOON), heartbeat_s=0.05)


def cookie_of(pages: Flask, login: str) -> str:
    client = pages.test_client()
    web.log_in(client, login)
    cookie = client.get_cookie("tadaima_session")
    assert cookie is not None
    return f"tadaima_session={cookie.value}"


def status(live: Flask, cookie: str, address: str = STREAM) -> int:
    answer = live.test_client(use_cookies=False).get(address, headers={"Cookie": cookie})
    answer.close()
    return answer.status_code


def watchers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "watcher"}


def test_who_may_see_a_site_may_listen_and_nobody_else(live: Flask, pages: Flask) -> None:
    assert status(live, "") == 401
    assert status(live, "tadaima_session=forged") == 401
    assert status(live, cookie_of(pages, "neighbour")) == 404
    assert status(live, cookie_of(pages, "office"), "/live/site/NOWHERE") == 404
    assert status(live, cookie_of(pages, "staff")) == 200
    assert status(live, cookie_of(pages, "office")) == 200


def test_only_our_own_pages_may_read_the_stream_with_a_login(live: Flask, pages: Flask) -> None:
    cookie = cookie_of(pages, "staff")

    def allowed(origin: str) -> str | None:
        headers = {"Cookie": cookie, "Origin": origin}
        with live.test_client(use_cookies=False).get(STREAM, headers=headers) as answer:
            return answer.headers.get("Access-Control-Allow-Origin")

    assert allowed("http://localhost:8000") == "http://localhost:8000"
    assert allowed("http://localhost:9999") is None
    assert allowed("http://evil.example:8000") is None
    assert allowed("null") is None


@pytest.fixture
def listening(live: Flask, pages: Flask) -> Iterator[HTTPResponse]:
    """The stream as staff of site A hear it."""
    with ExitStack() as up:
        port = up.enter_context(web.free_port())
        up.enter_context(web.served(live, port))
        connection = up.enter_context(closing(HTTPConnection("127.0.0.1", port.getsockname()[1], timeout=PATIENCE_S)))
        connection.request("GET", STREAM, headers={"Cookie": cookie_of(pages, "staff")})
        with connection.getresponse() as response:
            yield response


def heard(stream: HTTPResponse) -> str:
    """The next thing that is said."""
    lines = []
    while (line := stream.readline()) != b"\n":
        assert line, "the stream ended"
        lines.append(line.decode())
    return "".join(lines)


def hear_change(stream: HTTPResponse) -> None:
    while "event: changed" not in heard(stream):
        pass


def test_a_screen_is_told_of_a_change_at_once_when_it_comes_and_then_of_each(
    listening: HTTPResponse, store: Store, site: Row[Any]
) -> None:
    assert "event: changed" in heard(listening)
    child = make.child(store, at=site.id)
    hear_change(listening)  # the watcher's first look, which cannot know what was there before
    make.movement(store, site_id=site.id, child_id=child.id, at_ms=web.AFTERNOON_MS)
    hear_change(listening)


def test_a_stream_beats_while_nothing_happens(listening: HTTPResponse) -> None:
    while ": still here" not in heard(listening):
        pass


def test_a_stream_ends_when_its_account_is_disabled(listening: HTTPResponse, store: Store) -> None:
    heard(listening)
    with store.write() as conn:
        disable_account(conn, "staff", web.AFTERNOON_MS)
    assert listening.read().count(b"event: data") == 0


def test_a_stream_ends_with_the_process_that_serves_it(live: Flask, listening: HTTPResponse) -> None:
    heard(listening)
    end_streams(live)
    listening.read()  # comes to its end


def test_a_stream_that_opens_after_the_end_is_over_at_once(live: Flask, pages: Flask) -> None:
    end_streams(live)
    answer = live.test_client(use_cookies=False).get(STREAM, headers={"Cookie": cookie_of(pages, "staff")})
    assert answer.text.count("event: changed") == 1


def test_the_watching_thread_lives_while_somebody_listens(store: Store) -> None:
    watcher = Watcher(store, ManualClock(web.AFTERNOON))
    before = watchers()
    with watcher.changes("A"), watcher.changes("A"), watcher.changes("B"):
        assert len(watchers() - before) == 1
    assert watchers() - before == set()


def test_a_change_reaches_the_screens_of_its_site_alone(store: Store, store_url: str, site: Row[Any]) -> None:
    child = make.child(store, at=site.id)
    with closing(open_store(store_url)) as own:
        watcher = Watcher(own, ManualClock(web.AFTERNOON), interval_s=0.01)
        with watcher.changes(site.id) as here, watcher.changes("elsewhere") as there:
            here.get(timeout=PATIENCE_S)
            there.get(timeout=PATIENCE_S)
            make.movement(store, site_id=site.id, child_id=child.id, at_ms=web.AFTERNOON_MS)
            here.get(timeout=PATIENCE_S)
            assert there.empty()


def test_figures_differ_when_a_screen_would_and_not_for_the_daily_noise_of_kiosks(store: Store, site: Row[Any]) -> None:
    def look() -> str:
        with store.read() as conn:
            return repr(figures_by_site(conn, make.DAY))

    seen = [look()]
    child = make.child(store, at=site.id)
    moved = make.movement(store, site_id=site.id, child_id=child.id, at_ms=web.AFTERNOON_MS)
    seen.append(look())
    with store.write() as conn:
        conn.execute(tables.movement.update().where(tables.movement.c.id == moved.id).values(at_ms=moved.at_ms - 5))
    seen.append(look())
    with store.write() as conn:
        conn.execute(tables.movement.update().values(undone_at_ms=web.AFTERNOON_MS))
    seen.append(look())
    make.unknown_card(store, site_id=site.id, at_ms=web.AFTERNOON_MS)
    seen.append(look())
    assert len(set(seen)) == len(seen)
    with store.write() as conn:
        conn.execute(insert(tables.nonce).values(key_id="k", nonce="n", seen_at_ms=1))
    assert look() == seen[-1]
