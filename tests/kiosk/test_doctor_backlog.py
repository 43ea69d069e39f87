"""What the doctor says of entries: which wait and since when, which are kept too long, which the disk has lost."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from attendance.clock import ClockState, ManualClock
from kiosk.identity import coming_key, store_identity
from kiosk.retention import KEPT_MS
from kiosk.roster_cache import RosterCache
from tests.kiosk.doctor_parts import House, examined, house, open_journal, running_clock, wrong_of
from tests.kiosk.sync_parts import identity, moved
from tests.model_server import NOON, ModelServer

OTHER_BOOT = "0123" * 8
DAY_S = 24 * 3600


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def test_an_entry_that_was_just_made_is_on_its_way_and_one_that_waits_is_told_since_when(
    tmp_path: Path, server: ModelServer
) -> None:
    with house(tmp_path, server) as kiosk:
        kiosk.journal.append(moved())
        findings = kiosk.findings()
        assert (findings["unsent"].values, wrong_of(findings)) == ({"entries": 1}, set())
        kiosk.clock.advance(3600)
        kiosk.journal.append(moved())
        finding = kiosk.findings()["unsent_long"]
        assert finding.values == {"entries": 2, "since": "2026-04-01 12:00"}
        kiosk.step()
        assert "all_sent" in kiosk.findings()


def test_entries_of_this_boot_are_dated_by_the_servers_time_though_the_clock_said_1970(tmp_path: Path) -> None:
    clock = running_clock(ClockState.NONE)
    clock.step(-56 * 365 * DAY_S)
    with house(tmp_path, None, clock=clock) as kiosk:
        clock.advance(1800)
        reading = clock.read()
        kiosk.cache.note_contact(reading.boot_ns, round(NOON.timestamp() * 1000))
        assert kiosk.findings()["unsent_long"].values == {"entries": 2, "since": "2026-04-01 11:30"}


@pytest.mark.parametrize(("state", "code"), [(ClockState.NTP, "unsent_long"), (ClockState.SAVED, "unsent_undated")])
def test_entries_of_an_earlier_boot_are_dated_by_a_clock_that_was_right_only(
    tmp_path: Path, state: ClockState, code: str
) -> None:
    with house(tmp_path, None) as kiosk:
        kiosk.let_go()
        kiosk.settings.journal_path.unlink()
        earlier = ManualClock(NOON - timedelta(hours=3), state=state)
        with closing(open_journal(kiosk.settings, earlier, OTHER_BOOT)) as journal:
            journal.append(moved())
        finding = kiosk.findings()[code]
        assert finding.wrong
        assert finding.values["entries"] == 2
        assert finding.values.get("since") == (None if state is ClockState.SAVED else "2026-04-01 09:00")


def test_entries_of_an_earlier_boot_are_dated_by_the_contact_it_had(tmp_path: Path) -> None:
    with house(tmp_path, None) as kiosk:
        begin_anew(kiosk)
        earlier = ManualClock(NOON - timedelta(days=9000), boot_ns=50_000_000_000, state=ClockState.NONE)
        with closing(open_journal(kiosk.settings, earlier, OTHER_BOOT)):
            pass
        with closing(RosterCache.open(kiosk.settings.cache_path, boot=OTHER_BOOT)) as cache:
            cache.note_contact(60_000_000_000, round((NOON - timedelta(hours=2)).timestamp() * 1000))
        assert kiosk.findings()["unsent_long"].values == {"entries": 1, "since": "2026-04-01 09:59"}


def test_an_entry_that_is_just_made_hides_none_that_nothing_dates(tmp_path: Path) -> None:
    with house(tmp_path, None) as kiosk:
        begin_anew(kiosk)
        with closing(open_journal(kiosk.settings, ManualClock(NOON, state=ClockState.SAVED), OTHER_BOOT)):
            pass
        with closing(open_journal(kiosk.settings, kiosk.clock)):
            assert kiosk.findings()["unsent_undated"].values == {"entries": 2}


def days_ago(kiosk: House, days: float, state: ClockState = ClockState.NTP) -> None:
    """A session of so many days ago, before the one that runs."""
    at = ManualClock(NOON - timedelta(days=days), state=state)
    with closing(open_journal(kiosk.settings, at, OTHER_BOOT)) as journal:
        journal.append(moved())


def begin_anew(kiosk: House) -> None:
    kiosk.let_go()
    kiosk.settings.journal_path.unlink()


def test_entries_that_should_have_gone_are_told_by_why_they_have_not(tmp_path: Path, server: ModelServer) -> None:
    kept_days = KEPT_MS / 1000 / DAY_S
    with house(tmp_path, server) as kiosk:
        begin_anew(kiosk)
        for days in (kept_days + 20, kept_days + 10, 1):
            days_ago(kiosk, days)
        findings = kiosk.findings()
        assert findings["kept_unsent"].values == {"entries": 4}
        kiosk.clock.advance(300)
        kiosk.step()
        kiosk.step()
        findings = kiosk.findings()
        assert findings["kept_long"].values == {"entries": 2}, "the session before those that prove its age may stay"
        with closing(open_journal(kiosk.settings, kiosk.clock)) as journal:
            journal.prune(kiosk.cache.acks(), kiosk.clock.read().wall_ms)
        assert {"kept_long", "kept_unsent"}.isdisjoint(kiosk.findings())


def test_a_clock_that_never_was_right_keeps_entries_and_is_told(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        begin_anew(kiosk)
        for days in (60, 55, 50, 1):
            days_ago(kiosk, days, ClockState.SAVED)
        kiosk.clock.advance(300)
        kiosk.step()
        kiosk.step()
        with closing(open_journal(kiosk.settings, kiosk.clock)) as journal:
            assert journal.prune(kiosk.cache.acks(), kiosk.clock.read().wall_ms) == 0
        assert kiosk.findings()["kept_long"].values == {"entries": 4}


def test_a_session_of_1970_is_no_old_one(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        begin_anew(kiosk)
        days_ago(kiosk, 56 * 365, ClockState.NONE)
        days_ago(kiosk, 1)
        assert {"kept_long", "kept_unsent"}.isdisjoint(kiosk.findings())


def test_a_journal_older_than_what_was_acknowledged_lacks_that_much(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        kiosk.reader.close()
        before = {path: path.read_bytes() for path in kiosk.settings.data_dir.glob("journal.db*")}
        for _ in range(3):
            kiosk.journal.append(moved())
        kiosk.step()
        kiosk.let_go()
        assert "journal_short" not in kiosk.findings()
        for path, content in before.items():
            path.write_bytes(content)
        (kiosk.settings.data_dir / "journal.db-shm").unlink()
        assert kiosk.findings()["journal_short"].values == {"entries": 3}
        kiosk.clock.advance(300)
        kiosk.step()
        assert kiosk.findings()["journal_short"].values == {"entries": 3}, "the next sync does not hide it"


def test_a_key_that_is_not_the_one_of_the_journal_is_told(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        coming_key(kiosk.settings.data_dir)
        (kiosk.settings.data_dir / "enrolling.key").replace(kiosk.settings.data_dir / "kiosk.key")
        assert kiosk.wrong() == {"key_other", "server_unknown"}


def test_a_door_that_goes_on_under_its_former_name_is_told(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        server.trust(coming_key(kiosk.settings.data_dir).public_key())
        store_identity(kiosk.settings.data_dir, replace(identity(server.url), kiosk="kiosk-2"))
        assert kiosk.wrong() == {"door_former"}
    assert "door_former" not in examined(kiosk.settings, kiosk.clock)
