"""What a channel is: steps 13 and 14 of the straight line, a message and the transport that takes it away."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """A notice in the guardian's words; contents and address stay out of `repr`."""

    delivery_id: str
    """The same at every attempt, so that channel and guardian can tell a repeat."""
    address: str = field(repr=False)
    subject: str = field(repr=False)
    body: str = field(repr=False)
    language: str
    """BCP 47, for the message's own header."""


class Transport(Protocol):
    """A channel to guardians. Thread: one caller."""

    name: str

    def send(self, message: Message) -> str:
        """Hand the message over and return the channel's id for it. Raises: TransportError."""
        ...

    def close(self) -> None:
        """Let go of connections. Idempotent; never raises."""
        ...
