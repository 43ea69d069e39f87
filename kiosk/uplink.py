"""The way to the server: signed requests over HTTP, and only answers that are the server's own (step 9 of the line)."""

import secrets
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
import urllib3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attendance.clock import Clock, now
from attendance.errors import WireError
from attendance.signatures import ANSWERS_HEADER, sign
from attendance.wire import (
    ENROL_PATH,
    ENTRIES_PATH,
    OFFER_PATH,
    STATE_PATH,
    EnrolRequest,
    EnrolResponse,
    EntriesRequest,
    ErrorCode,
    ErrorResponse,
    OfferRequest,
    OfferResponse,
    Receipt,
    StateResponse,
    decode,
    encode,
    state_query,
)
from kiosk.errors import Trouble, UplinkError
from kiosk.identity import Identity
from kiosk.whole_answer import WholeAnswerAdapter

MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""A roster of 2,000 children is under 1 MiB; more than this is not our server."""
MAX_RETRY_AFTER_S = 3600.0
_CHUNK_BYTES = 64 * 1024
_TRY_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})

_Message = TypeVar("_Message", bound=msgspec.Struct)


class Timeout(NamedTuple):
    """How long to wait for a connection, for the next bytes, and for a whole answer."""

    connect_s: float = 5.0
    read_s: float = 20.0
    whole_s: float = 60.0


def is_server_url(url: str) -> bool:
    """Say whether a URL names a server and nothing more: the paths below it are the protocol's, and signed."""
    try:
        parts = urlsplit(url)
        port_is_good = parts.port is None or parts.port > 0
    except ValueError:
        return False
    nothing_more = parts.path in {"", "/"} and not (parts.query or parts.fragment or "@" in parts.netloc)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and port_is_good and nothing_more


class Uplink:
    """An enrolled kiosk's requests. Raises: UplinkError from each. Thread: one at a time."""

    def __init__(
        self,
        identity: Identity,
        key: Ed25519PrivateKey,
        session: requests.Session,
        clock: Clock,
        timeout: Timeout = Timeout(),  # noqa: B008 - frozen
    ) -> None:
        self._line = _Line(identity.server_url, key, session, clock, timeout)

    def offer(self, request: OfferRequest) -> OfferResponse:
        """Say what the kiosk holds and return what the server lacks."""
        return self._line.exchange("POST", OFFER_PATH, OfferResponse, body=encode(request))

    def send(self, request: EntriesRequest) -> Receipt:
        """Send a stretch of a session and return what the server now holds of that session."""
        receipt = self._line.exchange("POST", ENTRIES_PATH, Receipt, body=encode(request))
        if receipt.session != request.session or (receipt.through < 0) != (receipt.hash == ""):
            raise UplinkError(Trouble.FOREIGN, "the receipt is for something else")
        return receipt

    def state(self, *, roster_version: str, presence_version: str, boot: str) -> StateResponse:
        """Return the rules of the door and what is newer than these versions; empty versions ask for everything."""
        query = state_query(roster_version=roster_version, presence_version=presence_version, boot=boot)
        return self._line.exchange("GET", STATE_PATH, StateResponse, query=query)


def enrol(
    server_url: str,
    code: str,
    key: Ed25519PrivateKey,
    *,
    app: str,
    session: requests.Session,
    clock: Clock,
    timeout: Timeout = Timeout(),  # noqa: B008 - frozen
) -> EnrolResponse:
    """Hand in a one-time code with the key that signs from now on. Raises: UplinkError."""
    request = EnrolRequest(code=code, public_key=key.public_key().public_bytes_raw(), app=app)
    line = _Line(server_url, key, session, clock, timeout)
    return line.exchange("POST", ENROL_PATH, EnrolResponse, body=encode(request))


