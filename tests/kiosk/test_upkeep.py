"""A journal is looked after while the door is open: bounded in size, and with space held back for a full disk."""

import re
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from attendance.clock import ClockState, ManualClock, to_ms
from attendance.records import Direction, MadeBy, Moved, SessionOpened
from kiosk.ballast import Ballast
from kiosk.errors import CacheError, JournalError
from kiosk.journal import BALLAST_FILE, Journal
from kiosk.roster_cache import RosterCache
from kiosk.upkeep import Upkeep
from tests.kiosk.door_parts import AFTERNOON, BOOT, open_journal, state
from tests.kiosk.test_journal import chain_of

DAY_S = 24 * 3600
CHILD = Moved(child="child", direction=Direction.ENTRY, by=MadeBy.CARD, card=None)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AFTERNOON)


@pytest.fixture
def journal(tmp_path: Path, clock: ManualClock) -> Iterator[Journal]:
    opened = open_journal(tmp_path / "journal.db", clock)
    yield opened
    opened.close()


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[RosterCache]:
    opened = RosterCache.open(tmp_path / "cache.db", boot=BOOT)
    opened.store_state(state())
    yield opened
    opened.close()


@pytest.fixture
def upkeep(journal: Journal, cache: RosterCache, clock: ManualClock) -> Upkeep:
    return Upkeep(journal, cache, clock)


def live(days: int, upkeep: Upkeep, journal: Journal, clock: ManualClock, cache: RosterCache, *, acked: bool) -> None:
    """Days with a child each, the server in reach, upkeep in the night."""
    for _ in range(days):
        journal.append(CHILD)
        if acked:
            cache.store_acks(journal.heads())
        clock.advance(DAY_S)
        reading = clock.read()
        cache.note_contact(reading.boot_ns, reading.wall_ms)
        upkeep.step()


def test_a_session_ends_when_it_is_a_day_old_and_all_is_quiet(journal: Journal, clock: ManualClock) -> None:
    first = journal.session
    clock.advance(DAY_S - 60)
    journal.append(CHILD)
    clock.advance(120)
    assert not journal.renew(), "a child has just been here"
    clock.advance(600)
    assert journal.renew()
    assert journal.session != first
    assert not journal.renew()


def test_a_new_session_names_the_one_before_and_nothing_is_lost(
    journal: Journal, clock: ManualClock, tmp_path: Path
) -> None:
    before = journal.append(CHILD)
    clock.advance(2 * DAY_S)
    journal.renew()
    after = journal.append(CHILD)
    chains = chain_of(tmp_path / "journal.db")
    assert chains[before.session][-1] == before
    header = chains[after.session][0].body
    assert isinstance(header, SessionOpened)
    assert [(head.session, head.seq) for head in header.heads] == [(before.session, before.seq)]
    assert journal.unsent([]) == 4


def test_a_year_of_days_leaves_forty_of_them(
    upkeep: Upkeep, journal: Journal, clock: ManualClock, cache: RosterCache, tmp_path: Path
) -> None:
    live(200, upkeep, journal, clock, cache, acked=True)
    chains = chain_of(tmp_path / "journal.db")
    assert 40 <= len(chains) <= 43
    oldest = next(iter(chains.values()))[0].at.wall_ms
    assert clock.read().wall_ms - oldest >= timedelta(days=40) / timedelta(milliseconds=1)
    assert journal.unsent(cache.acks()) == 1, "the header of the running session"


def test_old_sessions_go_though_a_damaged_journal_cannot_be_searched(
    upkeep: Upkeep, journal: Journal, clock: ManualClock, cache: RosterCache, tmp_path: Path
) -> None:
    live(60, upkeep, journal, clock, cache, acked=True)
    oldest, *others = chain_of(tmp_path / "journal.db")
    aside = tmp_path / "journal.db.damaged-20260401T050000Z"
    aside.mkdir()
    clock.advance(30 * DAY_S)
    with pytest.raises(JournalError, match="directory"):
        upkeep.step()
    assert list(chain_of(tmp_path / "journal.db")) == [*others, journal.session], oldest
    aside.rmdir()
    aside.write_bytes(b"\xa5" * 8192)
    upkeep.step()
    assert journal.salvages == 1


def test_a_cache_that_cannot_be_read_does_not_keep_a_damaged_journal_from_being_searched(
    upkeep: Upkeep, journal: Journal, cache: RosterCache, tmp_path: Path
) -> None:
    (tmp_path / "journal.db.damaged-20260401T050000Z").write_bytes(b"\xa5" * 8192)
    cache.close()
    (tmp_path / "cache.db").unlink()
    (tmp_path / "cache.db").mkdir()
    with pytest.raises(CacheError):
        upkeep.step()
    assert journal.salvages == 1


def test_nothing_goes_that_the_server_has_not_acknowledged(
    upkeep: Upkeep, journal: Journal, clock: ManualClock, cache: RosterCache, tmp_path: Path
) -> None:
    live(60, upkeep, journal, clock, cache, acked=False)
    assert len(chain_of(tmp_path / "journal.db")) == 61


def test_nothing_goes_before_the_server_has_told_the_time(
    upkeep: Upkeep, journal: Journal, clock: ManualClock, cache: RosterCache, tmp_path: Path
) -> None:
    live(30, upkeep, journal, clock, cache, acked=True)
    cache.store_acks(journal.heads())
    alone = RosterCache.open(tmp_path / "cache.db", boot="another boot", read_only=True)
    clock.advance(400 * DAY_S)
    Upkeep(journal, alone, clock).step()
    alone.close()
    assert len(chain_of(tmp_path / "journal.db")) == 32


