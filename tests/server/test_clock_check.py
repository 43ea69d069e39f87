"""A server whose own clock is wrong is told of, and nothing is corrected by it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.catalogue import Language
from attendance.clock import ClockState, ManualClock
from server.clock_check import LONGEST_WAY_MS, TOLERATED_MS, clock_difference, server_ahead_ms
from server.config import ServerSettings
from server.doors import SILENT_MS, doors, own_clock_ahead_ms
from server.store.engine import Store
from tests.server import factories as make
from tests.server import web_site as web
from tests.server.factories import NOON_MS
from tests.server.kiosk_side import reading

HOUR_MS = 3_600_000


def test_only_a_kiosk_kept_by_ntp_can_tell() -> None:
    for state in set(ClockState) - {ClockState.NTP}:
        assert clock_difference(reading(state=state, wall_err_ms=5), NOON_MS + HOUR_MS) is None
    assert clock_difference(reading(state=ClockState.NTP, wall_err_ms=None), NOON_MS + HOUR_MS) is None
    assert clock_difference(reading(state=ClockState.NTP, wall_err_ms=5), NOON_MS + HOUR_MS) == HOUR_MS
    assert clock_difference(reading(state=ClockState.NTP, wall_err_ms=5), NOON_MS - HOUR_MS) == -HOUR_MS


def test_what_the_clock_admits_and_the_way_may_take_is_no_difference() -> None:
    bound_ms = 500 + LONGEST_WAY_MS + TOLERATED_MS
    at = reading(state=ClockState.NTP, wall_err_ms=500)
    assert clock_difference(at, NOON_MS + bound_ms) == 0
    assert clock_difference(at, NOON_MS + bound_ms + 1) == bound_ms + 1


def test_most_kiosks_must_differ_before_the_server_is_doubted() -> None:
    assert server_ahead_ms([]) == 0
    assert server_ahead_ms([0, 0, HOUR_MS]) == 0, "that kiosk is wrong"
    assert server_ahead_ms([0, HOUR_MS]) == 0
    assert server_ahead_ms([HOUR_MS, HOUR_MS + 20, 0]) == HOUR_MS + 10
    assert server_ahead_ms([-HOUR_MS]) == -HOUR_MS


@given(st.lists(st.integers(-(10**12), 10**12).filter(bool), min_size=1))
def test_what_is_told_lies_between_what_the_kiosks_say(differences: list[int]) -> None:
    assert min(differences) <= server_ahead_ms(differences) <= max(differences)


def test_silent_and_revoked_kiosks_have_no_say(store: Store) -> None:
    site = make.site(store)
    make.kiosk(store, site_id=site.id, heard_at_ms=NOON_MS - 2 * SILENT_MS, clock_ahead_ms=HOUR_MS)
    make.kiosk(store, site_id=site.id, heard_at_ms=NOON_MS, revoked_at_ms=NOON_MS, clock_ahead_ms=HOUR_MS)
    with store.read() as conn:
        assert own_clock_ahead_ms(conn, NOON_MS) == 0
    make.kiosk(store, site_id=site.id, heard_at_ms=NOON_MS, clock_ahead_ms=HOUR_MS)
    with store.read() as conn:
        assert own_clock_ahead_ms(conn, NOON_MS) == HOUR_MS


def test_a_kiosk_last_heard_before_the_clock_was_set_back_is_silent_and_has_no_say(store: Store) -> None:
    site = make.site(store)
    make.kiosk(store, site_id=site.id, heard_at_ms=NOON_MS + HOUR_MS, clock_ahead_ms=0)
    make.kiosk(store, site_id=site.id, heard_at_ms=NOON_MS, clock_ahead_ms=-HOUR_MS)
    with store.read() as conn:
        assert sorted(door.silent for door in doors(conn, site.id, NOON_MS)) == [False, True]
        assert own_clock_ahead_ms(conn, NOON_MS) == -HOUR_MS


@pytest.mark.usefixtures("quick_passwords")
@pytest.mark.parametrize(("ahead_ms", "told"), [(90_000, "about 2 minutes fast"), (-60_000, "about 1 minute slow")])
def test_the_office_is_told(store: Store, tmp_path: Path, ahead_ms: int, told: str) -> None:
    here = make.site(store)
    web.add_login(store, "office", language=Language.EN)
    client = web.pages(store, ServerSettings(data_dir=str(tmp_path)), ManualClock(web.AFTERNOON)).test_client()
    web.log_in(client, "office")
    assert "clock of this server" not in client.get("/").text
    make.kiosk(store, site_id=here.id, heard_at_ms=web.AFTERNOON_MS, clock_ahead_ms=ahead_ms)
    assert told in client.get("/").text
