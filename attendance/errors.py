"""Errors of the attendance package."""


class AttendanceError(Exception):
    """Base of every error this package raises."""


class CardFormatError(AttendanceError, ValueError):
    """What was read is not one of our cards; the payload is never part of the message."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"not a card of ours: {reason}")
        self.reason = reason


class WireError(AttendanceError, ValueError):
    """A message or journal line does not have the agreed form."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what}: {reason}")
        self.what = what
        self.reason = reason


class SignatureRefused(AttendanceError, ValueError):
    """A request's signature is missing, wrong, or made with a key that is not accepted."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"signature refused: {reason}")
        self.reason = reason


class SettingsError(AttendanceError, ValueError):
    """One or more settings are wrong; `problems` holds one sentence for each, all of them."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
