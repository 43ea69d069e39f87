"""Errors of the provisioning package."""

from collections.abc import Sequence
from enum import StrEnum


class ProvisioningError(Exception):
    """Base of every error this package raises."""


class DemoFailed(ProvisioningError, RuntimeError):
    """A part of the demo did not come up or did not keep its promise; `tail` is the last it said."""

    def __init__(self, reason: str, *, tail: Sequence[str] = ()) -> None:
        super().__init__("\n".join([reason, *tail]))
        self.reason = reason
        self.tail = tuple(tail)


class EnrolmentTrouble(StrEnum):
    """Why a kiosk was not enrolled; `enrol.CODE` in the catalogue says what to do."""

    NOT_A_SERVER = "not_a_server"
    """The address is not of the form https://HOST[:PORT]."""
    INSECURE = "insecure"
    """Plain http to another machine, and nobody said that this is meant."""
    ALREADY_ENROLLED = "already_enrolled"
    STORAGE = "storage"
    CODE_REFUSED = "code_refused"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    FOREIGN = "foreign"
    """Something else than Tadaima answers at that address."""
    BUSY = "busy"
    REFUSED = "refused"


class EnrolmentFailed(ProvisioningError, RuntimeError):
    """This machine did not become a kiosk; `detail` is for whoever looks deeper."""

    def __init__(self, trouble: EnrolmentTrouble, detail: str) -> None:
        super().__init__(f"{trouble}: {detail}")
        self.trouble = trouble
        self.detail = detail
