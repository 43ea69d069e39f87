"""Errors of the kiosk package."""


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


class UplinkError(KioskError, OSError):
    """The server was not reached or did not answer as agreed; `retry_after_s` is its wish, if it had one."""

    def __init__(self, reason: str, *, permanent: bool, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent
        self.retry_after_s = retry_after_s


class ScreenError(KioskError, OSError):
    """The child's screen cannot be served at that address."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"screen on {host} port {port}: {reason}")
        self.host = host
        self.port = port
        self.reason = reason
