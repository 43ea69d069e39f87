from pathlib import Path

import pytest
from playwright.sync_api import Browser

from bench import painted


def test_every_tap_is_followed_from_the_field_to_the_frame_that_shows_it(browser: Browser) -> None:
    stations, error_ms = painted.measure(browser, 3)
    assert len(stations) == 3
    assert all(0 < tap.read_ms <= tap.sent_ms <= tap.painted_ms + error_ms for tap in stations)


def test_a_page_that_asks_once_a_second_shows_answers_too(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painted, "SEEN_S", 1.2)
    stations, _ = painted.measure(browser, 2, painted._ASK_EACH_SECOND)
    assert all(tap.sent_ms < tap.painted_ms for tap in stations)


def test_without_a_chromium_the_row_is_there_and_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painted, "CHROMIUM", Path("/nowhere"))
    (row,) = painted.rows(1, 1)
    assert (row.value, row.bar) == (None, painted.BAR_MS)
