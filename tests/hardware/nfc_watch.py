"""An open NFC reader with somebody who lays cards on it, for the tests of every NFC driver."""

import threading
import time
from typing import Any

from hardware.errors import ReaderLost
from hardware.reader import CardReader, Medium, RawRead

PATIENCE_S = 15.0


class Watch:
    """An open reader over a field of soft cards, and what it has read so far."""

    def __init__(self, reader: CardReader, field: Any) -> None:
        self.field = field
        self.raws: list[RawRead] = []
        self.error: ReaderLost | None = None
        self._reader = reader
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read)
        reader.open()
        self._thread.start()

    def _read(self) -> None:
        try:
            for raw in self._reader.reads():
                with self._changed:
                    self.raws.append(raw)
                    self._changed.notify()
        except ReaderLost as error:
            self.error = error

    def wait_for(self, count: int) -> list[tuple[Medium, bytes]]:
        """The reads, once there are as many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.raws) >= count, PATIENCE_S), f"{len(self.raws)} reads"
        return self.seen()

    def wait_until_lost(self) -> ReaderLost:
        """What ended the reading, once it has."""
        self._thread.join(PATIENCE_S)
        assert self.error is not None
        return self.error

    def seen(self) -> list[tuple[Medium, bytes]]:
        return [(raw.medium, raw.payload) for raw in self.raws]

    def hold(self, *cards: Any, seconds: float = 0.4) -> None:
        self.field.lay(*cards)
        time.sleep(seconds)

    def lift(self, seconds: float = 0.9) -> None:
        self.field.lift()
        time.sleep(seconds)

    def end(self) -> None:
        self._reader.close()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
