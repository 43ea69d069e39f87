"""Looking at the staff page as a browser does: log in, hold the live stream, fetch the figures at each change."""

import re
import threading
import time
from collections.abc import Iterator

import requests

from attendance.records import Direction
from provisioning.errors import DemoFailed

TIMEOUT_S = 10.0
_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
_PRESENT = re.compile(r'data-present="(\d+)"')


class StaffPage:
    """A logged-in browser without a screen, on one site's page."""

    def __init__(self, web: str, live: str, site: str, *, login: str, password: str) -> None:
        self._page = f"{web}/site/{site}"
        self._stream = f"{live}/live/site/{site}"
        self._session = requests.Session()
        form = self._session.get(f"{web}/login", timeout=TIMEOUT_S)
        token = _TOKEN.search(form.text)
        if token is None:
            raise DemoFailed("the login page has no form")
        answer = self._session.post(
            f"{web}/login",
            data={"login": login, "password": password, "csrf_token": token[1]},
            timeout=TIMEOUT_S,
            allow_redirects=False,
        )
        if answer.status_code != requests.codes.found:
            raise DemoFailed(f"the login was answered with {answer.status_code}")

    def present(self) -> int:
        """Return the large number on the page. Raises: DemoFailed when it is not there."""
        page = self._session.get(self._page, timeout=TIMEOUT_S)
        number = _PRESENT.search(page.text)
        if number is None:
            raise DemoFailed(f"the staff page has no headcount (status {page.status_code})")
        return int(number[1])

    def names_present(self) -> frozenset[str]:
        """Return the names on the page."""
        answer = self._session.get(f"{self._page}/now.json", timeout=TIMEOUT_S)
        return frozenset(child["name"] for child in answer.json()["present"])

    def changes(self) -> Iterator[None]:
        """Yield when the stream says that the figures changed, until it ends."""
        with self._session.get(self._stream, stream=True, timeout=(TIMEOUT_S, 30)) as stream:
            for line in stream.iter_lines(chunk_size=1):
                if line.startswith(b"event: changed"):
                    yield

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()


class Watch:
    """Notes when each child's coming and leaving was first seen on the staff page. Thread: its own, and any reader."""

    def __init__(self, page: StaffPage) -> None:
        self._page = page
        self._seen: list[tuple[int, str, Direction]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to watch; it ends with the stream."""
        self._thread.start()

    def seen(self) -> list[tuple[int, str, Direction]]:
        """Return CLOCK_BOOTTIME in ns, name and way of each change seen so far, in order."""
        return list(self._seen)

    def _run(self) -> None:
        before: frozenset[str] = frozenset()
        try:
            for _ in self._page.changes():
                names = self._page.names_present()
                at_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
                self._seen += [(at_ns, name, Direction.ENTRY) for name in sorted(names - before)]
                self._seen += [(at_ns, name, Direction.EXIT) for name in sorted(before - names)]
                before = names
        except requests.RequestException:
            return  # the server ended; the counts tell whether that was too early
