"""The one shape of an error that a program gets, and which status goes with which code."""

import logging
from collections.abc import Callable

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import DataError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, TooManyRequests

from attendance.errors import SignatureRefused, WireError
from attendance.wire import ErrorCode, ErrorResponse, Problem, encode
from server.errors import EnrolmentRefused, StoreError

log = logging.getLogger(__name__)

PREFIX = "/kiosk/"
RETRY_AFTER_S = 30
_STATUS = {
    ErrorCode.BAD_REQUEST: 400,
    ErrorCode.SIGNATURE_REFUSED: 401,
    ErrorCode.REVOKED: 403,
    ErrorCode.CODE_REFUSED: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.INTERNAL: 500,
    ErrorCode.BUSY: 503,
}


class KioskRevoked(Exception):
    """A good signature of a kiosk that was shut out; ends the request, seen by no caller outside the API."""


def problem(code: ErrorCode, message: str, *, status: int | None = None, retry_after_s: int | None = None) -> Response:
    """Return the answer to a request that is not served; `status` where HTTP knows a finer one."""
    body = encode(ErrorResponse(error=Problem(code=code, message=message)))
    response = Response(body, status=status or _STATUS[code], mimetype="application/json")
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return response


def answer_errors(app: Flask, elsewhere: Callable[[Exception], ResponseReturnValue]) -> None:
    """Make the app answer every error below PREFIX in this shape, and by `elsewhere` those of other addresses."""

    def answer(error: Exception) -> ResponseReturnValue:
        return _problem_of(error) if request.path.startswith(PREFIX) else elsewhere(error)

    app.register_error_handler(Exception, answer)


def _problem_of(error: Exception) -> Response:
    match error:
        case WireError():
            return problem(ErrorCode.BAD_REQUEST, f"the body is not what {request.path} wants ({error.what})")
        case DataError():  # as PostgreSQL says of the letter NUL; of entries it is escaped before
            log.error("not storable path=%s reason=%s", request.path, error.orig)
            return problem(ErrorCode.BAD_REQUEST, "the body holds what the database cannot")
        case SignatureRefused():
            return problem(ErrorCode.SIGNATURE_REFUSED, str(error))
        case KioskRevoked():
            return problem(ErrorCode.REVOKED, "this kiosk was shut out; enrol it anew to use it again")
        case EnrolmentRefused():
            return problem(ErrorCode.CODE_REFUSED, "the code is not valid; ask the office for a new one")
        case StoreError():
            log.error("store unusable reason=%s", error)
            return problem(ErrorCode.BUSY, "the database cannot be used now", retry_after_s=RETRY_AFTER_S)
        case RequestEntityTooLarge():
            return problem(ErrorCode.TOO_LARGE, "send fewer entries at once")
        case TooManyRequests():
            return problem(ErrorCode.BUSY, "too many tries; wait", status=429, retry_after_s=RETRY_AFTER_S)
        case HTTPException(code=int(status)) if 400 <= status < 500:
            code = ErrorCode.NOT_FOUND if status == _STATUS[ErrorCode.NOT_FOUND] else ErrorCode.BAD_REQUEST
            return problem(code, error.name, status=status)
        case _:
            log.error("request failed path=%s", request.path, exc_info=error)
            return problem(ErrorCode.INTERNAL, "a fault of the server; it is in its log")
