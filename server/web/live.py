"""The live stream (SSE), in a process of its own since every open screen holds a thread: says that figures changed.

It carries no figure and no name; the page asks the web process for those.
"""

import queue
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.exceptions import NotFound, Unauthorized

from attendance.clock import Clock
from server import services as parts
from server.config import ServerSettings
from server.keys import load_secrets
from server.sites import find_site
from server.store.engine import Store
from server.web.session import configure_session, current_account, session_account
from server.web.watch import Changes, Watcher

HEARTBEAT_S = 10.0
_WATCHER = "tadaima.watcher"
_RETRY_MS = 2000


def create_live_app(settings: ServerSettings, store: Store, clock: Clock, *, heartbeat_s: float = HEARTBEAT_S) -> Flask:
    """Return the app of the live process. Raises: StoreError when there are no secrets yet."""
    app = Flask(__name__, static_folder=None)
    secrets = load_secrets(Path(settings.data_dir))
    parts.bind(app, parts.Services(settings=settings, store=store, clock=clock, secrets=secrets))
    configure_session(app, settings, secrets)
    watcher = Watcher(store, clock)
    app.extensions[_WATCHER] = watcher

    @app.get("/live/site/<code>")
    def stream(code: str) -> Response:
        """Tell one screen of each change at a site until it goes."""
        account = session_account()
        if account is None:
            raise Unauthorized
        with store.read() as conn:
            site = find_site(conn, code) if account.may_see(code) else None
        if site is None:
            raise NotFound
        who = (account.id, account.stamp)
        events = _events(watcher, site.id, store, who, heartbeat_s)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return Response(events, mimetype="text/event-stream", headers=headers)

    @app.after_request
    def _allow_page(response: Response) -> Response:
        origin = request.headers.get("Origin")
        response.headers["Vary"] = "Origin, Cookie"
        if origin and _is_web_origin(origin, settings):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
        return response

    return app


def end_streams(app: Flask) -> None:
    """Let every stream of a live app end, those to come too, since a process waits for them to end. Thread: any."""
    watcher: Watcher = app.extensions[_WATCHER]
    watcher.end()


def _events(watcher: Watcher, site_id: str, store: Store, who: tuple[str, str], heartbeat_s: float) -> Iterator[str]:
    """Yield a change at once (a page may have missed one while it was away), then each one, and heartbeats between."""
    with watcher.changes(site_id) as changes:
        yield f"retry: {_RETRY_MS}\nevent: changed\ndata: 1\n\n"
        while True:
            if _wait(changes, heartbeat_s):
                if watcher.ended:
                    return
                yield "event: changed\ndata: 1\n\n"
                continue
            with store.read() as conn:
                if current_account(conn, *who) is None:
                    return
            yield ": still here\n\n"  # also how a screen that went is noticed


def _wait(changes: Changes, timeout_s: float) -> bool:
    try:
        changes.get(timeout=timeout_s)
    except queue.Empty:
        return False
    return True


def _is_web_origin(origin: str, settings: ServerSettings) -> bool:
    """Say whether an origin is that of our pages: the one people type, or this host at the web port."""
    asked = urlsplit(origin)
    if settings.base_url:
        ours = urlsplit(settings.base_url)
        return (asked.scheme, asked.netloc) == (ours.scheme, ours.netloc)
    return asked.hostname == urlsplit(request.host_url).hostname and asked.port == settings.bind.port
