"""What a roster's cells may hold, and how each mistake is told."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.catalogue import Language
from server.catalogues import catalogues
from server.errors import RosterRefused
from server.roster import cells
from server.roster.check import LONGEST, CheckedRoster, RosterRow, check
from server.roster.columns import columns, folded, title
from server.roster.table import Sheet
from server.store import tables

TODAY = date(2026, 4, 15)
WORDS = catalogues()[Language.EN]
GOOD = {"number": "R8-1", "name": "髙橋 花", "kana": "たかはし はな", "from_day": "2026-04-01"}


def checked(*rows: dict[str, str], language: Language = Language.EN) -> CheckedRoster:
    """The rows below titles in a language, each with good cells where nothing else is given."""
    names = list(dict.fromkeys(name for row in ({}, *rows) for name in (GOOD | row)))
    sheet = Sheet(
        header=tuple(title(catalogues()[language], name) for name in names),
        rows=tuple(
            (number, tuple((GOOD | row).get(name, "") for name in names)) for number, row in enumerate(rows, start=2)
        ),
    )
    return check(sheet, catalogues(), WORDS, TODAY)


def one(**cells: str) -> RosterRow:
    (row,) = checked(cells).rows
    return row


def problems(*rows: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(RosterRefused) as refused:
        checked(*rows)
    return refused.value.problems


def guardian(email: str = "g@example.jp", at: int = 1, **values: str) -> dict[str, str]:
    row = {"name": "Takahashi", "language": "ja", "consent": "2026-04-01"} | values
    return {f"guardian_{name}_{at}": value for name, value in row.items()} | {f"guardian_email_{at}": email}


@pytest.mark.parametrize("language", list(Language))
def test_titles_are_known_in_every_language(language: Language) -> None:
    (row,) = checked({"school_class": "1-1", "unit": "A", "weekdays": "1010100"}, language=language).rows
    assert (row.number, row.school_class, row.unit, row.weekdays) == ("R8-1", "1-1", "A", "1010100")


def test_no_title_means_two_columns() -> None:
    meanings: dict[str, set[str]] = {}
    for words in catalogues().values():
        for column in columns():
            meanings.setdefault(folded(title(words, column)), set()).add(column)
    assert {text: found for text, found in meanings.items() if len(found) > 1} == {}


def test_titles_are_known_with_wide_characters_and_spaces() -> None:
    sheet = Sheet(header=("Ｎｕｍｂｅｒ ", "name", "KANA", " From"), rows=((2, tuple(GOOD.values())),))
    assert len(check(sheet, catalogues(), WORDS, TODAY).rows) == 1


def test_missing_columns_are_named() -> None:
    sheet = Sheet(header=("Number", "Nickname"), rows=((2, ("1", "a")),))
    with pytest.raises(RosterRefused) as refused:
        check(sheet, catalogues(), WORDS, TODAY)
    assert refused.value.problems == ("The first row lacks these columns: Name, Kana, From",)


def test_a_column_that_is_there_twice_is_refused() -> None:
    sheet = Sheet(header=("Number", "Name", "Kana", "From", "番号"), rows=((2, ("1", "a", "あ", "2026-04-01", "2")),))
    with pytest.raises(RosterRefused) as refused:
        check(sheet, catalogues(), WORDS, TODAY)
    assert refused.value.problems == ("The first row has these columns twice: Number",)


def test_columns_that_mean_nothing_are_handed_back() -> None:
    sheet = Sheet(header=(*map(str.title, ("number", "name", "kana", "from")), "備考", ""), rows=())
    assert check(sheet, catalogues(), WORDS, TODAY).unused == ("備考",)


def test_a_comma_too_many_is_told() -> None:
    sheet = Sheet(header=("Number", "Name", "Kana", "From"), rows=((2, ("1", "a", "b", "あ", "2026-04-01")),))
    with pytest.raises(RosterRefused) as refused:
        check(sheet, catalogues(), WORDS, TODAY)
    assert refused.value.problems[0].startswith("Row 2: there are more cells than titles.")


@pytest.mark.parametrize("name", ["髙橋　花", "山﨑 花", "𠮷野家", "渡邊󠄁", "Ｓｍｉｔｈ", "か\u3099く", "ｻﾄｳ"])
def test_a_name_stays_as_it_is_to_the_very_character(name: str) -> None:
    assert one(name=name).name == name


@pytest.mark.parametrize(
    ("typed", "kana"),
    [
        ("ｻﾄｳ ﾊﾅ", "さとう はな"),
        ("サトウ　ハナ", "さとう はな"),
        ("ｶﾞﾌﾞﾘｴﾙ", "がぶりえる"),
        ("ヴァージニア・ウルフ", "ゔぁーじにあ・うるふ"),
        ("さとう  はな", "さとう はな"),
    ],
)
def test_kana_of_any_kind_and_width_becomes_hiragana(typed: str, kana: str) -> None:
    assert one(kana=typed).kana == kana


@pytest.mark.parametrize("typed", ["佐藤", "Sato", "さとう1", "1"])
def test_what_is_no_kana_is_refused(typed: str) -> None:
    assert problems({"kana": typed}) == (f'Row 2, "Kana": "{typed}" is not kana. Write it in hiragana or katakana.',)


@pytest.mark.parametrize(
    "typed",
    [
        *("2026-04-01", "2026/4/1", "2026.4.1", "２０２６／４／１", "2026年4月1日"),
        *("R8.4.1", "r8/4/1", "R08.04.01", "令和8年4月1日", "令和 8年 4月 1日"),
    ],
)
def test_a_day_is_read_as_offices_write_it(typed: str) -> None:
    assert one(from_day=typed).from_day == date(2026, 4, 1)


def test_the_first_year_of_an_era_has_a_name() -> None:
    assert one(from_day="令和元年5月1日").from_day == date(2019, 5, 1)


@pytest.mark.parametrize(
    "typed", ["2026-02-30", "R8.2.30", "2026-13-01", "R0.4.1", "0001-01-01", "9999-12-31", "4/1", "46113", "soon"]
)
def test_a_day_that_is_none_is_refused(typed: str) -> None:
    assert problems({"from_day": typed}) == (f'Row 2, "From": There is no day "{typed}". Write it like 2026-04-01.',)


def test_an_enrolment_that_ends_before_it_begins_is_refused() -> None:
    assert problems({"until_day": "2026-03-31"}) == ('Row 2, "Until": It is before the first day.',)
    assert one(until_day="2026-04-01").until_day == date(2026, 4, 1)


@pytest.mark.parametrize("column", ["number", "school_class", "unit"])
@pytest.mark.parametrize("typed", ["2026-01-01", "2026/1/1", "1月1日", "１月１日", "1-Jan", "Jan-01"])
def test_a_class_that_excel_made_a_date_of_is_refused(column: str, typed: str) -> None:
    (problem,) = problems({column: typed})
    assert "Excel seems to have made a date of it" in problem


def test_a_class_such_as_1_1_stays_what_it_is() -> None:
    assert one(school_class="1-1").school_class == "1-1"
    assert one(school_class="3/2").school_class == "3/2"


@pytest.mark.parametrize(
    ("typed", "pattern"),
    [
        ("", "1111100"),
        ("月水金", "1010100"),
        ("月・水・金", "1010100"),
        ("月、土", "1000010"),
        ("Mon Wed Fri", "1010100"),
        ("mon,sun", "1000001"),
        ("1010100", "1010100"),
        ("１０１０１００", "1010100"),
    ],
)
def test_weekdays_are_read_as_people_write_them(typed: str, pattern: str) -> None:
    assert one(weekdays=typed).weekdays == pattern


@pytest.mark.parametrize("typed", ["月曜日", "月~金", "every day", "0000000", "11111", "月Mon"])
def test_weekdays_that_could_be_misread_are_refused(typed: str) -> None:
    (problem,) = problems({"weekdays": typed})
    assert "are not weekdays" in problem


def test_a_number_is_the_same_however_wide_it_is_typed() -> None:
    assert one(number="Ｒ８－００１").number == "R8-001"
    assert len(problems({"number": "R8-001"}, {"number": "Ｒ８－００１"})) == 2


def test_a_number_that_stands_twice_names_each_row_by_the_other() -> None:
    assert problems({"number": "7"}, {"number": "8"}, {"number": "7"}) == (
        'Row 2, "Number": Number "7" is in row 4 too.',
        'Row 4, "Number": Number "7" is in row 2 too.',
    )


def test_a_number_that_stands_twice_is_told_beside_other_mistakes_of_its_row() -> None:
    assert len(problems({"number": "7", "kana": "x"}, {"number": "7"})) == 3


@pytest.mark.parametrize("column", ["number", "name", "kana", "from_day"])
def test_an_empty_cell_that_must_be_filled_is_named(column: str) -> None:
    (problem,) = problems({column: " \u3000"})
    assert problem == f'Row 2, "{title(WORDS, column)}": It is empty. Fill it in.'


@pytest.mark.parametrize("column", ["name", "school_class", "unit", "guardian_name_1"])
def test_a_line_break_in_a_cell_is_refused(column: str) -> None:
    (problem,) = problems({column: "a\nb"})
    assert "line break" in problem


@pytest.mark.parametrize(
    ("column", "typed"),
    [("number", "1" * 41), ("name", "a" * 101), ("kana", "あ" * 101), ("school_class", "a" * 41), ("unit", "a" * 101)],
)
def test_what_the_store_has_no_room_for_is_refused(column: str, typed: str) -> None:
    (problem,) = problems({column: typed})
    assert "too long" in problem


def test_the_room_is_what_the_store_has() -> None:
    known = {
        "number": tables.child.c.number,
        "name": tables.child.c.name,
        "kana": tables.child.c.kana,
        "school_class": tables.child.c.school_class,
        "unit": tables.unit.c.name,
        "guardian": tables.guardian.c.name,
        "email": tables.guardian.c.email,
    }
    room: dict[str, Any] = {name: column.type for name, column in known.items()}
    assert {name: kind.length for name, kind in room.items()} == LONGEST


def test_all_mistakes_are_told_at_once_from_the_top() -> None:
    told = problems({"kana": "x", "from_day": "y"}, {"number": "1"}, {"number": "1", "name": ""}, {"number": "1"})
    assert [problem.split(",")[0] for problem in told] == ["Row 2", "Row 2", "Row 3", "Row 4", "Row 4", "Row 5"]


def test_guardians_are_read_with_language_and_consent() -> None:
    row = one(**guardian(language="Easy Japanese"), **guardian("h@example.jp", at=2, language="英語", consent=""))
    first, second = row.guardians
    assert (first.name, first.email, first.language) == ("Takahashi", "g@example.jp", Language.JA_EASY)
    assert first.consented_on == date(2026, 4, 1)
    assert (second.language, second.consented_on) == (Language.EN, None)


def test_a_guardian_without_an_address_is_nobody_to_write_to() -> None:
    assert one(**guardian("", consent="")).guardians == ()


def test_consent_without_an_address_is_a_mistake() -> None:
    (problem,) = problems(guardian(""))
    assert problem == 'Row 2, "Guardian 1 e-mail": There is a day of consent and no e-mail address.'


def test_consent_cannot_be_given_on_a_day_to_come() -> None:
    tomorrow = TODAY + timedelta(days=1)
    (problem,) = problems(guardian(consent=tomorrow.isoformat()))
    assert "is a day to come" in problem
    assert one(**guardian(consent=TODAY.isoformat())).guardians[0].consented_on == TODAY


@pytest.mark.parametrize("typed", ["g＠example.jp", " g@EXAMPLE.jp "])
def test_an_address_is_read_as_people_type_it(typed: str) -> None:
    assert one(**guardian(typed)).guardians[0].email == "g@example.jp"


@pytest.mark.parametrize("typed", ["taro..yamada@docomo.ne.jp", "taro.@ezweb.ne.jp"])
def test_an_address_as_japanese_carriers_once_gave_them_is_taken(typed: str) -> None:
    assert one(**guardian(typed)).guardians[0].email == typed


@pytest.mark.parametrize(
    "typed", ["g", "g@", "@example.jp", "g@localhost", "a b@example.jp", "g@example.jp,h@example.jp", "太郎@example.jp"]
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    (problem,) = problems(guardian(typed))
    assert problem == f'Row 2, "Guardian 1 e-mail": "{typed}" is not an e-mail address.'


def test_a_language_that_is_not_offered_is_refused_with_those_that_are() -> None:
    (problem,) = problems(guardian(language="Klingon"))
    assert "Known: Japanese, Easy Japanese, English" in problem


def test_siblings_share_a_guardian() -> None:
    rows = checked({"number": "1"} | guardian(), {"number": "2"} | guardian(at=2)).rows
    assert rows[0].guardians == rows[1].guardians


@pytest.mark.parametrize("other", [{"consent": ""}, {"name": "Tanaka"}, {"language": "en"}])
def test_siblings_rows_that_disagree_on_a_guardian_are_refused(other: dict[str, str]) -> None:
    (problem,) = problems({"number": "1"} | guardian(), {"number": "2"} | guardian("G@example.jp", 1, **other))
    assert problem == (
        'Row 3, "Guardian 1 e-mail": "G@example.jp" has another name, language or consent in row 2. '
        "Make them the same if it is one guardian."
    )


@given(st.sampled_from(sorted(columns())), st.text())
def test_any_text_in_any_cell_is_read_or_refused_by_row_and_column(column: str, text: str) -> None:
    try:
        told: tuple[str, ...] = ()
        checked({column: text})
    except RosterRefused as refused:
        told = refused.problems
    assert [problem for problem in told if not problem.startswith("Row 2, ")] == []


@given(st.dates(date(1900, 1, 1), date(2199, 12, 31)))
def test_every_day_is_read_back(day: date) -> None:
    assert cells.parse_day(day.isoformat()) == day
    assert cells.parse_day(f"{day.year}年{day.month}月{day.day}日") == day


def test_rows_show_no_name_and_no_address() -> None:
    assert "髙橋" not in repr(one(**guardian()))
    assert "example.jp" not in repr(one(**guardian()))
