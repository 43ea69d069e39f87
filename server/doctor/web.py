"""Whether the web process and the live process answer, here and at the address that people type.

A proxy, a captive portal or another program on the port may answer in their place: only our own words count.
"""

import http.client
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Timer
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
        patience = Timer(WHOLE_S, _cut, [connection.sock])
        patience.start()
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return _Answer(answer.status, answer.read(_MOST_BYTES), answer.headers.get("Vary", ""))
        finally:
            patience.cancel()
            patience.join()
    except ssl.SSLCertVerificationError as error:
        return _Silence(error.verify_message, untrusted=True)
    except (OSError, http.client.HTTPException) as error:
        return _Silence(getattr(error, "strerror", None) or type(error).__name__)
    finally:
        connection.close()


def _cut(connected: socket.socket) -> None:
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it ended by itself
