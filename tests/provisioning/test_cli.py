import pytest
from click.testing import CliRunner

from provisioning import cli


def test_a_kiosk_without_the_demo_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda name: None)

    said = CliRunner().invoke(
        cli.main, ["demo", "--seconds", "20"], env={"LANG": "en_GB.UTF-8", "LC_ALL": "", "LC_MESSAGES": ""}
    )

    assert said.exit_code == 1
    assert "tadaima[demo]" in said.output


def test_the_demo_is_among_the_commands() -> None:
    said = CliRunner().invoke(cli.main, ["--help"])

    assert "demo" in said.output
    assert "enrol" in said.output
