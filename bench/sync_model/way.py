"""The way between a kiosk and its server: it loses, doubles, keeps back and repeats signed requests, and lies."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import requests
from requests.adapters import HTTPAdapter

from attendance.wire import ErrorCode, ErrorResponse, Problem, encode
from bench.sync_model.server import response_of

KEPT_REQUESTS = 60
_HTML = b"<!doctype html><title>Station Wi-Fi</title><p>Please accept our terms."


class Fate(StrEnum):
    """What becomes of a request."""

    ARRIVES = "arrives"
    LOST = "lost"
    ANSWER_LOST = "answer lost"
    DOUBLED = "doubled, and the first answer comes back"
    DOUBLED_LATE = "doubled, and the second answer comes back"
    KEPT_BACK = "kept back, to arrive whenever"
    PORTAL = "answered by somebody else, with 200 and HTML"
    OTHER_JSON = "answered by somebody else, with 200 and JSON"
    BROKEN = "answered by somebody else, with 502"
    TORN_ANSWER = "answer torn"
    OLD_ANSWER = "answered with what the server said to an earlier request"


_SOMEBODY_ELSE = {
    Fate.PORTAL: (200, {"Content-Type": "text/html"}, _HTML),
    Fate.OTHER_JSON: (200, {"Content-Type": "application/json"}, b'{"status":"ok"}'),
    Fate.BROKEN: (502, {"Content-Type": "text/html"}, _HTML),
}


@dataclass(frozen=True)
class Trip:
    """A request that was served."""

    request: requests.PreparedRequest
    status: int
    answer: bytes
    fresh: bool
    """The kiosk sent it just now, and it is no repetition."""
    heard: bool
    """The kiosk gets this answer."""


class Way(HTTPAdapter):
    """Carries what one kiosk asks. Thread: one."""

    def __init__(self, carrier: HTTPAdapter, watch: Callable[[Trip], None], pass_time: Callable[[float], None]) -> None:
        """`watch` sees each request after it was served."""
        super().__init__()
        self._carrier = carrier
        self._watch = watch
        self._pass_time = pass_time
        self.sleep_s = 0.0
        """How long the kiosk sleeps before it hears each answer."""
        self.fates: deque[Fate] = deque()
        """Of the next requests; those after them arrive."""
        self.kept_back: list[requests.PreparedRequest] = []
        self.seen: deque[requests.PreparedRequest] = deque(maxlen=KEPT_REQUESTS)
        self._before: tuple[int, dict[str, str], bytes] = (200, {"Content-Type": "application/json"}, b"{}")
        self.poison: str | None = None
        """A text that no request with it in its body gets through with."""

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
        """Return what the kiosk gets for a request. Raises: requests.RequestException."""
        self.seen.append(request)
        if self.poison is not None and self.poison.encode() in (request.body or b""):
            return _refused(request)
        fate = self.fates.popleft() if self.fates else Fate.ARRIVES
        if fate in _SOMEBODY_ELSE:
            return response_of(request, *_SOMEBODY_ELSE[fate])
        return self._suffer(fate, request)

    def _suffer(self, fate: Fate, request: requests.PreparedRequest) -> requests.Response:
        """Do to a request what nobody answers in the server's place."""
        if fate is Fate.LOST:
            raise requests.ConnectionError(fate)
        if fate is Fate.KEPT_BACK:
            self.kept_back.append(request)
            raise requests.ReadTimeout(fate)
        before = self._before
        answer = self._carry(request, heard=fate in (Fate.ARRIVES, Fate.DOUBLED))
        if self.sleep_s:
            self._pass_time(self.sleep_s)
        match fate:
            case Fate.ANSWER_LOST:
                raise requests.ReadTimeout(fate)
            case Fate.DOUBLED:
                self.repeat(request)
            case Fate.DOUBLED_LATE:
                answer = self._carry(request, fresh=False, heard=True)
            case Fate.TORN_ANSWER:
                return response_of(request, answer.status_code, dict(answer.headers), answer.content[:-2])
            case Fate.OLD_ANSWER:
                return response_of(request, *before)
        return answer

    def repeat(self, request: requests.PreparedRequest) -> None:
        """Bring a request to the server that the kiosk sent before, as it was signed; nobody hears the answer."""
        self._carry(request, fresh=False)

    def _carry(
        self, request: requests.PreparedRequest, *, fresh: bool = True, heard: bool = False
    ) -> requests.Response:
        answer = self._carrier.send(request, timeout=30, stream=False)
        body = answer.content
        self._watch(Trip(request, answer.status_code, body, fresh=fresh, heard=heard))
        said = answer.status_code, dict(answer.headers), body
        if heard:
            self._before = said
        return response_of(request, *said)


def _refused(request: requests.PreparedRequest) -> requests.Response:
    problem = ErrorResponse(error=Problem(code=ErrorCode.BAD_REQUEST, message="bench"))
    return response_of(request, 400, {"Content-Type": "application/json"}, encode(problem))
