"""`tadaima-server roster import` and `cards tokens`, run as a person runs them."""

import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from attendance.catalogue import Language
from server.config import ServerSettings
from server.keys import make_secrets
from server.roster_cli import MOST_LINES, cards, roster
from server.store.engine import Store
from server.store.tables import audit, card, child, delivery, enrolment, guardian, guardianship, site, unit
from tests.server import factories as make

DEMO = Path(__file__).parents[2] / "provisioning" / "demo" / "roster.csv"
TITLES = "Number,Name,Kana,From,Class,Guardian 1 e-mail,Guardian 1 consent"
NAME = "Aoki Sakura"


@pytest.fixture
def settings(store: Store, store_url: str, tmp_path: Path) -> ServerSettings:
    make.site(store, code="HARU")
    make_secrets(tmp_path)
    return ServerSettings(data_dir=str(tmp_path), database_url=store_url, languages=(Language.EN,))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "roster.csv"
    write(path, row(1), row(2))
    return path


def row(number: int, *, kana: str = "あおき さくら", school_class: str = "1-1") -> str:
    return f"R8-{number},{NAME},{kana},2026-04-01,{school_class},g{number}@example.jp,2026-04-01"


def write(path: Path, *rows: str) -> None:
    path.write_text("\n".join([TITLES, *rows]) + "\n", encoding="utf-8")


def run(settings: ServerSettings, file: Path, *flags: str, site: str = "HARU") -> Result:
    return CliRunner().invoke(roster, ["import", str(file), "--site", site, *flags], obj=settings)


def everything(store_url: str) -> list[str]:
    """Every row of every table, as SQL."""
    connection = sqlite3.connect(store_url.removeprefix("sqlite:///"))
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_a_dry_run_says_what_would_change_and_writes_nothing(
    settings: ServerSettings, store_url: str, file: Path
) -> None:
    before = everything(store_url)
    said = run(settings, file)
    assert said.exit_code == 0, said.output
    assert said.output.splitlines() == [
        "New: 2 children (rows 2-3)",
        "Cards to issue: 2",
        "Nothing was written yet. If this is right, run it again with --apply.",
    ]
    assert everything(store_url) == before


def test_an_import_brings_children_guardians_and_cards(settings: ServerSettings, store: Store, file: Path) -> None:
    said = run(settings, file, "--apply")
    assert said.output.splitlines()[-1] == "Imported."
    counts = [len(make.rows(store, table)) for table in (child, enrolment, guardian, guardianship, card)]
    assert counts == [2, 2, 2, 2, 2]
    assert [(row.action, row.subject) for row in make.rows(store, audit)] == [("roster.import", "HARU")]


def test_the_same_file_again_changes_nothing(
    settings: ServerSettings, store: Store, store_url: str, file: Path
) -> None:
    run(settings, file, "--apply")
    before = [line for line in everything(store_url) if '"audit"' not in line]
    said = run(settings, file, "--apply")
    assert said.output.splitlines() == ["Unchanged: 2 children", "Imported."]
    assert [line for line in everything(store_url) if '"audit"' not in line] == before


def test_a_change_is_told_by_row_number_and_column_and_without_names(settings: ServerSettings, file: Path) -> None:
    run(settings, file, "--apply")
    write(file, row(1), row(2, school_class="2-1"))
    said = run(settings, file)
    assert "  Row 3, number R8-2: Class" in said.output.splitlines()
    assert NAME not in said.output


def test_one_wrong_row_of_two_hundred_leaves_every_table_as_it_was(
    settings: ServerSettings, store_url: str, file: Path
) -> None:
    rows = [row(number) for number in range(200)]
    rows[198] = row(198, kana="Sakura")
    write(file, *rows)
    before = everything(store_url)
    said = run(settings, file, "--apply")
    assert said.exit_code == 1
    assert said.stderr.splitlines() == [
        'Row 200, "Kana": "Sakura" is not kana. Write it in hiragana or katakana.',
        "Nothing was imported. Mend the place above and try again.",
    ]
    assert everything(store_url) == before


def test_a_flood_of_mistakes_is_cut_where_nobody_reads_on(settings: ServerSettings, file: Path) -> None:
    write(file, *(row(number, kana="x") for number in range(MOST_LINES + 7)))
    lines = run(settings, file).stderr.splitlines()
    assert len(lines) == MOST_LINES + 2
    assert lines[-2:] == [
        "  and 7 more",
        f"Nothing was imported. Mend the {MOST_LINES + 7} places above and try again.",
    ]


def test_a_site_nobody_knows_is_refused_and_nothing_is_written(
    settings: ServerSettings, store_url: str, file: Path
) -> None:
    before = everything(store_url)
    said = run(settings, file, "--apply", site="NATSU")
    assert said.exit_code == 1
    assert 'There is no site "NATSU"' in said.stderr
    assert everything(store_url) == before


def test_a_file_that_is_not_there_is_refused(settings: ServerSettings, tmp_path: Path) -> None:
    said = run(settings, tmp_path / "nothing.csv")
    assert said.exit_code == 1
    assert "nothing.csv was not found" in said.stderr


def test_a_column_that_means_nothing_is_told(settings: ServerSettings, file: Path) -> None:
    file.write_text("Number,Name,Kana,From,Untill\n1,A,あ,2026-04-01,2026-09-30\n", encoding="utf-8")
    assert "Columns not used: Untill (look whether their titles are right)" in run(settings, file).output


def test_the_demos_own_roster_can_be_imported(settings: ServerSettings, store: Store) -> None:
    assert run(settings, DEMO, "--apply").exit_code == 0
    assert len(make.rows(store, child)) == len(DEMO.read_text(encoding="utf-8").splitlines()) - 1
    assert make.rows(store, unit)
    assert not make.rows(store, delivery)


def test_tokens_are_printed_for_the_writer_of_tags_and_it_is_audited(
    settings: ServerSettings, store: Store, file: Path
) -> None:
    run(settings, file, "--apply")
    said = CliRunner().invoke(cards, ["tokens", "HARU"], obj=settings)
    tokens = {row.token for row in make.rows(store, card)}
    assert said.output.splitlines()[0] == "number,token"
    assert {line.split(",")[1] for line in said.output.splitlines()[1:]} == tokens
    assert make.rows(store, audit)[-1].action == "cards.tokens"
    assert len(make.rows(store, site)) == 1


def test_a_lost_card_is_replaced_by_the_childs_number(settings: ServerSettings, store: Store, file: Path) -> None:
    run(settings, file, "--apply")
    before = {row.token for row in make.rows(store, card)}
    said = CliRunner().invoke(cards, ["replace", "R8-1"], obj=settings)
    assert said.output == "1 card is no longer valid. Print the new one from the card sheet.\n"
    valid = {row.token for row in make.rows(store, card) if row.revoked_at_ms is None}
    assert (len(valid), len(valid - before)) == (2, 1)
    assert make.rows(store, audit)[-1].action == "cards.replace"


def test_a_card_of_a_number_nobody_has_is_not_replaced(settings: ServerSettings, store: Store, file: Path) -> None:
    run(settings, file, "--apply")
    said = CliRunner().invoke(cards, ["replace", "R8-9"], obj=settings)
    assert (said.exit_code, said.stderr) == (1, 'Error: No child has number "R8-9".\n')
    assert all(row.revoked_at_ms is None for row in make.rows(store, card))
