"""Errors of the kiosk package."""


class KioskError(Exception):
    """Base of every error this package raises."""


class JournalError(KioskError, RuntimeError):
    """The journal did not take or give an entry; nothing may be answered with "ok"."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"journal: {reason}")
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
