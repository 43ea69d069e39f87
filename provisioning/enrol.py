"""Enrolment: makes a machine a kiosk of a site, with a one-time code from the office and a key drawn here."""

from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from attendance.clock import Clock
from attendance.wire import EnrolResponse, ErrorCode
from kiosk import uplink
from kiosk.beside import look_up, reading
from kiosk.config import KioskSettings, SyncSettings
from kiosk.errors import JournalError, Trouble, UplinkError
from kiosk.http_session import open_session
from kiosk.identity import Identity, coming_key, is_enrolled, store_identity
from kiosk.journal_queries import unsent
from kiosk.timekeeping import boot_id
from kiosk.version import version
from provisioning.errors import EnrolmentFailed, EnrolmentTrouble

_TROUBLE = {
    Trouble.UNREACHABLE: EnrolmentTrouble.UNREACHABLE,
    Trouble.TIMEOUT: EnrolmentTrouble.UNREACHABLE,
    Trouble.TLS: EnrolmentTrouble.TLS,
    Trouble.FOREIGN: EnrolmentTrouble.FOREIGN,
    Trouble.REFUSED: EnrolmentTrouble.REFUSED,
    Trouble.FAILED: EnrolmentTrouble.BUSY,
}


class Enrolled(NamedTuple):
    """A kiosk of a site, from now on."""

    identity: Identity
    clock_off_s: float
    """How far this machine's wall clock is ahead of the server's; negative when it is behind."""


def enrol(
    server_url: str,
    code: str,
    data_dir: Path,
    *,
    clock: Clock,
    replace: bool = False,
    allow_http: bool = False,
    way: SyncSettings = SyncSettings(),  # noqa: B008 - frozen
    timeout: uplink.Timeout = uplink.Timeout(),  # noqa: B008 - frozen
) -> Enrolled:
    """Hand in a one-time code and keep who this kiosk is below `data_dir`. Raises: EnrolmentFailed.

    Tried again after a lost answer, it asks with the same key, so that the code still serves. `replace` gives up an
    identity that is there, once the server has given another; the journal stays. `way` names a proxy and certificates.
    """
    _check_address(server_url, allow_http=allow_http)
    try:
        if is_enrolled(data_dir) and not replace:
            raise EnrolmentFailed(EnrolmentTrouble.ALREADY_ENROLLED, str(data_dir))
        key = coming_key(data_dir)
        with open_session(way, server_url) as session:
            answer = uplink.enrol(server_url, code, key, app=version(), session=session, clock=clock, timeout=timeout)
        clock_off_s = (clock.read().wall_ms - answer.time_ms) / 1000
        identity = _identity(answer, server_url)
        store_identity(data_dir, identity)
    except UplinkError as error:
        raise EnrolmentFailed(_trouble(error), error.detail) from error
    except OSError as error:
        raise EnrolmentFailed(EnrolmentTrouble.STORAGE, f"{error.filename or data_dir}: {error.strerror}") from error
    return Enrolled(identity, clock_off_s)


def unsent_entries(settings: KioskSettings) -> int:
    """Return how many entries the server is not known to hold; none of a journal that is not there or unreadable."""
    acks = look_up(settings, boot_id()).acks  # before the journal, as one that came between is unsent
    try:
        with reading(settings) as reader:
            return unsent(reader.heads(), acks)
    except JournalError:
        return 0


def _identity(answer: EnrolResponse, server_url: str) -> Identity:
    return Identity(
        kiosk=answer.kiosk,
        site=answer.site,
        site_name=answer.site_name,
        server_url=server_url.rstrip("/"),
        uid_key=answer.uid_key,
    )


def _check_address(server_url: str, *, allow_http: bool) -> None:
    if not uplink.is_server_url(server_url):
        raise EnrolmentFailed(EnrolmentTrouble.NOT_A_SERVER, server_url)
    parts = urlsplit(server_url)
    if parts.scheme == "http" and not allow_http and not _is_this_machine(parts.hostname or ""):
        # The answer holds the municipality's key for UIDs, and later ones the key of the names.
        raise EnrolmentFailed(EnrolmentTrouble.INSECURE, server_url)


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _trouble(error: UplinkError) -> EnrolmentTrouble:
    return EnrolmentTrouble.CODE_REFUSED if error.code is ErrorCode.CODE_REFUSED else _TROUBLE[error.trouble]
