"""Years: what is asked of a server at every tap, contact and look, after three years beside the same after a quarter.

After a quarter the journals of its doors are as long as they become. Both are asked turn about, by the server's own
functions. What is asked seldom may grow with what is held, and is told.
"""

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, func, select

from attendance.clock import ClockReading, ClockState, ManualClock, from_ms
from attendance.records import Direction, MadeBy, Moved
from attendance.wire import EntriesRequest, Health, KioskNow, OfferRequest
from bench import figure
from bench.figure import measured, percentile
from bench.municipality import BOOTED_MS, LAST_DAY, NOW_MS, Door, populate
from server.backup.make import make_backup
from server.backup.restore import make_key
from server.catalogues import catalogues
from server.closing import closing_list
from server.config import BindSettings, LiveSettings, ServerSettings
from server.doctor import examine
from server.ledger import accept
from server.neighbours import find_neighbours
from server.notify.dispatcher import DispatchRules, send_next
from server.notify.transport import Message
from server.offer import answer
from server.quarantine import take_out
from server.reports.daily import daily_report
from server.roster_state import presence_part
from server.store import tables
from server.store.engine import Store, using_store
from server.store.migrations import migrate
from server.web.board import read_board
from server.web.watch import figures_by_site

DAYS, QUICK_DAYS, QUARTER = 1000, 250, 90
BAR = 2.0
"""How much longer what is asked every day may take: indexes are a page deeper, and shared cores are never quiet."""
_UNDATED = 3
_TIMES = 41
_SHARE = 0.25
"""The slowest of the quickest quarter is told: what is slower waited for somebody else's work."""
_SENT_MS = NOW_MS + 86_400_000
"""When notices of the taps here are sent."""


@dataclass(slots=True)
class _Town:
    """A municipality in a database, its first door, and a boot of that door that has no anchor."""

    folder: Path
    store: Store
    door: Door
    kiosk: Row[Any]
    site: Row[Any]
    undated: str
    taps: int = 0


def run(*, quick: bool) -> Iterator[figure.Row]:
    """Measure; with `quick` less than a year."""
    with (
        tempfile.TemporaryDirectory(prefix="tadaima-bench-") as folder,
        _town(Path(folder) / "quarter", QUARTER) as quarter,
        _town(Path(folder) / "years", QUICK_DAYS if quick else DAYS) as years,
    ):
        for name, look in _OFTEN.items():
            yield from _compare(name, look, (quarter, years), _TIMES, bar=BAR)
        yield from _compare(
            "years, one look at all movements", _look_at_all, (quarter, years), 5, bar=BAR, control=True
        )
        for name, look in _SELDOM.items():
            yield from _compare(name, look, (quarter, years), 1)


@contextmanager
def _town(folder: Path, days: int) -> Iterator[_Town]:
    folder.mkdir()
    url = ServerSettings(data_dir=str(folder)).store_url
    with using_store(url) as store:
        migrate(store)
        door = populate(store, days, undated=_UNDATED)[0]
    with using_store(url) as store:  # as a server begins, with nothing in memory and an empty log
        with store.read() as conn:
            kiosk = conn.execute(select(tables.kiosk).where(tables.kiosk.c.id == door.id)).one()
            site = conn.execute(select(tables.site).where(tables.site.c.id == door.site)).one()
            session = tables.journal_session.c.session == door.heads[-1 - _UNDATED].session
            undated = conn.execute(select(tables.journal_session.c.boot).where(session)).scalar_one()
        yield _Town(folder, store, door, kiosk, site, undated)


def _compare(
    name: str,
    look: Callable[[_Town], object],
    towns: tuple[_Town, _Town],
    times: int,
    *,
    bar: float | None = None,
    control: bool = False,
) -> list[figure.Row]:
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(times):
        for town, mine in zip(towns, taken, strict=True):
            began = time.perf_counter()
            look(town)
            mine.append((time.perf_counter() - began) * 1000)
    quarter, years = (percentile(each, _SHARE) for each in taken)
    return [
        measured(name, years, "ms"),
        measured(f"{name}: times that of a quarter", years / quarter, "ratio", bar=bar, control=control),
    ]


