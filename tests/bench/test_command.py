import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bench.__main__ import AREAS, main
from bench.figure import Row, measured


def offer(monkeypatch: pytest.MonkeyPatch, area: str, *rows: Row) -> None:
    module = ModuleType(f"bench.{area}")
    module.run = lambda *, quick: [measured("quick", float(quick), "", better="higher"), *rows]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, f"bench.{area}", module)


def test_an_area_is_measured_shown_and_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    offer(monkeypatch, "tap", measured("tap to commit", 16.0, "ms", bar=50.0))
    file = tmp_path / "rows.json"
    assert main(["tap", "--quick", "--json", str(file)]) == 0
    assert "tap to commit" in capsys.readouterr().out
    assert [(row["figure"], row["value"]) for row in json.loads(file.read_text())] == [
        ("quick", 1.0),
        ("tap to commit", 16.0),
    ]


def test_a_missed_bar_fails_the_command_and_is_named_and_still_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    offer(monkeypatch, "tap", measured("tap to commit", 60.0, "ms", bar=50.0))
    file = tmp_path / "rows.json"
    assert main(["tap", "--json", str(file)]) == 1
    assert "tap to commit" in capsys.readouterr().err
    assert json.loads(file.read_text())[1]["holds"] is False


def test_all_measures_every_area(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for area in AREAS:
        offer(monkeypatch, area, measured(f"{area} figure", 1.0, "s"))
    assert main(["all"]) == 0
    out = capsys.readouterr().out
    assert all(f"{area} figure" in out for area in AREAS)


def test_an_unknown_area_is_answered_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["taps"])
    answer = capsys.readouterr().err
    assert all(area in answer for area in ("tap", "reading", "ingest", "all"))
