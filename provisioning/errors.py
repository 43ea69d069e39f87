"""Errors of the provisioning package."""

from collections.abc import Sequence


class ProvisioningError(Exception):
    """Base of every error this package raises."""


class DemoFailed(ProvisioningError, RuntimeError):
    """A part of the demo did not come up or did not keep its promise; `tail` is the last it said."""

    def __init__(self, reason: str, *, tail: Sequence[str] = ()) -> None:
        super().__init__("\n".join([reason, *tail]))
        self.reason = reason
        self.tail = tuple(tail)
