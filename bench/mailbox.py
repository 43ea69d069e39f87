"""A mail server that takes its time and counts what it took: real SMTP, in a thread of this process."""

import asyncio
import random
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.utils import parseaddr
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

SLOWEST_S = 0.03
LATE_S = 0.2


@dataclass
class Mailbox:
    """What was taken; the id of a message is that of its delivery."""

    port: int = 0
    late: bool = False
    begun: int = 0
    """Messages that arrived, whether or not their sender lived to hear that they were taken."""
    taken: Counter[str] = field(default_factory=Counter)
    """How often each message came, by its id."""
    recipients: dict[str, set[str]] = field(default_factory=dict)
    _chance: random.Random = field(default_factory=lambda: random.Random(1))

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802, ARG002
        """Take one message, at some moment between its arrival and the answer; called by aiosmtpd."""
        self.begun += 1
        before_s = self._chance.uniform(0, SLOWEST_S)
        await asyncio.sleep(LATE_S if self.late else before_s)
        content = envelope.content or b""
        message = message_from_bytes(content.encode() if isinstance(content, str) else content)
        delivery = parseaddr(str(message["Message-ID"]))[1].partition("@")[0]
        self.taken[delivery] += 1
        self.recipients.setdefault(delivery, set()).update(envelope.rcpt_tos)
        await asyncio.sleep(SLOWEST_S - before_s)
        return "250 kept"


@contextmanager
def mail_server(*, late: bool = False) -> Iterator[Mailbox]:
    """Serve on a free port of this machine; `late` takes a message long after it arrived."""
    mailbox = Mailbox(late=late)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    controller: Any = Controller(mailbox, hostname="127.0.0.1", port=port, ready_timeout=30)
    controller.start()
    mailbox.port = controller.port
    try:
        yield mailbox
    finally:
        controller.stop()
