"""What a signal is: the light, buzzer or sound by which the door answers without words."""

from enum import StrEnum
from typing import Protocol


class Cue(StrEnum):
    """The answers a signal can tell apart; each differs from all others in tone, in light and in rhythm."""

    IN = "in"
    OUT = "out"
    AGAIN = "again"
    UNDONE = "undone"
    UNKNOWN = "unknown"
    """A card that the door does not know."""
    STAFF = "staff"
    """A grown-up is needed."""
    ASK = "ask"
    BROKEN = "broken"


class Signal(Protocol):
    """A device that plays cues; a new cue cuts a running one short."""

    name: str

    def open(self) -> None:
        """Take the device. Raises: SignalLost when it is not there, DriverMissing when its library is not."""
        ...

    def play(self, cue: Cue) -> None:
        """Start the cue and return within 20 ms. Raises: SignalLost. Thread: one caller."""
        ...

    def close(self) -> None:
        """Silence and let go of the device. Idempotent; never raises."""
        ...