def _tap(town: _Town) -> None:
    """A child comes by: one entry of the running session, with its notice."""
    town.taps += 1
    at_ms = NOW_MS + town.taps * 61_000
    child = town.door.children[town.taps % len(town.door.children)]
    line = town.door.write(Moved(child, Direction.ENTRY, MadeBy.CARD, None), at_ms, boot_ns=_boot_ns(at_ms))
    head = town.door.heads[-1]
    assert accept(town.store, town.kiosk, EntriesRequest(head.session, head.seq, (line,)), at_ms).through == head.seq


def _offer(town: _Town, boot: str = "") -> None:
    heads = tuple(town.door.heads)
    at = ClockReading(NOW_MS, None, _boot_ns(NOW_MS), ClockState.RTC)
    now = KioskNow(heads[-1].session, boot or town.door.boot, at)
    with town.store.write() as conn:
        assert not answer(conn, town.kiosk, OfferRequest(now, heads, Health(app="bench", unsent=0)), NOW_MS).want


def _boot_ns(at_ms: int) -> int:
    return (at_ms - BOOTED_MS) * 1_000_000


class _Channel:
    name = "mail"

    def send(self, message: Message) -> str:
        return message.delivery_id

    def close(self) -> None: ...


def _send(town: _Town) -> None:
    rules = DispatchRules(late_after_s=300, give_up_after_s=200_000, lease_s=120)
    assert send_next(town.store, {"mail": _Channel()}, catalogues(), ManualClock(from_ms(_SENT_MS)), rules)


def _take_out(town: _Town) -> None:
    with town.store.write() as conn:
        take_out(conn, NOW_MS)


def _reading(look: Callable[[Connection, _Town], object]) -> Callable[[_Town], None]:
    def within(town: _Town) -> None:
        with town.store.read() as conn:
            look(conn, town)

    return within


def _examine(town: _Town, *, full: bool) -> None:
    nowhere = ServerSettings(data_dir=str(town.folder), bind=BindSettings(port=0), live=LiveSettings(port=0))
    list(examine(nowhere, NOW_MS, full=full))


def _back_up(town: _Town) -> None:
    key = make_key(town.folder / "key")
    url = ServerSettings(data_dir=str(town.folder)).store_url
    make_backup(url, town.folder, town.folder / "backups", recipients=[key], keep=1, now_ms=NOW_MS)


_look_at_all = _reading(lambda conn, _: conn.execute(select(func.min(tables.movement.c.wall_ms))).scalar())
_OFTEN: dict[str, Callable[[_Town], object]] = {
    "years, a tap taken in": _tap,
    "years, an offer answered": _offer,
    "years, an offer of a boot just begun": lambda town: _offer(town, secrets.token_hex(16)),
    "years, presence told to a kiosk": _reading(lambda conn, town: presence_part(conn, town.kiosk, LAST_DAY)),
    "years, a notice sent": _send,
    "years, a staff page": _reading(lambda conn, town: read_board(conn, town.site, NOW_MS)),
    "years, the look of all staff pages": _reading(lambda conn, _: figures_by_site(conn, LAST_DAY)),
    "years, the closing list": _reading(lambda conn, town: closing_list(conn, town.site.id, LAST_DAY, NOW_MS)),
    "years, a site's report of a day": _reading(
        lambda conn, town: daily_report(conn, [town.site.id], LAST_DAY, NOW_MS)
    ),
    "years, a boot without an anchor dated": _reading(
        lambda conn, town: find_neighbours(conn, town.door.id, town.undated, NOW_MS)
    ),
    "years, a roster brought in lets entries out": _take_out,
}
_SELDOM: dict[str, Callable[[_Town], object]] = {
    "years, doctor": lambda town: _examine(town, full=False),
    "years, backup": _back_up,
    "years, init of what is set up": lambda town: migrate(town.store),
    "years, doctor --full": lambda town: _examine(town, full=True),
}
