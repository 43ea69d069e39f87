"""A site with invented children, accounts and the pages on it, for tests of the web."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIApplication

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Row
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from attendance.catalogue import Language
from attendance.clock import Clock, ManualClock
from server import services
from server.config import ServerSettings
from server.keys import make_secrets
from server.store.engine import Store
from server.web import register
from server.web.accounts import Role, add_account
from tests.server import factories as make

PASSWORD = "four plain words here"
AFTERNOON = datetime(2026, 4, 15, 7, 0, tzinfo=UTC)
"""16:00 in Japan on a Wednesday, past the time by which children are expected."""
AFTERNOON_MS = round(AFTERNOON.timestamp() * 1000)
MINUTE_MS = 60_000


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
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found, page.text
    return found.group(1)


def log_in(client: FlaskClient, login: str, password: str = PASSWORD, **fields: str) -> TestResponse:
    form = {"csrf_token": csrf_token(client.get("/login")), "login": login, "password": password}
    return client.post("/login", data=form | fields)


def present(store: Store, site: Row[Any], *, minutes: int = 30, **values: Any) -> Row[Any]:
    """A child of the site who came `minutes` before 16:00 and is in."""
    child = make.child(store, at=site.id, **values)
    make.movement(store, site_id=site.id, child_id=child.id, at_ms=AFTERNOON_MS - minutes * MINUTE_MS)
    return child


def left(store: Store, site: Row[Any], **values: Any) -> Row[Any]:
    """A child of the site who came and went ten minutes before 16:00."""
    child = present(store, site, minutes=60, **values)
    make.movement(store, site_id=site.id, child_id=child.id, direction="exit", at_ms=AFTERNOON_MS - 10 * MINUTE_MS)
    return child


@contextmanager
def served(app: WSGIApplication, listening: socket.socket) -> Iterator[None]:
    """Serve an app on a listening socket, a thread a connection, until the end of the block."""
    server = make_server("127.0.0.1", listening.getsockname()[1], app, threaded=True, fd=listening.fileno())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> socket.socket:
    """A socket that listens on a port nobody else has."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(32)
    return listening
