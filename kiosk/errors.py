"""Errors of the kiosk package."""

from enum import StrEnum
from pathlib import Path

from attendance.wire import ErrorCode


class KioskError(Exception):
    """Base of every error this package raises."""


class JournalError(KioskError, RuntimeError):
    """The journal did not take or give an entry; nothing may be answered with "ok"."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"journal: {reason}")
        self.reason = reason


class CacheError(KioskError, RuntimeError):
    """The roster cache did not give or take something; it can be made again by a sync."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"roster cache: {reason}")
        self.reason = reason


class NotEnrolled(KioskError, RuntimeError):
    """This machine has no identity yet; `tadaima-provision enrol` gives it one."""


class AlreadyRunning(KioskError, RuntimeError):
    """Another door process has the kiosk's folder."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(f"another door process uses {data_dir}")
        self.data_dir = data_dir


class Trouble(StrEnum):
    """What can come between kiosk and server."""

    UNREACHABLE = "unreachable"
    """No connection: network down, name not found, nobody listens."""
    TIMEOUT = "timeout"
    TLS = "tls"
    """The certificate is not accepted; a wrong clock on the kiosk looks like this too."""
    FOREIGN = "foreign"
    """Somebody else answered: a captive portal, a proxy, another web server."""
    REFUSED = "refused"
    """The server itself said no; `code` says why."""
    FAILED = "failed"
    """The server itself could not, for now."""


class UplinkError(KioskError, OSError):
    """The server was not reached or did not answer as agreed; `retry_after_s` is its wish, if it had one."""

    def __init__(
        self,
        trouble: Trouble,
        detail: str,
        *,
        permanent: bool = False,
        retry_after_s: float | None = None,
        code: ErrorCode | None = None,
    ) -> None:
        super().__init__(f"{trouble}: {detail}")
        self.trouble = trouble
        self.detail = detail
        """For a log."""
        self.permanent = permanent
        """Whether the same request would be refused again."""
        self.retry_after_s = retry_after_s
        self.code = code
        """What the server called it; `too_large` also where a proxy says so by its status."""


class ScreenError(KioskError, OSError):
    """A page of this machine cannot be served at that address."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"screen on {host} port {port}: {reason}")
        self.host = host
        self.port = port
        self.reason = reason
