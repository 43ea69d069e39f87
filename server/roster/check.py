"""Checking a roster: pure, from text cells to typed rows, with every mistake named by row and column."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from email_validator import EmailNotValidError, validate_email

from attendance.catalogue import Catalogue, Catalogues, Language
from server.errors import RosterRefused
from server.roster.table import Sheet

REQUIRED = ("number", "name", "kana", "from_day")
OPTIONAL = ("school_class", "unit", "until_day", "weekdays")
GUARDIANS = (1, 2)
GUARDIAN_FIELDS = ("guardian_name", "guardian_email", "guardian_language", "guardian_consent")
EVERY_WEEKDAY = "1111100"

_Value = TypeVar("_Value")
_KANA = re.compile(r"[ぁ-ゖー・ ]+")  # hiragana block, long mark, middle dot
_NUMERIC_DATE = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_REIWA_DATE = re.compile(r"R(\d{1,2})[-/.](\d{1,2})[-/.](\d{1,2})", re.IGNORECASE)
_REIWA_OFFSET = 2018  # Reiwa 1 is 2019
_KATAKANA_TO_HIRAGANA = {code: code - 0x60 for code in range(ord("ァ"), ord("ヶ") + 1)}


@dataclass(frozen=True, slots=True)
class RosterGuardian:
    """A guardian as the office wrote them down."""

    name: str = field(repr=False)
    email: str = field(repr=False)
    language: Language
    consented_on: date | None


@dataclass(frozen=True, slots=True)
class RosterRow:
    """One child's row, checked."""

    row: int
    number: str
    name: str = field(repr=False)
    kana: str = field(repr=False)
    school_class: str
    unit: str
    from_day: date
    until_day: date | None
    weekdays: str
    """Seven digits from Monday, 1 where the child is expected."""
    guardians: tuple[RosterGuardian, ...]


class _Refused(Exception):
    """A cell's value is wrong; the text is the sentence to show."""


def check(sheet: Sheet, catalogues: Catalogues, words: Catalogue) -> tuple[RosterRow, ...]:
    """Return the rows. Raises: RosterRefused naming every mistake by row and column; nothing is half right."""
    places = _places(sheet.header, catalogues)
    missing = [_title(words, column) for column in REQUIRED if column not in places]
    if missing:
        raise RosterRefused([words.text("roster.missing_columns", columns=", ".join(missing))])
    problems: list[str] = []
    rows = [_row(number, cells, places, catalogues, words, problems) for number, cells in sheet.rows]
    checked = [row for row in rows if row is not None]
    problems += _duplicates(checked, words)
    if problems:
        raise RosterRefused(problems)
    return tuple(checked)


def columns() -> Iterator[str]:
    """Yield the codes of all columns, as catalogues name them after `roster.column.`."""
    yield from REQUIRED
    yield from OPTIONAL
    for number in GUARDIANS:
        for name in GUARDIAN_FIELDS:
            yield f"{name}_{number}"


def to_hiragana(text: str) -> str:
    """Return kana of any width as hiragana with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(_KATAKANA_TO_HIRAGANA).split())


def parse_day(text: str) -> date:
    """Return the day of 2026-04-01, 2026/4/1 or R8.4.1. Raises: ValueError."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if match := _NUMERIC_DATE.fullmatch(plain):
        year, month, day = (int(part) for part in match.groups())
    elif match := _REIWA_DATE.fullmatch(plain):
        year, month, day = (int(part) for part in match.groups())
        year += _REIWA_OFFSET
    else:
        msg = "not a date"
        raise ValueError(msg)
    return date(year, month, day)


def _places(header: tuple[str, ...], catalogues: Catalogues) -> dict[str, int]:
    """Return the place of each known column, whichever language its title is in."""
    titles = {
        _folded(catalogue.text(f"roster.column.{column}")): column
        for catalogue in catalogues.values()
        for column in columns()
    }
    places: dict[str, int] = {}
    for place, title in enumerate(header):
        column = titles.get(_folded(title))
        if column is not None:
            places.setdefault(column, place)
    return places


def _folded(title: str) -> str:
    return "".join(unicodedata.normalize("NFKC", title).lower().split())


def _title(words: Catalogue, column: str) -> str:
    return words.text(f"roster.column.{column}")


