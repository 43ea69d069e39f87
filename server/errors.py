"""Errors of the server package."""

from collections.abc import Sequence


class ServerError(Exception):
    """Base of every error this package raises."""


class StoreError(ServerError, RuntimeError):
    """The database cannot be used; the text says what a person can do."""


class EnrolmentRefused(ServerError, PermissionError):
    """A one-time code is unknown, used, expired or tried too often; which of these is told to nobody."""


class SiteRefused(ServerError, ValueError):
    """A site cannot be made or changed as asked; the text says why."""


class BackupRefused(ServerError, RuntimeError):
    """A backup cannot be made or used; the text says why, and nothing has changed."""


class RosterRefused(ServerError, ValueError):
    """A roster file has mistakes; nothing of it was imported. `problems` holds one for each row and column."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class PasswordMissing(ServerError, OSError):
    """The file that should hold the mail server's password cannot be read; the text says which."""


class TransportError(ServerError, OSError):
    """A message was not taken by its channel; `address_refused`: the guardian's address will never take one.

    `perhaps_taken`: the channel broke off before it said so, and may have taken it.
    """

    def __init__(
        self,
        reason: str,
        *,
        permanent: bool,
        retry_after_s: float | None = None,
        address_refused: bool = False,
        perhaps_taken: bool = False,
    ) -> None:
        super().__init__(reason)
        self.address_refused = address_refused
        self.perhaps_taken = perhaps_taken
        self.reason = reason
        self.permanent = permanent
        self.retry_after_s = retry_after_s
