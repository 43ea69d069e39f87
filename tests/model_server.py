"""A small honest server that speaks docs/protocol.md over real HTTP, with a dict for a ledger, and can be made to fail.

It shares the messages with the real server and nothing else, so that both sides are held to the document.
"""

import copy
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from attendance.chain import verify as verify_chain
from attendance.clock import local_day, to_ms
from attendance.errors import SignatureRefused, WireError
from attendance.names import seal
from attendance.policy import Policy
from attendance.presence import Movement, movement_id
from attendance.records import Head, JournalLine, Moved, Undone, line_hash, read_line
from attendance.roster import Animal, Colour, DisplayName, Holder, Mark
from attendance.signatures import key_id, verify
from attendance.wire import (
    ENROL_PATH,
    EnrolRequest,
    EnrolResponse,
    EntriesRequest,
    ErrorCode,
    ErrorResponse,
    OfferRequest,
    OfferResponse,
    PresencePart,
    Problem,
    Receipt,
    RosterPart,
    StateResponse,
    Want,
    decode,
    encode,
)

KIOSK, SITE = "kiosk-1", "site-1"
NAMES_KEY = bytes(range(32))
UID_KEY = bytes(range(32, 64))
HTML = b"<!doctype html><title>Station Wi-Fi</title><p>Please accept our terms."
NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Canned:
    """An answer as it goes over the wire, and how it goes."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    missing_bytes: int = 0
    """How many bytes more are promised than sent."""


PORTAL = Canned(body=HTML, content_type="text/html; charset=utf-8")
BROKEN = Canned(status=500, body=b"<h1>Internal Server Error</h1>", content_type="text/html")


class Refused(Exception):
    def __init__(self, status: int, code: ErrorCode) -> None:
        super().__init__(code)
        self.canned = Canned(status, encode(ErrorResponse(error=Problem(code=code, message="model"))))


@dataclass
class Ledger:
    """What is held; a backup is a copy."""

    sessions: dict[str, list[JournalLine]] = field(default_factory=dict)
    quarantined: set[tuple[str, int]] = field(default_factory=set)
    conflicts: set[tuple[str, int]] = field(default_factory=set)

    def heads(self) -> list[Head]:
        return [Head(session, len(lines) - 1, lines[-1].hash) for session, lines in self.sessions.items() if lines]


class ModelServer:
    """Use as a context manager; `url` is where it listens."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.keys: dict[str, Ed25519PublicKey] = {}
        self.revoked: set[str] = set()
        self.codes = {"GOODCODE23"}
        self.enrolled: dict[str, str] = {}
        self.holders: tuple[Holder, ...] = (Holder("child-1", Mark(Animal.CAT, Colour.RED), ("aa" * 32,)),)
        self.names = seal({"child-1": DisplayName("山田 花", "やまだ はな")}, NAMES_KEY)
        self.names_key = NAMES_KEY
        self.policy = Policy()
        self.roster_version = 1
        self.day: date = local_day(NOON)
        self.max_batch = 500
        self.largest_body = 1 << 20
        self.backoff_ms = 0
        self.always: Canned | None = None
        """The answer to every request, instead of an honest one."""
        self.once: deque[Canned] = deque()
        self.drop_answers = 0
        """How many of the next requests are served without the kiosk hearing of it."""
        self.double = False
        """Whether each request arrives twice."""
        self.poison: str | None = None
        """Refuses every batch with this text in it."""
        self.requests: list[tuple[str, str]] = []
        self.offers: list[OfferRequest] = []
        self.batches: list[int] = []
        self._lock = threading.Lock()
        self._http = _Server(self)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Go down; idempotent."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def trust(self, key: Ed25519PublicKey) -> None:
        """Take a kiosk as enrolled."""
        self.keys[key_id(key)] = key

    def backup(self) -> Ledger:
        """Return a copy of what is held now, to be put back later."""
        with self._lock:
            return copy.deepcopy(self.ledger)

    def restore(self, backup: Ledger) -> None:
        """Go back to what was held then."""
        with self._lock:
            self.ledger = copy.deepcopy(backup)

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Canned | None:
        """Return what is answered to a request; None when the connection is cut instead."""
        with self._lock:
            parts = urlsplit(target)
            self.requests.append((method, parts.path))
            if self.always is not None:
                return self.always
            if self.once:
                return self.once.popleft()
            path_and_query = parts.path + (f"?{parts.query}" if parts.query else "")
            try:
                message = self._serve(method, path_and_query, headers, body)
                if self.double:
                    message = self._serve(method, path_and_query, headers, body)
            except Refused as refused:
                return refused.canned
            if self.drop_answers:
                self.drop_answers -= 1
                return None
            return Canned(body=encode(message))

    def _serve(self, method: str, path_and_query: str, headers: Mapping[str, str], body: bytes) -> msgspec.Struct:
        path, _, query = path_and_query.partition("?")
        if len(body) > self.largest_body:
            raise Refused(413, ErrorCode.TOO_LARGE)
        try:
            if (method, path) == ("POST", ENROL_PATH):
                return self._enrol(decode(body, EnrolRequest), path_and_query, headers, body)
            signer = verify(method, path_and_query, headers, body, find_key=self.keys.get).key_id
            if signer in self.revoked:
                raise Refused(403, ErrorCode.REVOKED)
            match method, path:
                case "POST", "/kiosk/v1/offer":
                    return self._offer(decode(body, OfferRequest))
                case "POST", "/kiosk/v1/entries":
                    return self._accept(decode(body, EntriesRequest), body)
                case "GET", "/kiosk/v1/state":
                    return self._state(parse_qs(query))
        except WireError as error:
            raise Refused(400, ErrorCode.BAD_REQUEST) from error
        except SignatureRefused as error:
            raise Refused(401, ErrorCode.SIGNATURE_REFUSED) from error
        raise Refused(404, ErrorCode.NOT_FOUND)

    def _enrol(self, request: EnrolRequest, target: str, headers: Mapping[str, str], body: bytes) -> EnrolResponse:
        key = Ed25519PublicKey.from_public_bytes(request.public_key)
        verify("POST", target, headers, body, find_key=lambda _: key)
        if self.enrolled.setdefault(request.code, key_id(key)) != key_id(key) or request.code not in self.codes:
            raise Refused(403, ErrorCode.CODE_REFUSED)
        self.trust(key)
        return EnrolResponse(KIOSK, SITE, "さくら児童クラブ", self.policy, UID_KEY, to_ms(NOON))

    def _offer(self, request: OfferRequest) -> OfferResponse:
        self.offers.append(request)
        wants = []
        for head in request.heads:
            held = self.ledger.sessions.get(head.session, [])
            if head.seq >= len(held):
                wants.append(Want(head.session, len(held)))
            elif held[head.seq].hash != head.hash:
                wants.append(Want(head.session, head.seq))
        return OfferResponse(
            want=tuple(wants),
            time_ms=to_ms(NOON),
            max_batch=self.max_batch,
            backoff_ms=self.backoff_ms,
            roster_version=str(self.roster_version),
            presence_version=self._presence_version(),
        )

    def _accept(self, request: EntriesRequest, body: bytes) -> Receipt:
        if self.poison is not None and self.poison.encode() in body:
            raise Refused(400, ErrorCode.BAD_REQUEST)
        self.batches.append(len(request.entries))
        held = self.ledger.sessions.setdefault(request.session, [])
        quarantined = []
        for seq, line in enumerate(request.entries, request.from_seq):
            if seq < len(held):
                if held[seq] != line:
                    self.ledger.conflicts.add((request.session, seq))
            elif seq == len(held):
                held.append(line)
                try:
                    read_line(line)
                except WireError:
                    self.ledger.quarantined.add((request.session, seq))
                    quarantined.append(seq)
        through = len(held) - 1
        return Receipt(request.session, through, held[through].hash if held else "", tuple(quarantined))

    def _state(self, query: Mapping[str, list[str]]) -> StateResponse:
        roster = presence = None
        if query.get("roster") != [str(self.roster_version)]:
            roster = RosterPart(str(self.roster_version), self.holders, self.names)
        if query.get("presence") != [self._presence_version()]:
            through = tuple(self.ledger.heads())
            presence = PresencePart(self._presence_version(), self.day, through, tuple(self._movements()))
        return StateResponse(self.policy, self.names_key, roster, presence)

    def _presence_version(self) -> str:
        return f"{self.day}.{sum(len(lines) for lines in self.ledger.sessions.values())}"

    def _movements(self) -> list[Movement]:
        movements: dict[str, Movement] = {}
        for session, lines in self.ledger.sessions.items():
            for seq, line in enumerate(lines):
                with suppress(WireError):
                    record = read_line(line)
                    match record.body:
                        case Moved(child=child, direction=direction):
                            name = movement_id(session, seq)
                            movements[name] = Movement(name, child, direction, record.at.wall_ms)
                        case Undone(seq=undone):
                            movements.pop(movement_id(session, undone), None)
        return list(movements.values())

    def check(self) -> None:
        """Fail unless every session held is one whole chain of well-hashed entries."""
        for lines in self.ledger.sessions.values():
            assert all(line.hash == line_hash(line.line) for line in lines)
            verify_chain(lines)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, model: ModelServer) -> None:
        self.model = model
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.server.model.answer(self.command, self.path, dict(self.headers.items()), body)
        if answer is None:
            self.close_connection = True
            return
        time.sleep(answer.delay_s)
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.content_type:
            self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body) + answer.missing_bytes))
        self.end_headers()
        self.wfile.write(answer.body)
        self.close_connection = self.close_connection or answer.missing_bytes > 0

    do_GET = do_POST = _handle  # noqa: N815 - named by http.server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by http.server
        """Say nothing."""
