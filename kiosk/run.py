"""Composition root of `tadaima-kiosk run`: builds the door process from its settings, runs it, and closes it."""

import logging
from collections.abc import Callable
from contextlib import ExitStack, suppress

from attendance.signatures import key_id
from kiosk.announce import Announcer
from kiosk.by_staff import StaffDesk
from kiosk.catalogues import with_own_texts
from kiosk.config import KioskSettings
from kiosk.consumer import Consumer
from kiosk.devices import make_reader, make_signal
from kiosk.door import Door
from kiosk.door_report import ReportingDisplay
from kiosk.errors import AlreadyRunning
from kiosk.identity import load_identity, load_key
from kiosk.journal import Journal
from kiosk.name_book import NameBook
from kiosk.only_one import door_lock
from kiosk.private_files import make_private_folder
from kiosk.roster_cache import RosterCache
from kiosk.screen import Screen, ScreenServer
from kiosk.timekeeping import KioskClock, boot_id
from kiosk.until_told import until_told
from kiosk.upkeep import Upkeep
from kiosk.version import version

log = logging.getLogger(__name__)


def run(settings: KioskSettings, announce_url: Callable[[str], None]) -> None:
    """Run the door until SIGTERM or SIGINT; `announce_url` is told where the screen is.

    Raises: NotEnrolled, AlreadyRunning, ScreenError, OSError, and ValueError for a source that is none.
    """
    with until_told() as wait_until_told, ExitStack() as stack:
        identity = load_identity(settings.data_dir)
        public_key = load_key(settings.data_dir).public_key()
        with suppress(OSError):  # told with the first word that cannot be written
            make_private_folder(settings.runtime_dir)
        if not stack.enter_context(door_lock(settings.data_dir)):
            raise AlreadyRunning(settings.data_dir)
        readers = [make_reader(each) for each in settings.readers]
        clock, boot, busy_s = KioskClock(), boot_id(), settings.journal.busy_timeout_s
        announcer = Announcer([make_signal(each, clock, settings.greetings) for each in settings.signals])
        # What the disk refuses now it may take at a later question: the door opens all the same, and says so.
        journal = Journal(
            settings.journal_path,
            kiosk=identity.kiosk,
            clock=clock,
            boot=boot,
            app=version(),
            key_id=key_id(public_key),
            busy_timeout_s=busy_s,
        )
        stack.callback(journal.close)
        cache = RosterCache(settings.cache_path, boot=boot, busy_timeout_s=busy_s, read_only=True)
        stack.callback(cache.close)
        door = Door(
            journal=journal,
            cache=cache,
            clock=clock,
            uid_key=identity.uid_key,
            names=NameBook(cache, settings.names_key_path),
            display=announcer,
            can_ask=settings.screen.enabled,
        )
        if settings.screen.enabled:
            texts = with_own_texts(settings.language, settings.texts)
            screen = Screen(
                door,
                texts,
                clock,
                language=settings.language,
                greetings=settings.greetings,
                staff=StaffDesk(door, clock),
            )
            server = ScreenServer(screen, settings.screen.host, settings.screen.port)
            server.start()
            stack.callback(server.stop)
            announcer.add(screen)
            announce_url(server.url)
        announcer.add(ReportingDisplay(settings.runtime_dir, clock))
        announcer.start()
        stack.callback(announcer.stop)
        # After all that can fail: each start that fails would leave a session behind.
        journal.begin()
        upkeep = Upkeep(journal, cache, clock)
        upkeep.start()
        stack.callback(upkeep.stop)
        consumer = Consumer(door, readers, announcer)
        consumer.start()
        stack.callback(consumer.stop)
        log.info("door open kiosk=%s readers=%d signals=%d", identity.kiosk, len(readers), len(settings.signals))
        wait_until_told()
        log.info("door closing")
