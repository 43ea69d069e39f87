"""The readers of a door while they are only watched: each runs as at the door, but its reads go nowhere."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hardware.frame_measures import module_px
from hardware.reader import RawRead
from kiosk.backoff import Backoff
from kiosk.config import ReaderKind, ReaderSettings
from kiosk.devices import make_driver
from kiosk.live.camera_watch import CameraWatch
from kiosk.live.look import Looker
from kiosk.live.standing import CardBook, Judgement, start_of
from kiosk.live.verdicts import CARD_MODULES
from kiosk.reading import ReaderThread, stop_all

READS_KEPT = 5
TRY_AGAIN_S = (0.5, 2.0)
"""Somebody stands there and plugs it in: they are not to wait half a minute."""
_JOIN_S = 1.3


@dataclass(frozen=True, slots=True)
class SeenRead:
    """One read as it may be shown: the payload itself is gone."""

    raw: RawRead
    start: str
    judgement: Judgement
    module_px: float | None
    """Of a card that a camera saw."""


class WatchedReader:
    """One reader, what it sees and what it read last. Thread: any."""

    def __init__(self, wanted: ReaderSettings, book: CardBook, on_read: Callable[[SeenRead], None]) -> None:
        """Set up without touching the device."""
        self.wanted = wanted
        self.looker = Looker(CameraWatch(), book.judge_code) if wanted.kind is ReaderKind.QR_CAMERA else None
        self._book = book
        self._on_read = on_read
        self._lock = threading.Lock()
        self._reads: deque[SeenRead] = deque(maxlen=READS_KEPT)
        self.thread: ReaderThread | None = None
        """What reads; None for a source that makes no sense."""
        self._senseless: str | None = None
        try:
            driver = make_driver(wanted, watch=None if self.looker is None else self.looker.watch)
        except ValueError as error:  # its source means nothing to the driver; the others are watched all the same
            self._senseless = str(error)
        else:
            self.thread = ReaderThread(driver, self._take, Backoff(*TRY_AGAIN_S))

    @property
    def reads(self) -> tuple[SeenRead, ...]:
        """The last reads, newest first."""
        with self._lock:
            return tuple(self._reads)

    @property
    def fault(self) -> str | None:
        """Why it cannot be had; None while it works."""
        return self._senseless if self.thread is None else self.thread.fault

    @property
    def late(self) -> bool:
        """Whether it has neither opened nor failed in good time."""
        return self.thread is not None and self.thread.down

    def start(self) -> None:
        """Begin to read."""
        if self.thread is not None:
            self.thread.start()

    def _take(self, raw: RawRead) -> None:
        without_payload = replace(raw, payload=b"")
        seen = SeenRead(without_payload, start_of(raw), self._book.judge(raw), self._module_px(raw))
        with self._lock:
            self._reads.appendleft(seen)
        self._on_read(seen)

    def _module_px(self, raw: RawRead) -> float | None:
        card = None if self.looker is None else self.looker.watch.last_card()
        if card is None or card.code.payload != raw.payload:
            return None
        return module_px(card.code.corners, CARD_MODULES)


class WatchedReaders:
    """All readers of a door, watched. Thread: one caller."""

    def __init__(self, wanted: Sequence[ReaderSettings], book: CardBook, on_read: Callable[[SeenRead], None]) -> None:
        """`on_read` is told of each read, on its reader's thread."""
        self.each = tuple(WatchedReader(one, book, on_read) for one in wanted)

    def start(self) -> None:
        """Begin to read."""
        for reader in self.each:
            reader.start()

    def stop(self) -> None:
        """End within 1.5 s. Idempotent."""
        stop_all([reader.thread for reader in self.each if reader.thread is not None], _JOIN_S)
