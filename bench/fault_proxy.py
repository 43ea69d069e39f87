"""A proxy between kiosk and server that does what bad networks do; which harm comes next is told by its owner.

It stands where a municipality's proxy stands: it takes a request, passes it on, and gives the answer back, a thread a
connection. One harm a request.
"""

import contextlib
import json
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from types import TracebackType
from typing import NamedTuple, Self

_LONGEST_S = 30.0
"""Whatever is held open is let go after this."""
_DRIP_S = 0.02
_LATE_S = 0.05
_RESET = struct.pack("ii", 1, 0)
TLS_ALERT = b"\x15\x03\x03\x00\x02\x02\x28"


class Harm(StrEnum):
    """What can come of a request."""

    NONE = "none"
    SLOW = "latency"
    REFUSED = "connection reset at once"
    HALF_OPEN = "half-open: nothing arrives, nothing is said"
    ANSWER_LOST = "answer lost, connection half-open"
    RESET_IN_REQUEST = "reset in the middle of the request"
    RESET_IN_ANSWER = "reset in the middle of the answer"
    TRUNCATED = "answer ends early"
    SHORTENED = "answer's body cut short, length made to fit"
    REQUEST_SHORTENED = "request's body cut short, length made to fit"
    REQUEST_TWICE = "request passed on twice"
    BODY_TWICE = "answer's body twice"
    ANSWER_TWICE = "answer given twice, the second as if to the next request"
    PORTAL = "captive portal: 200 with HTML"
    PORTAL_JSON = "captive portal: 200 with JSON"
    REDIRECT = "captive portal: 302 to a page"
    BAD_GATEWAY = "502 with HTML"
    GARBAGE = "bytes at random"
    TLS = "TLS where none is expected"
    DRIPPING_BODY = "slow-loris: the body drips"
    DRIPPING_HEAD = "slow-loris: the head drips"


class Message(NamedTuple):
    """One HTTP message, head and body."""

    head: bytes
    body: bytes

    @property
    def whole(self) -> bytes:
        """All its bytes."""
        return self.head + self.body

    def with_body(self, body: bytes) -> "Message":
        """Return it with another body, and the length to fit."""
        lines = self.head.split(b"\r\n")
        kept = [line for line in lines if not line.lower().startswith(b"content-length:")]
        return Message(b"\r\n".join([kept[0], b"Content-Length: %d" % len(body), *kept[1:]]), body)


