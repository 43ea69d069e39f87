"""What makes the live screens move: one thread sees the database change and tells the sites whose figures did.

Kiosks write all the time (their contact, their nonces); a screen is told only when movements or unknown cards of its
own site did change. Everything slower than that, screens find by asking every few seconds.
"""

import logging
import queue
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date

from sqlalchemy import Connection, func, select

from attendance.clock import Clock, local_day, now
from server.errors import StoreError
from server.store.engine import Store
from server.store.tables import movement, unknown_card

INTERVAL_S = 0.1
Changes = queue.Queue[None]
"""Holds one item at most: a screen asks for all figures anyway, so two changes are one."""
Figures = dict[str, tuple[object, ...]]
_log = logging.getLogger(__name__)


class Watcher:
    """Lets any number of streams wait for changes at a site; its thread lives while there is one. Thread: any."""

    def __init__(self, store: Store, clock: Clock, *, interval_s: float = INTERVAL_S) -> None:
        self._store = store
        self._clock = clock
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._screens: defaultdict[str, set[Changes]] = defaultdict(set)
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self.ended = False
        """Whoever gets an item looks here first: nothing will change any more."""

    @contextmanager
    def changes(self, site_id: str) -> Iterator[Changes]:
        """Give a queue that gets an item whenever the figures of a site change."""
        mine: Changes = queue.Queue(maxsize=1)
        with self._lock:
            self._screens[site_id].add(mine)
            if self.ended:
                mine.put_nowait(None)
            if self._thread is None:
                self._stop = threading.Event()
                self._thread = threading.Thread(target=self._run, args=(self._stop,), name="watcher", daemon=True)
                self._thread.start()
        try:
            yield mine
        finally:
            thread = self._leave(site_id, mine)
            if thread is not None:
                thread.join()

    def end(self) -> None:
        """Tell all screens that it is over, and those still to come. Idempotent."""
        self.ended = True
        self._tell(None)

    def _leave(self, site_id: str, mine: Changes) -> threading.Thread | None:
        """Forget a screen; return the thread to wait for when it was the last."""
        with self._lock:
            self._screens[site_id].discard(mine)
            if not self._screens[site_id]:
                del self._screens[site_id]
            if self._screens:
                return None
            self._stop.set()
            ended, self._thread = self._thread, None
            return ended

    def _run(self, stop: threading.Event) -> None:
        version, figures = "", None
        well = True
        while not stop.wait(self._interval_s):
            try:
                seen = self._store.version()
                if seen == version:
                    continue
                with self._store.read() as conn:
                    fresh = figures_by_site(conn, local_day(now(self._clock)))
            except StoreError as error:
                if well:
                    _log.error("store not readable reason=%s", error)
                well = False
                continue
            if not well:
                _log.info("store readable again")
            well = True
            # The first look cannot know what changed since a screen asked, so it tells all of them.
            self._tell(None if figures is None else _changed(figures, fresh))
            version, figures = seen, fresh

    def _tell(self, sites: set[str] | None) -> None:
        """Tell the screens of some sites, or of all."""
        with self._lock:
            for site_id in list(self._screens) if sites is None else sites:
                for screen in self._screens.get(site_id, ()):
                    with suppress(queue.Full):  # it has not yet taken the change before, and will see both
                        screen.put_nowait(None)


def figures_by_site(conn: Connection, day: date) -> Figures:
    """Return, by site id, a few numbers that differ when movements or unknown cards of the day do."""
    moves = conn.execute(
        select(
            movement.c.site_id,
            func.count(),
            func.count(movement.c.undone_at_ms),
            func.sum(movement.c.at_ms),
            func.max(movement.c.id),
        )
        .where(movement.c.day == day)
        .group_by(movement.c.site_id)
    )
    cards = conn.execute(
        select(unknown_card.c.site_id, func.count()).where(unknown_card.c.day == day).group_by(unknown_card.c.site_id)
    )
    figures: defaultdict[str, tuple[object, ...]] = defaultdict(tuple)
    for row in moves:
        figures[row.site_id] = tuple(row)
    for row in cards:
        figures[row.site_id] = (*figures[row.site_id], "unknown", *row)
    return dict(figures)


def _changed(before: Figures, after: Figures) -> set[str]:
    return {site_id for site_id in before.keys() | after.keys() if before.get(site_id) != after.get(site_id)}
