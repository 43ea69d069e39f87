"""Pages for this machine only: who may ask for one, what every answer carries, and the web server behind it."""

import ipaddress
import socket
import threading
from contextlib import suppress

import waitress
from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException

from kiosk.errors import ScreenError

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_OWN_SITES = frozenset({"same-origin", "none"})
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_UNREAD_BYTES = 65_536
"""A page that reads no more than this behind is not written to until it does; it then gets the newest view."""
_LONGEST_BODY_BYTES = 65_536
"""More than any page sends; a request that says it brings more is not waited for."""
_TASKS_END_S = 1.0
_LOOP_ENDS_S = 0.8


def seal(app: Flask) -> None:
    """Have the application answer this machine's own page only, and nothing of what it answers kept or embedded."""
    app.before_request(_refuse_strangers)
    app.after_request(_add_headers)
    app.register_error_handler(HTTPException, _plain_error)


class LoopbackServer:
    """Serves one application until stopped. Thread: one caller."""

    def __init__(self, app: Flask, host: str, port: int, *, name: str, threads: int) -> None:
        """`port` 0 takes a free one. Raises: ScreenError for a host that other machines could reach."""
        if not _is_loopback(host):
            raise ScreenError(host, port, "this page is for this machine only: use 127.0.0.1")
        self._app = app
        self._host = host
        self._port = port
        self._name = name
        self._threads = threads
        self._loop: threading.Thread | None = None

    def start(self) -> None:
        """Listen and serve. Raises: ScreenError when the port cannot be had."""
        try:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            listening = socket.create_server((self._host, self._port), family=family)
        except OSError as error:
            raise ScreenError(self._host, self._port, error.strerror or str(error)) from error
        self._port = listening.getsockname()[1]
        self._server = waitress.create_server(
            self._app,
            sockets=[listening],
            threads=self._threads,
            ident=None,
            outbuf_high_watermark=_UNREAD_BYTES,
            max_request_body_size=_LONGEST_BODY_BYTES,
        )
        self._loop = threading.Thread(target=self._server.run, name=self._name, daemon=True)
        self._loop.start()

    @property
    def port(self) -> int:
        """The port it listens on, once started."""
        return self._port

    @property
    def url(self) -> str:
        """Where the page is."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/"

    def stop(self) -> None:
        """End within 2 s, once no answer waits for anything any more. Idempotent."""
        if self._loop is None:
            return
        # The threads first: one that ends wakes the loop, whose file descriptors must still be open then.
        self._server.task_dispatcher.shutdown(timeout=_TASKS_END_S)
        # A loop that is awake already closes everything, its trigger too, before this thread comes to pull it.
        with suppress(OSError):
            self._server.trigger.pull_trigger(self._close_all)
        self._loop.join(_LOOP_ENDS_S)
        self._loop = None

    def _close_all(self) -> None:
        """Close every socket; the loop ends when it has none. Thread: the loop's."""
        for channel in list(self._server.active_channels.values()):
            channel.handle_close()
        self._server.close()


def _refuse_strangers() -> None:
    """Answer this machine's own page only: names that point here (DNS rebinding) and other sites are turned away."""
    host = request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host
    if host not in _LOOPBACK:
        abort(421)
    if request.headers.get("Sec-Fetch-Site", "none") not in _OWN_SITES:
        abort(403)
    if request.headers.get("Origin", request.host_url.rstrip("/")) != request.host_url.rstrip("/"):
        abort(403)


def _add_headers(response: Response) -> Response:
    response.headers.update(_HEADERS)
    return response


def _plain_error(error: HTTPException) -> tuple[str, int]:
    """No markup and no words: only this machine's page and its makers ever see one."""
    return "", error.code or 500


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
