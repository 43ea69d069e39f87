"""The screen's web server, in a thread of the door process."""

from kiosk.loopback import LoopbackServer
from kiosk.screen.app import create_app
from kiosk.screen.screen import PAGES_MAX, Screen

_THREADS = PAGES_MAX + 4
"""One for each page that watches, and enough for what pages fetch and children press."""


class ScreenServer(LoopbackServer):
    """Serves one screen until stopped. Thread: one caller."""

    def __init__(self, screen: Screen, host: str, port: int) -> None:
        """`port` 0 takes a free one. Raises: ScreenError for a host that other machines could reach."""
        super().__init__(create_app(screen), host, port, name="screen", threads=_THREADS)
        self._screen = screen

    def stop(self) -> None:
        """Let every page go and end within 2 s. Idempotent."""
        self._screen.close()
        super().stop()
