from pathlib import Path

import pytest
from click.testing import CliRunner

from provisioning.cli import main


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--folder", "."], "まだないフォルダー"),
        (["--json", "nowhere/report.json"], "nowhere"),
        (["--camera", "0", "--seconds", "20"], "--camera"),
    ],
)
def test_what_cannot_work_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], word: str
) -> None:
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(main, ["demo", *arguments])

    assert result.exit_code == 2
    assert word in result.output
    assert list(tmp_path.iterdir()) == []
