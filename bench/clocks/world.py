"""A site with two kiosks and its server while true time passes, and what must hold of every time that is stated."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, select

from attendance.clock import ClockState, from_ms, local_day
from attendance.presence import Presence, fold
from attendance.records import Direction
from bench.clocks.kiosk import Kiosk
from bench.sync_model.machine import Ground
from kiosk.offers import ALL_HEADS_S
from server.doors import own_clock_ahead_ms
from server.headcount import Headcount, headcount
from server.store import tables
from server.timeline import TimeSource


@dataclass(frozen=True, slots=True)
class Done:
    """What a child truly did."""

    at_ms: float
    boot: str
    direction: Direction | None
    """None: a card that nobody holds."""


class World:
    """Begins at noon of 15 April 2026 with two kiosks that know the roster. Thread: one."""

    def __init__(self, on: Ground, *, met: bool) -> None:
        on.server.begin_anew()
        on.tally.examples += 1
        self._folder = on.folder / f"clocks-{on.tally.examples}"
        self._folder.mkdir()
        self.server = on.server
        self.children = on.server.children
        self.done: dict[str, Done] = {}
        """By the id of what the server makes of it."""
        self._true_ms = float(self.server.clock.read().wall_ms)
        self.kiosks: list[Kiosk] = []
        for number, identity in enumerate(on.kiosks):
            (self._folder / str(number)).mkdir()
            self.kiosks.append(Kiosk(self, self._folder / str(number), on.url, on.carrier, identity))
        for kiosk in self.kiosks:
            kiosk.boot(ClockState.NTP, err_ms=20)
            kiosk.sync_all()
        if not met:
            on.server.begin_anew()
            on.server.clock.advance((self._true_ms - on.server.clock.read().wall_ms) / 1000)
            for kiosk in self.kiosks:
                kiosk.forget_journal()

    @property
    def now(self) -> datetime:
        """The true time."""
        return from_ms(round(self._true_ms))

    def live(self, seconds: float, *, uncounted: bool = False) -> None:
        """Let time pass everywhere; doors look at their clocks then. `uncounted`: by no clock of a kiosk."""
        self.server.clock.advance(seconds)
        self._true_ms += seconds * 1000
        for kiosk in self.kiosks:
            kiosk.live(0 if uncounted else seconds)

    def note(self, made: str, boot: str, direction: Direction | None) -> bool:
        """Keep in mind what was truly done now; return False when it is known already."""
        new = made not in self.done
        self.done.setdefault(made, Done(self._true_ms, boot, direction))
        return new

    def settle(self) -> None:
        """Every kiosk reaches the server, long enough to have all sessions asked for."""
        for _ in range(2):
            self.live(ALL_HEADS_S)
            for kiosk in self.kiosks:
                kiosk.sync_all()

    def rows(self) -> dict[str, Row[Any]]:
        """Return the movements that the server holds."""
        with self.server.store.read() as conn:
            return {row.id: row for row in conn.execute(select(tables.movement)).all()}

    def unknown_cards(self) -> dict[str, Row[Any]]:
        with self.server.store.read() as conn:
            return {row.id: row for row in conn.execute(select(tables.unknown_card)).all()}

    def headcount(self) -> Headcount:
        """Return what staff see now."""
        with self.server.store.read() as conn:
            return headcount(conn, self.server.site, self.server.clock.read().wall_ms)

    def presence(self) -> dict[str, Presence]:
        return fold(self.server.movements(round(self._true_ms)))

    def present(self) -> set[str]:
        """Return who is in, as the server knows."""
        return {child for child, presence in self.presence().items() if presence.present}

    def alarm_ms(self) -> int:
        """Return by how much the office is told that this server's clock is ahead."""
        with self.server.store.read() as conn:
            return own_clock_ahead_ms(conn, self.server.clock.read().wall_ms)

    def faults(self) -> list[str]:
        """Return what does not hold of the times that the server states; of everything that it holds."""
        return list(self._faults())

    def _faults(self) -> Iterator[str]:
        rows = self.rows()
        for each in sorted(rows.keys() & self.done.keys()):
            row, true_ms = rows[each], self.done[each].at_ms
            off_ms = row.at_ms - true_ms
            if row.at_err_ms is None:
                if row.at_source != TimeSource.UNSETTLED:
                    yield f"no bound: {row.at_source}"
            elif abs(off_ms) > row.at_err_ms:
                yield f"off by {off_ms:.0f} ms, stated {row.at_err_ms} ms, {row.at_source}"
            elif row.day != self._day(true_ms) and local_day(from_ms(round(true_ms) + row.at_err_ms)) == local_day(
                from_ms(round(true_ms) - row.at_err_ms)
            ):
                yield f"another day: {row.day}"
            if row.day != local_day(from_ms(row.at_ms)):
                yield "the day is not that of the time"
        if set(rows) - self.done.keys():
            yield "invented"
        yield from self._out_of_order(rows)

    def _out_of_order(self, rows: dict[str, Row[Any]]) -> Iterator[str]:
        last: dict[str, tuple[float, int]] = {}
        for each, did in self.done.items():  # as they were done
            if each in rows:
                before = last.get(did.boot, (0.0, 0))
                if rows[each].at_ms < before[1]:
                    yield "out of order within a boot"
                last[did.boot] = did.at_ms, rows[each].at_ms

    @staticmethod
    def _day(true_ms: float) -> date:
        return local_day(from_ms(round(true_ms)))

    def close(self) -> None:
        for kiosk in self.kiosks:
            kiosk.close()
        shutil.rmtree(self._folder)


@contextmanager
def world_on(on: Ground, *, met: bool = True) -> Iterator[World]:
    """Give a world on this ground; `met`: its kiosks have asked the server since they were enrolled."""
    world = World(on, met=met)
    try:
        yield world
    finally:
        world.close()
