"""`tadaima-server dispatch`: the process that sends notices, a step at a time until it is told to stop."""

import logging
import signal
import threading

import click

from attendance.clock import SystemClock
from server.config import ServerSettings, pass_settings
from server.catalogues import load_catalogues
from server.notify.dispatcher import DispatchRules, send_next
from server.notify.mail import MailTransport
from server.store.engine import open_store

log = logging.getLogger(__name__)

IDLE_S = 0.2
FAULT_S = 5.0


@click.command()
@click.option("--once", is_flag=True)
@pass_settings
def dispatch(settings: ServerSettings, *, once: bool) -> None:
    """Send queued notices until stopped; with --once, only those that are due now."""