def test_ballast_is_laid_and_not_thrown_while_there_is_space(upkeep: Upkeep, tmp_path: Path) -> None:
    upkeep.step()
    ballast = Ballast(tmp_path / BALLAST_FILE)
    assert ballast.laid
    assert (tmp_path / BALLAST_FILE).stat().st_blocks * 512 >= 4_000_000, "the space is really taken"
    assert not ballast.throw(), "the disk is not full"
    assert ballast.laid


def test_upkeep_ends_when_told(upkeep: Upkeep, tmp_path: Path) -> None:
    upkeep.start()
    upkeep.stop()
    upkeep.stop()
    assert (tmp_path / BALLAST_FILE).exists()


@pytest.mark.parametrize(("met", "kept"), [(True, 42), (False, 45)])
def test_a_kiosk_whose_clock_nothing_keeps_lets_go_by_the_servers_time(tmp_path: Path, met: bool, kept: int) -> None:
    """It boots in 1970 each morning, and meets the server in each boot or in the last alone."""
    for day in range(45):
        woke = ManualClock(datetime(1970, 1, 1, tzinfo=UTC), state=ClockState.NONE)
        cache = RosterCache.open(tmp_path / "cache.db", boot=f"{day:032x}")
        journal = open_journal(tmp_path / "journal.db", woke, boot=f"{day:032x}")
        cache.store_acks(journal.heads())
        if met or day == 44:
            cache.note_contact(woke.read().boot_ns, to_ms(AFTERNOON + timedelta(days=day)))
        Upkeep(journal, cache, woke).step()
        left = len(journal.heads())
        journal.close()
        cache.close()
    assert left == kept


def test_a_server_a_year_ahead_for_a_while_costs_nothing_that_is_young(tmp_path: Path) -> None:
    """Half of the sessions are of an earlier boot, for which the running machine cannot vouch."""
    clock, kept = ManualClock(AFTERNOON), 0
    for boot in ("b" * 32, "c" * 32):
        cache = RosterCache.open(tmp_path / "cache.db", boot=boot)
        journal = open_journal(tmp_path / "journal.db", clock, boot=boot)
        live(10, Upkeep(journal, cache, clock), journal, clock, cache, acked=True)
        kept = len(journal.heads())
        if boot == "c" * 32:
            cache.store_acks(journal.heads())
            reading = clock.read()
            cache.note_contact(reading.boot_ns, reading.wall_ms + 366 * DAY_S * 1000)
            for _ in range(kept):
                Upkeep(journal, cache, clock).step()
            assert len(journal.heads()) == kept
        journal.close()
        cache.close()
    assert kept == 22


def test_a_boot_that_claims_a_time_long_past_costs_nothing_that_is_young(tmp_path: Path) -> None:
    clock, path = ManualClock(AFTERNOON), tmp_path / "journal.db"
    cache = RosterCache.open(tmp_path / "cache.db", boot=BOOT)
    journal = open_journal(path, clock)
    live(20, Upkeep(journal, cache, clock), journal, clock, cache, acked=True)
    journal.close()
    cache.close()
    stale = ManualClock(AFTERNOON - timedelta(days=50), state=ClockState.RTC)
    cache = RosterCache.open(tmp_path / "cache.db", boot="c" * 32)
    journal = open_journal(path, stale, boot="c" * 32)
    cache.store_acks(journal.heads())
    cache.note_contact(stale.read().boot_ns, clock.read().wall_ms)
    kept = len(journal.heads())
    for _ in range(kept):
        Upkeep(journal, cache, stale).step()
    assert len(journal.heads()) == kept
    journal.close()
    cache.close()


@pytest.mark.parametrize("spoilt", [b'"app":"x"', b'"app":"\xff"'], ids=["another letter", "no text"])
def test_a_spoilt_header_keeps_no_other_session_from_going(tmp_path: Path, spoilt: bytes) -> None:
    clock, path = ManualClock(AFTERNOON), tmp_path / "journal.db"
    cache = RosterCache.open(tmp_path / "cache.db", boot=BOOT)
    journal = open_journal(path, clock)
    first = journal.session
    for _ in range(50):
        journal.append(CHILD)
        clock.advance(DAY_S)
        journal.renew()
    journal.close()
    with sqlite3.connect(path) as db:
        line = db.execute("SELECT CAST(line AS BLOB) FROM entry WHERE session = ? AND seq = 0", (first,)).fetchone()[0]
        rotten = re.sub(rb'"app":"[^"]*"', spoilt, line)
        assert rotten != line
        db.execute(
            "UPDATE entry SET line = CAST(CAST(? AS BLOB) AS TEXT) WHERE session = ? AND seq = 0", (rotten, first)
        )
    db.close()
    journal = open_journal(path, clock)
    cache.store_acks(journal.heads())
    cache.note_contact(clock.read().boot_ns, clock.read().wall_ms)
    for _ in range(20):
        Upkeep(journal, cache, clock).step()
    assert 41 <= len(journal.heads()) <= 43
    journal.close()
    cache.close()


def test_upkeep_that_fails_says_why_once(
    upkeep: Upkeep,
    cache: RosterCache,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kiosk.upkeep.INTERVAL_S", 0.001)
    cache.close()
    (tmp_path / "cache.db").unlink()
    (tmp_path / "cache.db").mkdir()
    rounds = iter(range(5))
    lay = Journal.lay_ballast

    def count(journal: Journal) -> None:
        lay(journal)
        if next(rounds, None) is None:
            ended.set()

    ended = threading.Event()
    monkeypatch.setattr(Journal, "lay_ballast", count)
    upkeep.start()
    assert ended.wait(20)
    upkeep.stop()
    assert [record.levelname for record in caplog.records if "upkeep failed" in record.message] == ["WARNING"]
