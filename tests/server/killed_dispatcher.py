"""A dispatcher that a power cut ends between claim and settle.

Run as `python -m tests.server.killed_dispatcher URL PORT MOMENT`: it dies `before` the mail is handed over, or `after`.
"""

import os
import signal
import sys

from attendance.clock import ManualClock
from server.catalogues import catalogues
from server.config import SmtpSettings
from server.notify.dispatcher import DispatchRules, send_next
from server.notify.mail import MailTransport
from server.notify.transport import Message
from server.store.engine import open_store
from tests.server import factories as make


class Mortal(MailTransport):
    """Mail, and then nothing."""

    def send(self, message: Message) -> str:
        if sys.argv[3] == "after":
            super().send(message)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def main() -> None:
    clock = ManualClock(make.NOON)
    store = open_store(sys.argv[1])
    settings = SmtpSettings(port=int(sys.argv[2]), sender="tadaima@example.jp", timeout_s=5)
    rules = DispatchRules(late_after_s=300, give_up_after_s=86_400, lease_s=120)
    send_next(store, {"mail": Mortal(settings, password=None, clock=clock)}, catalogues(), clock, rules)


if __name__ == "__main__":
    main()
