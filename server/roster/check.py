"""Checking a roster: pure, from text cells to typed rows, with every mistake named by row and column."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from attendance.catalogue import Catalogue, Catalogues, Language
from server.errors import RosterRefused
from server.roster import cells
from server.roster.cells import CellRefused
from server.roster.columns import GUARDIANS, find_places, title
from server.roster.table import Line, Sheet

_Value = TypeVar("_Value")

LONGEST = {"number": 40, "name": 100, "kana": 100, "school_class": 40, "unit": 100, "guardian": 100, "email": 254}
"""Characters that the columns of the store hold."""


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


@dataclass(frozen=True, slots=True)
class CheckedRoster:
    """A file without mistakes."""

    rows: tuple[RosterRow, ...]
    unused: tuple[str, ...]
    """Titles of columns that mean nothing to us, for a person to look at."""


def check(sheet: Sheet, catalogues: Catalogues, words: Catalogue, today: date) -> CheckedRoster:
    """Return the rows. Raises: RosterRefused naming every mistake by row and column; nothing is half right."""
    places = find_places(sheet.header, catalogues)
    for code, wrong in (("missing_columns", places.missing), ("columns_twice", places.twice)):
        if wrong:
            raise RosterRefused([words.text(f"roster.{code}", columns=_list(words, wrong))])
    checker = _Checker(catalogues, words, today, places.of, len(sheet.header))
    rows = [row for line in sheet.rows if (row := checker.row(line)) is not None]
    checker.find_duplicates()
    checker.find_conflicts(rows)
    if checker.problems:
        raise RosterRefused([sentence for _, sentence in sorted(checker.problems, key=lambda problem: problem[0])])
    return CheckedRoster(rows=tuple(rows), unused=places.unused)


@dataclass(slots=True)
class _Checker:
    """Reads row after row and collects what is wrong, each with its row for the order they are told in."""

    catalogues: Catalogues
    words: Catalogue
    today: date
    places: Mapping[str, int]
    width: int
    problems: list[tuple[int, str]] = field(default_factory=list)
    numbered: dict[str, list[int]] = field(default_factory=dict)
    """The rows of each number, whatever else is wrong in them."""

    def row(self, line: Line) -> RosterRow | None:
        before = len(self.problems)
        if any(line[1][self.width :]):
            self.problems.append((line[0], self.words.text("roster.too_many_cells", row=line[0])))
        number = self.cell(line, "number", lambda text: cells.number(text, LONGEST["number"]))
        if number:
            self.numbered.setdefault(number, []).append(line[0])
        name = self.cell(line, "name", lambda text: cells.plain(cells.needed(text), LONGEST["name"]))
        kana = self.cell(line, "kana", lambda text: cells.kana(text, LONGEST["kana"]))
        school_class = self.cell(line, "school_class", lambda text: cells.label(text, LONGEST["school_class"]))
        unit = self.cell(line, "unit", lambda text: cells.label(text, LONGEST["unit"]))
        from_day = self.cell(line, "from_day", lambda text: cells.day(cells.needed(text)))
        until_day = self.cell(line, "until_day", cells.day)
        weekdays = self.cell(line, "weekdays", lambda text: cells.weekdays(text, self.catalogues))
        guardians = [self._guardian(line, index) for index in GUARDIANS]
        if from_day and until_day and until_day < from_day:
            self.refuse(line[0], "until_day", CellRefused("until_before_from"))
        if len(self.problems) > before or not (number and name and kana and from_day and weekdays):
            return None
        return RosterRow(
            row=line[0],
            number=number,
            name=name,
            kana=kana,
            school_class=school_class or "",
            unit=unit or "",
            from_day=from_day,
            until_day=until_day,
            weekdays=weekdays,
            guardians=tuple(guardian for guardian in guardians if guardian is not None),
        )

    def _guardian(self, line: Line, index: int) -> RosterGuardian | None:
        name = self.cell(line, f"guardian_name_{index}", lambda text: cells.plain(text, LONGEST["guardian"]))
        email = self.cell(line, f"guardian_email_{index}", lambda text: cells.email(text, LONGEST["email"]))
        language = self.cell(line, f"guardian_language_{index}", lambda text: cells.language(text, self.catalogues))
        consented_on = self.cell(line, f"guardian_consent_{index}", lambda text: cells.past_day(text, self.today))
        if consented_on and email == "":
            self.refuse(line[0], f"guardian_email_{index}", CellRefused("email_wanted"))
        if not email:
            return None
        return RosterGuardian(name or "", email, language or Language.JA, consented_on)

    def cell(self, line: Line, column: str, parse: Callable[[str], _Value]) -> _Value | None:
        """Return what stands in a column of a row, or None when it is refused."""
        row, texts = line
        place = self.places.get(column, len(texts))
        try:
            return parse(texts[place] if place < len(texts) else "")
        except CellRefused as refusal:
            self.refuse(row, column, refusal)
            return None

    def find_duplicates(self) -> None:
        """Refuse every row of a number that stands in more than one."""
        for number, rows in self.numbered.items():
            for row in rows if len(rows) > 1 else ():
                others = ", ".join(str(other) for other in rows if other != row)
                self.refuse(row, "number", CellRefused("duplicate", value=number, rows=others))

    def find_conflicts(self, rows: Sequence[RosterRow]) -> None:
        """Refuse a guardian of several children who is described differently: which of them is right?"""
        first: dict[str, tuple[int, RosterGuardian]] = {}
        for row in rows:
            for guardian in row.guardians:
                other_row, other = first.setdefault(guardian.email.lower(), (row.row, guardian))
                if guardian != other:
                    refusal = CellRefused("guardian_differs", value=guardian.email, row=other_row)
                    self.refuse(row.row, f"guardian_email_{1 + row.guardians.index(guardian)}", refusal)

    def refuse(self, row: int, column: str, refusal: CellRefused) -> None:
        values = {"known": self._known_languages()} if refusal.code == "not_language" else {}
        problem = self.words.text(f"roster.{refusal.code}", **refusal.values, **values)
        self.problems.append(
            (row, self.words.text("roster.at", row=row, column=title(self.words, column), problem=problem))
        )

    def _known_languages(self) -> str:
        return ", ".join(self.words.text(f"roster.language.{each}") for each in Language)


def _list(words: Catalogue, codes: Sequence[str]) -> str:
    return ", ".join(title(words, code) for code in codes)