class _Line:
    """One server, one key: signs, sends, and reads answers with bounds on time and size."""

    def __init__(
        self, server_url: str, key: Ed25519PrivateKey, session: requests.Session, clock: Clock, timeout: Timeout
    ) -> None:
        self._server_url = server_url.rstrip("/")
        self._key = key
        self._session = session
        self._clock = clock
        self._timeout = timeout
        for scheme in ("http://", "https://"):
            session.mount(scheme, WholeAnswerAdapter(timeout.whole_s))

    def exchange(
        self,
        method: str,
        path: str,
        kind: type[_Message],
        *,
        body: bytes = b"",
        query: Mapping[str, str] | None = None,
    ) -> _Message:
        nonce = secrets.token_urlsafe(16)
        try:
            prepared = self._signed(method, path, body, query, nonce)
            # Redirects are not followed: a signature is for one path, and captive portals redirect.
            settings = self._session.merge_environment_settings(prepared.url, {}, True, None, None)  # noqa: FBT003
            with self._session.send(
                prepared,
                timeout=(self._timeout.connect_s, self._timeout.read_s),
                allow_redirects=False,
                **settings,
            ) as response:
                answer = _read(response)
        except requests.exceptions.SSLError as error:
            raise UplinkError(Trouble.TLS, _root(error)) from error
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise UplinkError(Trouble.TIMEOUT, _root(error)) from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            if isinstance(error, UplinkError):
                raise
            raise UplinkError(Trouble.UNREACHABLE, _root(error)) from error
        if response.headers.get(ANSWERS_HEADER, nonce) != nonce:
            # One answer too many on a connection is taken for the next one's, and so would be all after it.
            self._session.close()
            raise UplinkError(Trouble.FOREIGN, "the answer is to another request")
        return _message(response, answer, kind)

    def _signed(
        self, method: str, path: str, body: bytes, query: Mapping[str, str] | None, nonce: str
    ) -> requests.PreparedRequest:
        headers = {"Accept": "application/json"}
        if body:
            headers["Content-Type"] = "application/json"
        request = requests.Request(method, self._server_url + path, params=query, data=body or None, headers=headers)
        prepared = self._session.prepare_request(request)
        created = now(self._clock)
        prepared.headers.update(sign(method, prepared.path_url, body, key=self._key, created=created, nonce=nonce))
        return prepared


def _read(response: requests.Response) -> bytes:
    answer = bytearray()
    while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
        answer += chunk
        if len(answer) > MAX_ANSWER_BYTES:
            raise UplinkError(Trouble.FOREIGN, "the answer is too large")
    return bytes(answer)


def _message(response: requests.Response, answer: bytes, kind: type[_Message]) -> _Message:
    """Return the message in an answer that is the server's own. Raises: UplinkError."""
    status, media = response.status_code, response.headers.get("Content-Type", "").split(";", maxsplit=1)[0].strip()
    retry_after_s = _retry_after_s(response.headers)
    said = f"status {status}, {media or 'no content type'}"
    # A proxy may take less than the server, and then it will not take the same again.
    foreign = ErrorCode.TOO_LARGE if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else None
    if media.lower() != "application/json":
        # 200 with HTML is a captive portal's welcome page, and no acknowledgement.
        raise UplinkError(Trouble.FOREIGN, said, retry_after_s=retry_after_s, code=foreign)
    try:
        if status == HTTPStatus.OK:
            return decode(answer, kind)
        problem = decode(answer, ErrorResponse).error
    except WireError as error:
        raise UplinkError(Trouble.FOREIGN, f"{said}: {error}", retry_after_s=retry_after_s, code=foreign) from error
    permanent = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _TRY_AGAIN
    raise UplinkError(
        Trouble.REFUSED if permanent else Trouble.FAILED,
        f"status {status}, {problem.code}: {problem.message}",
        permanent=permanent,
        retry_after_s=retry_after_s,
        code=problem.code,
    )


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return what Retry-After asks, in seconds or as a date against the server's own clock, within bounds."""
    value = headers.get("Retry-After", "").strip()
    try:
        asked_s = float(int(value)) if value.isdecimal() else _between_s(headers.get("Date", ""), value)
    except (ValueError, OverflowError):
        return None
    return min(max(asked_s, 0.0), MAX_RETRY_AFTER_S)


def _between_s(date: str, later: str) -> float:
    """Return the seconds between two HTTP dates. Raises: ValueError."""
    return (parsedate_to_datetime(later) - parsedate_to_datetime(date)).total_seconds()


def _root(error: BaseException) -> str:
    """Name the innermost cause; its text may hold addresses and is left out."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return type(error).__name__
