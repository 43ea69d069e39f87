"""Composition root of `tadaima-kiosk doctor --live`: takes the readers, shows what they see, lets them go."""

import logging
from collections.abc import Callable
from contextlib import ExitStack

from attendance.catalogue import Catalogue
from kiosk.config import KioskSettings
from kiosk.errors import AlreadyRunning, CacheError, NotEnrolled
from kiosk.identity import load_identity
from kiosk.live.app import LiveServer
from kiosk.live.standing import CardBook
from kiosk.live.terminal import Terminal
from kiosk.live.watched_reader import WatchedReaders
from kiosk.only_one import door_lock
from kiosk.roster_cache import RosterCache
from kiosk.timekeeping import KioskClock
from kiosk.until_told import until_told


def run_live(settings: KioskSettings, words: Catalogue, say: Callable[[str], None]) -> None:
    """Show what the readers see until SIGTERM or SIGINT; `say` is told a line at a time. Thread: the main one.

    The page takes the place of the child's screen, whose browser finds it there by itself. Nothing is recorded.
    Raises: AlreadyRunning, ScreenError, OSError.
    """
    with until_told() as wait_until_told, ExitStack() as stack:
        if not stack.enter_context(door_lock(settings.data_dir)):
            raise AlreadyRunning(settings.data_dir)
        # What the terminal says in words is not logged beside it, nor that a page waits its turn.
        logging.basicConfig(level=logging.ERROR)
        clock = KioskClock()
        book = CardBook(_open_cache(settings, stack), _uid_key(settings))
        terminal = Terminal(words, clock, say)
        readers = WatchedReaders(settings.readers, book, terminal.note)
        server = LiveServer(readers.each, words, clock, host=settings.screen.host, port=settings.screen.port)
        server.start()
        stack.callback(server.stop)
        say(words.text("live.terminal", url=server.url))
        stack.callback(readers.stop)
        readers.start()
        stack.callback(terminal.stop)
        terminal.start(readers.each)
        wait_until_told()


def _open_cache(settings: KioskSettings, stack: ExitStack) -> RosterCache | None:
    try:
        cache = RosterCache.open(settings.cache_path, busy_timeout_s=settings.journal.busy_timeout_s, read_only=True)
    except CacheError:
        return None  # the view works without a roster, and says so
    stack.callback(cache.close)
    return cache


def _uid_key(settings: KioskSettings) -> bytes | None:
    try:
        return load_identity(settings.data_dir).uid_key
    except NotEnrolled:
        return None
