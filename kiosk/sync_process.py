"""Composition root of `tadaima-kiosk sync`: builds the sync process from its settings and steps until told to end."""

import logging
import signal
import time
from contextlib import ExitStack, suppress
from types import FrameType
from typing import NoReturn

from kiosk.config import KioskSettings
from kiosk.door_report import read_report
from kiosk.errors import JournalError
from kiosk.http_session import open_session
from kiosk.identity import load_identity, load_key
from kiosk.journal_reader import JournalReader
from kiosk.private_files import make_private_folder
from kiosk.roster_cache import RosterCache
from kiosk.sync import Step, Sync
from kiosk.sync_report import report_file
from kiosk.timekeeping import KioskClock, boot_id
from kiosk.uplink import Timeout, Uplink
from kiosk.version import version

log = logging.getLogger(__name__)

LOOK_S = 0.05
"""How often the journal is looked at for new entries: a tap reaches staff within a blink, for microseconds a look."""


def run_forever(settings: KioskSettings) -> None:
    """Keep kiosk and server in step until SIGTERM or SIGINT. Raises: NotEnrolled, SystemExit."""
    with ExitStack() as stack:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, _stop)
        identity, key = load_identity(settings.data_dir), load_key(settings.data_dir)
        if settings.server_url:
            identity = identity.at(settings.server_url)
        boot, clock = boot_id(), KioskClock()
        session = stack.enter_context(open_session(settings.sync, identity.server_url))
        journal = JournalReader(settings.journal_path, busy_timeout_s=settings.journal.busy_timeout_s)
        stack.callback(journal.close)
        # Not opened yet: what the disk refuses now it may take at a later question, and entries go without it.
        cache = RosterCache(
            settings.cache_path, boot=boot, busy_timeout_s=settings.journal.busy_timeout_s, read_only=False
        )
        stack.callback(cache.close)
        read_s, usual = settings.sync.timeout_s, Timeout()
        timeout = Timeout(min(usual.connect_s, read_s), read_s, max(usual.whole_s, read_s))
        sync = Sync(
            journal,
            cache,
            Uplink(identity, key, session, clock, timeout),
            clock,
            names_key_path=settings.names_key_path,
            door=lambda: read_report(settings.runtime_dir),
            boot=boot,
            app=version(),
            interval_s=settings.sync.interval_s,
        )
        log.info("sync started kiosk=%s boot=%s", identity.kiosk, boot)
        with suppress(OSError):  # told with the first word that cannot be written
            make_private_folder(settings.runtime_dir)
        word = report_file(settings.runtime_dir)
        while True:
            before = _look(journal)
            step = sync.step()
            word.write(sync.report(step))
            if step:
                continue
            _rest(step, journal, before)


def _rest(step: Step, journal: JournalReader, before: object) -> None:
    """Wait as the step says, or until the door has written."""
    until_s = time.monotonic() + step.wait_s
    while (left_s := until_s - time.monotonic()) > 0:
        if step.wakeable and _look(journal) != before:
            return
        time.sleep(min(LOOK_S, left_s))


def _look(journal: JournalReader) -> object:
    """Return what changes with the journal; None while it cannot be read, which the next step tells."""
    try:
        return journal.change()
    except JournalError:
        return None


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    # Cuts a request short; every write here is one transaction or one rename, so nothing is left half done.
    raise SystemExit(0)
