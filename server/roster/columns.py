"""The columns of a roster file: their codes, and finding them by title in any of the languages; pure."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from attendance.catalogue import Catalogue, Catalogues

REQUIRED = ("number", "name", "kana", "from_day")
OPTIONAL = ("school_class", "unit", "until_day", "weekdays")
GUARDIANS = (1, 2)
GUARDIAN_FIELDS = ("guardian_name", "guardian_email", "guardian_language", "guardian_consent")


@dataclass(frozen=True, slots=True)
class Places:
    """Where the columns of a file stand."""

    of: dict[str, int]
    """Place by code."""
    missing: tuple[str, ...]
    """Codes of the columns that must be there and are not."""
    twice: tuple[str, ...]
    """Codes of the columns that are there more than once."""
    unused: tuple[str, ...]
    """Titles that mean nothing to us."""


def columns() -> Iterator[str]:
    """Yield the codes of all columns, as catalogues name them after `roster.column.`."""
    yield from REQUIRED
    yield from OPTIONAL
    for number in GUARDIANS:
        for name in GUARDIAN_FIELDS:
            yield f"{name}_{number}"


def find_places(header: tuple[str, ...], catalogues: Catalogues) -> Places:
    """Return the place of each known column, whichever language its title is in."""
    titles = {folded(title(words, column)): column for words in catalogues.values() for column in columns()}
    found: dict[str, int] = {}
    twice, unused = [], []
    for place, text in enumerate(header):
        column = titles.get(folded(text))
        if column is None:
            unused.append(text)
        elif column in found:
            twice.append(column)
        else:
            found[column] = place
    return Places(
        of=found,
        missing=tuple(column for column in REQUIRED if column not in found),
        twice=tuple(twice),
        unused=tuple(text for text in unused if text),
    )


def title(words: Catalogue, column: str) -> str:
    """Return the title of a column in a language."""
    return words.text(f"roster.column.{column}")


def folded(text: str) -> str:
    """Return a title or a choice without what people type differently: width, case, spaces."""
    return "".join(unicodedata.normalize("NFKC", text).lower().split())
