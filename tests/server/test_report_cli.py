"""`tadaima-server report daily`, run as a person runs it."""

import json
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


def test_a_file_is_written_where_it_is_wanted_and_each_site_is_audited(
    store: Store, settings: ServerSettings, tmp_path: Path
) -> None:
    for code in "AB":
        make.site(store, code=code)
    out = tmp_path / "day.xlsx"
    said = run(settings, "--format", "xlsx", "--out", str(out))
    assert (said.exit_code, said.output) == (0, "")
    assert out.read_bytes().startswith(b"PK")
    audited = [(row.who, row.action, row.subject) for row in make.rows(store, audit)]
    assert audited == [("command", "report.daily", "A 2026-04-15"), ("command", "report.daily", "B 2026-04-15")]


def test_csv_is_what_is_written_when_nothing_else_is_asked_for(store: Store, settings: ServerSettings) -> None:
    make.site(store, code="HARU")
    lines = run(settings).stdout_bytes.decode("utf-8-sig").splitlines()
    assert lines[0].startswith("日付,拠点コード,拠点,支援の単位,利用人数")
    assert lines[1].startswith("2026-04-15,HARU,")


def test_what_cp932_cannot_write_is_listed_and_told_by_the_exit_status(store: Store, settings: ServerSettings) -> None:
    site = make.site(store, code="HARU")
    child = make.child(store, at=site.id, name="𠮷野 花")
    make.movement(store, site_id=site.id, child_id=child.id)
    said = run(settings, "--table", "children", "--encoding", "cp932")
    assert said.exit_code == INCOMPLETE
    assert "〓野 花" in said.stdout_bytes.decode("cp932")
    first, last = said.stderr.splitlines()
    assert first == "2 行目「氏名」: 「𠮷」（U+20BB7）は書けないので「〓」にしました。"
    assert "utf-8-sig" in last


def test_a_site_nobody_knows_is_refused(settings: ServerSettings, store: Store) -> None:
    said = run(settings, "--site", "NATSU")
    assert (said.exit_code, said.stdout) == (1, "")
    assert "NATSU" in said.stderr
    assert make.rows(store, audit) == []


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
def test_a_day_that_can_have_no_records_is_refused(settings: ServerSettings, store: Store, day: str) -> None:
    said = CliRunner().invoke(report, ["daily", "--day", day], obj=settings)
    assert (said.exit_code, said.stdout) == (2, "")
    assert day in said.stderr
    assert make.rows(store, audit) == []


def test_today_is_meant_when_no_day_is_given(settings: ServerSettings, store: Store) -> None:
    make.site(store)
    said = CliRunner().invoke(report, ["daily", "--format", "json"], obj=settings)
    (action,) = make.rows(store, audit)
    assert action.subject.endswith(json.loads(said.stdout_bytes)["day"])


def test_a_file_that_cannot_be_written_is_told(store: Store, settings: ServerSettings, tmp_path: Path) -> None:
    make.site(store)
    said = run(settings, "--out", str(tmp_path / "no-such-folder" / "day.csv"))
    assert said.exit_code == 1
    assert "書き込めません" in said.stderr


def test_all_sites_are_reported_when_none_is_named(store: Store, settings: ServerSettings) -> None:
    make.site(store, code="B")
    make.site(store, code="A")
    assert [each["site"] for each in sites(run(settings, "--format", "json"))] == ["A", "B"]