class FaultProxy:
    """Listens on a port of its own as long as the context lasts. Thread: any."""

    def __init__(self, next_harm: Callable[[], Harm], *, seed: int = 1, host: str = "127.0.0.1") -> None:
        self.next_harm = next_harm
        """Asked once a request, by one thread at a time."""
        self.upstream: tuple[str, int] | None = None
        """Where the server is; None while it is down."""
        self.requests = 0
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._listening = socket.create_server((host, 0), backlog=64)
        self._threads: list[threading.Thread] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listening.getsockname()[1])

    @property
    def url(self) -> str:
        """What a kiosk takes for the server."""
        return f"http://{self._listening.getsockname()[0]}:{self.port}"

    def __enter__(self) -> Self:
        self._begin(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listening.close()

    def _begin(self, work: Callable[..., None], *arguments: object) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self._begin(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        """Carry requests of one connection until somebody ends it."""
        with client, contextlib.suppress(OSError):
            while (request := self._read(client)) is not None:
                with self._lock:
                    self.requests += 1
                    harm = self.next_harm()
                if not self._carry(client, request, harm):
                    return

    def _carry(self, client: socket.socket, request: Message, harm: Harm) -> bool:
        """Do one request's harm; return whether the connection goes on."""
        made_up = self._made_up(harm)
        if made_up is not None:
            client.sendall(made_up)
            return False
        match harm:
            case Harm.REFUSED:
                return _reset(client)
            case Harm.HALF_OPEN:
                return self._hold(client)
            case Harm.RESET_IN_REQUEST:
                self._half_of(request)
                return _reset(client)
            case Harm.REQUEST_SHORTENED if request.body:
                request = request.with_body(request.body[: len(request.body) // 2])
            case Harm.REQUEST_TWICE:
                self._ask(request)
            case Harm.SLOW:
                self._stop.wait(self._chance.uniform(0, 2 * _LATE_S))
        answer = self._ask(request)
        return False if answer is None else self._give(client, answer, harm)

    def _give(self, client: socket.socket, answer: Message, harm: Harm) -> bool:
        whole, half = answer.whole, len(answer.body) // 2
        match harm:
            case Harm.ANSWER_LOST:
                return self._hold(client)
            case Harm.RESET_IN_ANSWER:
                client.sendall(whole[: len(answer.head) + half])
                time.sleep(_LATE_S)  # else the reset overtakes what was sent
                return _reset(client)
            case Harm.TRUNCATED:
                client.sendall(whole[: len(answer.head) + half])
                return False
            case Harm.SHORTENED:
                client.sendall(answer.with_body(answer.body[:half]).whole)
            case Harm.BODY_TWICE:
                client.sendall(answer.with_body(answer.body * 2).whole)
            case Harm.DRIPPING_HEAD:
                return self._drip(client, whole)
            case Harm.DRIPPING_BODY:
                client.sendall(answer.head)
                return self._drip(client, answer.body)
            case Harm.ANSWER_TWICE:
                client.sendall(whole)
                if self._read(client) is None:
                    return False
                with self._lock:
                    self.requests += 1
                client.sendall(whole)
            case _:
                client.sendall(whole)
        return True

    def _made_up(self, harm: Harm) -> bytes | None:
        """Return an answer that is not the server's, or None when the harm is of another kind."""
        page = b"<!doctype html><title>Welcome</title><p>Please log in."
        match harm:
            case Harm.PORTAL:
                return _http("200 OK", "text/html; charset=utf-8", page)
            case Harm.PORTAL_JSON:
                status = {"status": "ok", "session": "", "through": 10**6, "hash": "", "want": []}
                return _http("200 OK", "application/json", json.dumps(status).encode())
            case Harm.REDIRECT:
                return _http("302 Found", "text/html", page, "Location: /welcome\r\n")
            case Harm.BAD_GATEWAY:
                return _http("502 Bad Gateway", "text/html", page)
            case Harm.GARBAGE:
                with self._lock:
                    return self._chance.randbytes(200)
            case Harm.TLS:
                return TLS_ALERT
        return None

    def _ask(self, request: Message) -> Message | None:
        """Pass a request on and return the answer; None when the server gives none."""
        if self.upstream is None:
            return None
        with contextlib.suppress(OSError), socket.create_connection(self.upstream, timeout=_LONGEST_S) as upstream:
            upstream.sendall(request.whole)
            return self._read(upstream)
        return None

    def _half_of(self, request: Message) -> None:
        """Pass half a request on and hang up."""
        if self.upstream is not None:
            with contextlib.suppress(OSError), socket.create_connection(self.upstream, timeout=_LONGEST_S) as upstream:
                upstream.sendall(request.whole[: len(request.whole) // 2])
                _reset(upstream)

    def _drip(self, client: socket.socket, data: bytes) -> bool:
        for byte in data:
            client.sendall(bytes([byte]))
            if self._stop.wait(_DRIP_S):
                break
        return False

    def _hold(self, client: socket.socket) -> bool:
        """Keep a connection open and say nothing until its other side has had enough."""
        until_s = time.monotonic() + _LONGEST_S
        client.settimeout(0.05)
        while not self._stop.is_set() and time.monotonic() < until_s:
            with contextlib.suppress(TimeoutError):
                if not client.recv(65536):
                    break
        return False

    def _read(self, connection: socket.socket) -> Message | None:
        """Read one message; None when the other side ends before it is whole."""
        received = bytearray()
        connection.settimeout(0.1)
        until_s = time.monotonic() + _LONGEST_S
        while not self._stop.is_set() and time.monotonic() < until_s:
            with contextlib.suppress(TimeoutError):
                if not (some := connection.recv(65536)):
                    return None
                received += some
            head, gap, body = bytes(received).partition(b"\r\n\r\n")
            if gap and len(body) >= _length(head):
                return Message(head + gap, body)
        return None


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _http(status: str, media: str, body: bytes, more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def _reset(connection: socket.socket) -> bool:
    """Close with RST; the context closes it once more, which does nothing."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()
    return False
