"""Whether the web process and the live process answer, here and at the address that people type.

A proxy, a captive portal or another program on the port may answer in their place: only our own words count.
"""

import errno
import http.client
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Timer
from urllib.parse import urlsplit

from attendance.finding import Finding
from server.config import ServerSettings

REACH_S = 5.0
WHOLE_S = 10.0
"""However slowly an answer drips."""
_HEALTH = "/health"
_LIVE = "/live/site/-"
_MOST_BYTES = 64
_ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    text: bytes
    vary: str


@dataclass(frozen=True, slots=True)
class _Silence:
    reason: str
    untrusted: bool = False


def check_web(settings: ServerSettings) -> Iterator[Finding]:
    """Ask for the health of the web process; at a port that nobody can know there is nothing to be asked."""
    if settings.bind.port:
        yield _judged_web("web", _local(settings.bind.host, settings.bind.port))
    if settings.base_url:
        yield _judged_web("public", settings.base_url.rstrip("/"))


def check_live(settings: ServerSettings) -> Iterator[Finding]:
    """Ask the live process for a screen, which it refuses to whoever is not logged in."""
    if settings.live.port:
        yield _judged_live("live", _local(settings.live.host, settings.live.port))
    if settings.live_url:
        yield _judged_live("public_live", settings.live_url.rstrip("/"))


def _judged_web(code: str, url: str) -> Finding:
    match _ask(url, _HEALTH):
        case _Answer(status=200, text=b"ok\n"):
            return Finding(code, values={"url": url})
        case _Answer(status=503, text=b"store\n"):
            return Finding("web_failing", wrong=True, values={"url": url})
        case answer:
            return _not_ours(code, url, answer)


def _judged_live(code: str, url: str) -> Finding:
    match _ask(url, _LIVE):
        case _Answer(status=401, vary="Origin, Cookie"):
            return Finding(code, values={"url": url})
        case answer:
            return _not_ours(code, url, answer)


def _not_ours(code: str, url: str, answer: _Answer | _Silence) -> Finding:
    match answer:
        case _Answer(status=status):
            return Finding(f"{code}_wrong", wrong=True, values={"url": url, "status": status})
        case _Silence(untrusted=True, reason=reason):
            return Finding("public_untrusted", wrong=True, values={"url": url, "reason": reason})
        case _Silence(reason=reason):
            return Finding(f"{code}_unreached", wrong=True, values={"url": url, "reason": reason})


def _local(host: str, port: int) -> str:
    host = _ANY.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _ask(url: str, path: str) -> _Answer | _Silence:
    """GET a path, with no redirects, no proxies of the environment, and an end to patience."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=REACH_S)
    try:
        connection.connect()
        with _patience(connection.sock) as ended:
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read(_MOST_BYTES)
        if ended.is_set():  # what was cut off looks like an answer that is short
            return _Silence(os.strerror(errno.ETIMEDOUT))
        return _Answer(answer.status, text, answer.headers.get("Vary", ""))
    except ssl.SSLCertVerificationError as error:
        return _Silence(error.verify_message, untrusted=True)
    except (OSError, http.client.HTTPException) as error:
        return _Silence(getattr(error, "strerror", None) or type(error).__name__)
    finally:
        connection.close()


@contextmanager
def _patience(connected: socket.socket) -> Iterator[Event]:
    """Cut a connection off when the block takes too long, and set the event."""
    ended = Event()

    def cut() -> None:
        ended.set()
        with suppress(OSError):  # it ended by itself
            connected.shutdown(socket.SHUT_RDWR)

    timer = Timer(WHOLE_S, cut)
    timer.start()
    try:
        yield ended
    finally:
        timer.cancel()
        timer.join()
