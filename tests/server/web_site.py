"""A site with invented children, accounts and the pages on it, for tests of the web."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, runtime_checkable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import ThreadedWSGIServer, make_server
from werkzeug.test import TestResponse

from attendance.catalogue import Language
from attendance.clock import Clock, ManualClock
from server import services
from server.config import ServerSettings
from server.keys import make_secrets
from server.store.engine import Store
from server.web import register
from server.web.accounts import Role, add_account

PASSWORD = "four plain words here"
AFTERNOON = datetime(2026, 4, 15, 7, 0, tzinfo=UTC)
"""16:00 in Japan on a Wednesday, past the time by which children are expected."""
AFTERNOON_MS = round(AFTERNOON.timestamp() * 1000)
MINUTE_MS = 60_000
# Letters that are not in JIS X 0208 among them, and names that are alike.
CHILDREN = [
    ("青木 はると", "あおき はると", "bear", "red"),
    ("石井 ひまり", "いしい ひまり", "cat", "yellow"),
    ("上田 みなと", "うえだ みなと", "frog", "green"),
    ("大﨑 ゆい", "おおさき ゆい", "rabbit", "pink"),
    ("加藤 そうた", "かとう そうた", "lion", "orange"),
    ("木村 つむぎ", "きむら つむぎ", "penguin", "blue"),
    ("佐藤 あおい", "さとう あおい", "panda", "purple"),
    ("佐藤 あおと", "さとう あおと", "owl", "navy"),
    ("鈴木 りん", "すずき りん", "dog", "blue"),
    ("髙橋 さくら", "たかはし さくら", "squirrel", "green"),
    ("グエン ティ マイ", "ぐえん てぃ まい", "whale", "navy"),
    ("中村 いつき", "なかむら いつき", "tiger", "yellow"),
    ("林 ことは", "はやし ことは", "koala", "purple"),
    ("渡邉 かいと", "わたなべ かいと", "turtle", "red"),
]


def pages(store: Store, settings: ServerSettings, clock: Clock | None = None) -> Flask:
    """The pages on a store, at 16:00 unless another clock is given."""
    app = Flask("pages", static_folder=None)
    app.testing = True
    parts = services.Services(
        settings=settings,
        store=store,
        clock=clock or ManualClock(AFTERNOON),
        secrets=make_secrets(Path(settings.data_dir)),
    )
    services.bind(app, parts)
    register(app)
    return app


def add_login(store: Store, login: str, *, site: str | None = None, language: Language = Language.JA) -> str:
    """An account: staff of a site, or the office when there is none; its id."""
    role = Role.OFFICE if site is None else Role.STAFF
    with store.write() as conn:
        return add_account(conn, login, name=login, role=role, site_code=site, language=language, password=PASSWORD)


def csrf_token(page: TestResponse) -> str:
    return find_csrf_token(page.text)


def find_csrf_token(html: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', html)
    assert found, html
    return found.group(1)


def log_in(client: FlaskClient, login: str, password: str = PASSWORD, **fields: str) -> TestResponse:
    form = {"csrf_token": csrf_token(client.get("/login")), "login": login, "password": password}
    return client.post("/login", data=form | fields)


@contextmanager
def served(app: WSGIApplication, listening: socket.socket) -> Iterator[None]:
    """Serve an app on a listening socket, a thread a connection, until the end of the block.

    The block must have closed its connections: a stream ends when its reader is gone, and is waited for.
    """
    port, fd = listening.getsockname()[1], listening.fileno()
    server = make_server("127.0.0.1", port, _closing_answers(app), threaded=True, fd=fd)
    assert isinstance(server, ThreadedWSGIServer)
    server.daemon_threads, server.block_on_close = False, True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _closing_answers(app: WSGIApplication) -> WSGIApplication:
    """Close each answer when it ends: werkzeug's server leaves it open when a browser resets the connection."""

    def answering(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        answer = app(environ, start_response)
        try:
            yield from answer
        finally:
            if isinstance(answer, SupportsClose):
                answer.close()

    return answering


@runtime_checkable
class SupportsClose(Protocol):
    """An answer that holds something open."""

    def close(self) -> None: ...


def free_port() -> socket.socket:
    """A socket that listens on a port nobody else has."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(32)
    return listening
