"""Upkeep of the journal while the door is open: ballast, salvage, new sessions, old ones let go; its own thread."""

import logging
import threading

from attendance.clock import Clock
from attendance.faults import where
from kiosk.errors import CacheError, JournalError
from kiosk.journal import Journal
from kiosk.roster_cache import RosterCache
from kiosk.today import best_now

log = logging.getLogger(__name__)

INTERVAL_S = 60.0


class Upkeep:
    """Does the little that a journal needs, once a minute, beside the taps. Thread: one caller."""

    def __init__(self, journal: Journal, cache: RosterCache, clock: Clock) -> None:
        self._journal = journal
        self._cache = cache
        self._clock = clock
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin; the first round is at once."""
        self._thread.start()

    def stop(self) -> None:
        """End with the round that runs. Idempotent."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def step(self) -> None:
        """Do one round; without the server's time of this boot nothing is let go. Raises: JournalError, CacheError."""
        self._journal.lay_ballast()
        self._journal.renew()
        try:
            self._let_go()
        finally:  # what cannot be read or copied now keeps neither from being done
            self._journal.salvage()

    def _let_go(self) -> None:
        contact = self._cache.contact()
        if contact is not None:
            now = best_now(self._clock.read(), contact)
            self._journal.prune(self._cache.acks(), now.at_ms, self._cache.contacts())

    def _run(self) -> None:
        told = ""
        while True:
            try:
                self.step()
                told = ""
            except (JournalError, CacheError) as error:
                if error.reason != told:
                    log.warning("upkeep failed reason=%r", error.reason)
                told = error.reason
            except Exception as error:  # noqa: BLE001 - a fault here must not end it for good
                fault = f"error={type(error).__name__} at={where(error)}"
                if fault != told:
                    log.error("upkeep failed %s", fault)  # noqa: TRY400 - no payload
                told = fault
            if self._ending.wait(INTERVAL_S):
                return
