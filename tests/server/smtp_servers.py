"""Real SMTP servers on ports of their own: one that takes mail and keeps it, and ones that refuse, hang up or hang."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Postbox:
    """What a server took, and how it answers."""

    to_recipient: str = "250 OK"
    to_data: str = "250 OK"
    hangs_up: bool = False
    """Whether a message is taken and the connection gone before that is said."""
    port: int = 0
    connections: int = 0
    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)
    """Envelope recipient and message, first to last."""
    raw: list[bytes] = field(default_factory=list)

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.to_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.to_recipient

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.to_data.startswith("250"):
            content = cast("bytes", envelope.content)
            self.raw.append(content)
            message = message_from_bytes(content, policy=policy.default)
            self.taken += [(address, message) for address in envelope.rcpt_tos]
        if self.hangs_up:
            assert server.transport is not None
            server.transport.close()
        return self.to_data


@contextmanager
def smtp_server(to_recipient: str = "250 OK", to_data: str = "250 OK") -> Iterator[Postbox]:
    """A server that answers each recipient and each message as told."""
    postbox = Postbox(to_recipient=to_recipient, to_data=to_data)
    controller: Any = Controller(postbox, hostname="127.0.0.1", port=free_port(), ready_timeout=30)
    controller.start()
    postbox.port = controller.port
    try:
        yield postbox
    finally:
        controller.stop()


@contextmanager
def closing_server() -> Iterator[int]:
    """A server that hangs up on everybody; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def hanging_server() -> Iterator[int]:
    """A server that takes connections and never says a word; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def port_of_nobody() -> int:
    """A port on which nothing listens."""
    return free_port()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
