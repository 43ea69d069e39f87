"""The screen's web server: waitress on a loopback address, in a thread of the door process."""

import ipaddress
import socket
import threading
from contextlib import suppress

import waitress

from kiosk.errors import ScreenError
from kiosk.screen.app import create_app
from kiosk.screen.screen import PAGES_MAX, Screen

_THREADS = PAGES_MAX + 4
"""One for each page that watches, and enough for what pages fetch and children press."""
_UNREAD_BYTES = 65_536
"""A page that reads no more than this behind is not written to until it does; it then gets the newest view."""
_TASKS_END_S = 1.0
_LOOP_ENDS_S = 0.8


class ScreenServer:
    """Serves one screen until stopped. Thread: one caller."""

    def __init__(self, screen: Screen, host: str = "127.0.0.1", port: int = 8750) -> None:
        """`port` 0 takes a free one. Raises: ScreenError for a host that other machines could reach."""
        if not _is_loopback(host):
            raise ScreenError(host, port, "children's names are shown to this machine only: use 127.0.0.1")
        self._screen = screen
        self._host = host
        self._port = port
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
            create_app(self._screen),
            sockets=[listening],
            threads=_THREADS,
            ident=None,
            outbuf_high_watermark=_UNREAD_BYTES,
        )
        self._loop = threading.Thread(target=self._server.run, name="screen", daemon=True)
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
        """Let every page go and end within 2 s. Idempotent."""
        if self._loop is None:
            return
        self._screen.close()
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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
