"""`tadaima-server report daily`, run as a person runs it."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from attendance.catalogue import Language
from server.config import ServerSettings
from server.report_cli import INCOMPLETE, report
from server.store.engine import Store
from server.store.tables import audit
from tests.server import factories as make

MINUTE_MS = 60_000


@pytest.fixture
def settings(store_url: str) -> ServerSettings:
    return ServerSettings(database_url=store_url, languages=(Language.JA,))


def run(settings: ServerSettings, *arguments: str) -> Result:
    return CliRunner().invoke(report, ["daily", "--day", "2026-04-15", *arguments], obj=settings)


def sites(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout_bytes)["sites"]
    return found


def test_json_counts_movements_that_were_not_taken_back(store: Store, settings: ServerSettings) -> None:
    site = make.site(store, code="HARU")
    stays, leaves, mistaken = (make.child(store, at=site.id) for _ in range(3))
    for each in (stays, leaves):
        make.movement(store, site_id=site.id, child_id=each.id)
    make.movement(store, site_id=site.id, child_id=leaves.id, direction="exit", at_ms=make.NOON_MS + 90 * MINUTE_MS)
    make.movement(store, site_id=site.id, child_id=mistaken.id, undone_at_ms=make.NOON_MS)
    make.unknown_card(store, site_id=site.id)
    (found,) = sites(run(settings, "--site", "HARU", "--format", "json"))
    counted = {name: found[name] for name in ("entries", "exits", "unknown_cards", "present_ever", "still_in")}
    assert counted == {"entries": 2, "exits": 1, "unknown_cards": 1, "present_ever": 2, "still_in": 1}


def test_all_sites_are_reported_when_none_is_named(store: Store, settings: ServerSettings) -> None:
    make.site(store, code="B")
    make.site(store, code="A")
    assert [each["site"] for each in sites(run(settings, "--format", "json"))] == ["A", "B"]