def _row(
    number: int,
    cells: tuple[str, ...],
    places: Mapping[str, int],
    catalogues: Catalogues,
    words: Catalogue,
    problems: list[str],
) -> RosterRow | None:
    before = len(problems)

    def raw(column: str) -> str:
        place = places.get(column)
        return cells[place] if place is not None and place < len(cells) else ""

    def cell(column: str, parse: Callable[[str], _Value], otherwise: _Value) -> _Value:
        try:
            return parse(raw(column))
        except _Refused as refusal:
            problems.append(words.text("roster.at", row=number, column=_title(words, column), problem=str(refusal)))
            return otherwise

    def needed_day(text: str) -> date | None:
        return _day(_needed(text, words), words)

    child_number = cell("number", lambda text: unicodedata.normalize("NFKC", _needed(text, words)), "")
    name = cell("name", lambda text: " ".join(_needed(text, words).split()), "")
    kana = cell("kana", lambda text: _kana(_needed(text, words), words), "")
    from_day = cell("from_day", needed_day, None)
    until_day = cell("until_day", lambda text: _day(text, words), None)
    weekdays = cell("weekdays", lambda text: _weekdays(text, catalogues, words), EVERY_WEEKDAY)
    if from_day and until_day and until_day < from_day:
        problem = words.text("roster.until_before_from")
        problems.append(words.text("roster.at", row=number, column=_title(words, "until_day"), problem=problem))
    guardians = []
    for index in GUARDIANS:
        email = cell(f"guardian_email_{index}", lambda text: _email(text, words), "")
        language = cell(f"guardian_language_{index}", lambda text: _language(text, words), Language.JA)
        consented_on = cell(f"guardian_consent_{index}", lambda text: _day(text, words), None)
        if email:
            guardians.append(RosterGuardian(raw(f"guardian_name_{index}"), email, language, consented_on))
    if len(problems) > before or from_day is None:
        return None
    return RosterRow(
        row=number,
        number=child_number,
        name=name,
        kana=kana,
        school_class=raw("school_class"),
        unit=raw("unit"),
        from_day=from_day,
        until_day=until_day,
        weekdays=weekdays,
        guardians=tuple(guardians),
    )


def _duplicates(rows: list[RosterRow], words: Catalogue) -> list[str]:
    often = {number for number, times in Counter(row.number for row in rows).items() if times > 1}
    return [
        words.text(
            "roster.at",
            row=row.row,
            column=_title(words, "number"),
            problem=words.text("roster.duplicate", value=row.number),
        )
        for row in rows
        if row.number in often
    ]


def _needed(text: str, words: Catalogue) -> str:
    if not text.strip():
        raise _Refused(words.text("roster.blank"))
    return text


def _kana(text: str, words: Catalogue) -> str:
    kana = to_hiragana(text)
    if not _KANA.fullmatch(kana):
        raise _Refused(words.text("roster.not_kana", value=text))
    return kana


def _day(text: str, words: Catalogue) -> date | None:
    if not text.strip():
        return None
    try:
        return parse_day(text)
    except ValueError as error:
        raise _Refused(words.text("roster.not_a_date", value=text)) from error


def _weekdays(text: str, catalogues: Catalogues, words: Catalogue) -> str:
    """Return the pattern of 月水金, Mon Wed Fri or 1010100; empty is every weekday."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if not plain:
        return EVERY_WEEKDAY
    if re.fullmatch("[01]{7}", plain):
        return plain
    for catalogue in catalogues.values():
        names = [name.lower() for name in catalogue.text("roster.weekdays").split()]
        found = re.findall("|".join(map(re.escape, names)), plain.lower())
        if found and not re.sub("|".join(map(re.escape, names)) + r"|[\s,、・/]", "", plain.lower()):
            return "".join("1" if name in found else "0" for name in names)
    raise _Refused(words.text("roster.not_weekdays", value=text))


def _email(text: str, words: Catalogue) -> str:
    plain = unicodedata.normalize("NFKC", text).strip()
    if not plain:
        return ""
    try:
        # Whether mail arrives is for the dispatcher to find out; an import must not hang on a name server.
        return validate_email(plain, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise _Refused(words.text("roster.not_email", value=text)) from error


def _language(text: str, words: Catalogue) -> Language:
    plain = _folded(text)
    if not plain:
        return Language.JA
    for language in Language:
        if plain in {language.value, _folded(words.text(f"roster.language.{language.value}"))}:
            return language
    known = ", ".join(words.text(f"roster.language.{language.value}") for language in Language)
    raise _Refused(words.text("roster.not_language", value=text, known=known))
