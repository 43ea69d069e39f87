"""`tadaima-server dispatch`: the process that sends notices, a step at a time until it is told to stop."""

import logging
import signal
import threading
from contextlib import closing

import click

from attendance.clock import Clock, SystemClock
from attendance.logs import log_to_stderr
from server.catalogues import catalogues
from server.config import ServerSettings, pass_settings
from server.errors import StoreError
from server.notify.dispatcher import DispatchRules, send_next
from server.notify.mail import MailTransport, read_password
from server.store.engine import Store, using_store
from server.store.migrations import require_current

log = logging.getLogger(__name__)

IDLE_S = 0.2
FAULT_S = 5.0


@click.command()
@click.option("--once", is_flag=True)
@pass_settings
def dispatch(settings: ServerSettings, *, once: bool) -> None:
    """Send queued notices until stopped; with --once, only those that are due now."""
    log_to_stderr(quiet=("alembic",))
    password = read_password(settings.smtp)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    clock = SystemClock()
    with (
        using_store(settings.store_url) as store,
        closing(MailTransport(settings.smtp, password=password, clock=clock)) as mail,
    ):
        require_current(store)
        dispatch_until(stop, store, mail, clock, _rules(settings), once=once)


def dispatch_until(
    stop: threading.Event, store: Store, mail: MailTransport, clock: Clock, rules: DispatchRules, *, once: bool
) -> None:
    """Step until `stop` is set, or with `once` until nothing is due. Raises: StoreError, with `once` only."""
    healthy = True
    while not stop.is_set():
        try:
            more = send_next(store, {mail.name: mail}, catalogues(), clock, rules)
        except StoreError as error:
            if once:
                raise
            if healthy:
                log.error("store unusable reason=%s", error)  # noqa: TRY400 - the reason says what to do
            healthy = False
            stop.wait(FAULT_S)
            continue
        healthy = True
        if not more:
            if once:
                return
            mail.rest()
            stop.wait(IDLE_S)


def _rules(settings: ServerSettings) -> DispatchRules:
    notices = settings.notices
    return DispatchRules(
        late_after_s=notices.late_after_s, give_up_after_s=notices.give_up_after_s, lease_s=notices.lease_s
    )
