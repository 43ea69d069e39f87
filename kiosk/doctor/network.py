"""What the doctor finds of the way to the server: a signed question that changes nothing, and why it got no answer."""

import errno
import os
import socket
import ssl
import time
from collections.abc import Iterator

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attendance.clock import Clock
from attendance.finding import Finding
from attendance.wire import ErrorCode, StateResponse
from kiosk.beside import Known, look_up
from kiosk.config import KioskSettings
from kiosk.doctor.identity import identity_and_key
from kiosk.errors import Trouble, UplinkError
from kiosk.http_session import open_session
from kiosk.identity import Identity
from kiosk.uplink import Timeout, Uplink

_CONNECT_S = 5.0
_ARRIVES_S = 5.0
"""At most, however seldom sync asks: somebody waits for the doctor."""
_CODES = {
    Trouble.TIMEOUT: "server_timeout",
    Trouble.TLS: "server_tls",
    Trouble.FOREIGN: "server_foreign",
    Trouble.REFUSED: "server_refuses",
    Trouble.FAILED: "server_ill",
    Trouble.UNREACHABLE: "server_unreached",
}
_CERTIFICATE_DATES = frozenset({9, 10})
"""Not yet valid, and no more. Source: OpenSSL, X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""
_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})


def check_server(settings: KioskSettings, clock: Clock, boot: str, known: Known) -> Iterator[Finding]:
    """Yield whether the server answers this kiosk; asks once, for what sync asks for all the time."""
    ca_file = settings.sync.ca_file
    if ca_file and not os.access(ca_file, os.R_OK):
        yield Finding("server_ca_file", wrong=True, values={"file": ca_file})
        return
    ours = identity_and_key(settings)
    if ours is None and not settings.server_url:
        return  # nobody said where it is
    identity, key = ours or (_nobody(settings.server_url), Ed25519PrivateKey.generate())
    values: dict[str, object] = {"url": identity.server_url}
    try:
        state = _asked(settings, identity, key, clock, known=known, boot=boot)
    except UplinkError as error:
        if ours is None and error.code is ErrorCode.SIGNATURE_REFUSED:
            yield Finding("server", values=values)  # it is there, and cannot know this kiosk yet
        else:
            yield explain(error, values)
    else:
        yield Finding("server", values=values)
        if known.roster_version and state.roster is not None and not _arrives(settings, boot, state.roster.version):
            yield Finding("roster_old", wrong=True)


def _arrives(settings: KioskSettings, boot: str, roster_version: str) -> bool:
    """Whether sync has fetched a roster, or does so when it asks the next time."""
    if look_up(settings, boot).roster_version == roster_version:
        return True
    time.sleep(min(settings.sync.interval_s, _ARRIVES_S))
    return look_up(settings, boot).roster_version == roster_version


def explain(error: UplinkError, values: dict[str, object]) -> Finding:
    """Return why the server gave no answer, as plainly as the error lets one know."""
    causes = _causes(error)
    values = {**values, "reason": error.detail}
    code = _CODES[error.trouble]
    if error.code is ErrorCode.REVOKED:
        code = "server_revoked"
    elif error.code is ErrorCode.SIGNATURE_REFUSED:
        code = "server_unknown"
    elif error.trouble is Trouble.TLS and (refused := _certificate(causes)) is not None:
        values["reason"] = refused.verify_message
        code = "server_tls_date" if refused.verify_code in _CERTIFICATE_DATES else "server_tls"
    elif error.trouble is Trouble.UNREACHABLE:
        code = _unreached(causes)
    return Finding(code, wrong=True, values=values)


def _unreached(causes: list[BaseException]) -> str:
    if any(isinstance(cause, requests.exceptions.ProxyError) for cause in causes):
        return "server_proxy"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "server_name"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "server_closed"
    if any(isinstance(cause, OSError) and cause.errno in _NO_WAY for cause in causes):
        return "network_none"
    return _CODES[Trouble.UNREACHABLE]


def _certificate(causes: list[BaseException]) -> ssl.SSLCertVerificationError | None:
    return next((cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), None)


def _asked(
    settings: KioskSettings,
    identity: Identity,
    key: Ed25519PrivateKey,
    clock: Clock,
    *,
    known: Known,
    boot: str,
) -> StateResponse:
    """The server's answer, which is thrown away: the roster is for sync to store. Raises: UplinkError."""
    wait_s = settings.sync.timeout_s
    timeout = Timeout(connect_s=min(_CONNECT_S, wait_s), read_s=wait_s, whole_s=wait_s)
    with open_session(settings.sync, identity.server_url) as session:
        uplink = Uplink(identity, key, session, clock, timeout)
        return uplink.state(roster_version=known.roster_version, presence_version=known.presence_version, boot=boot)


def _nobody(server_url: str) -> Identity:
    return Identity(kiosk="", site="", site_name="", server_url=server_url, uid_key=b"")


def _causes(error: BaseException) -> list[BaseException]:
    """The error and all that it came from, also what an error of a library carries as its argument."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseException) and each not in found:
            found.append(each)
            waiting += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
    return found
