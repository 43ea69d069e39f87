"""Catalogues: every sentence a person reads, by symbolic id, in Japanese, Easy Japanese and English.

The .po file is read as it is when a process starts, so there is no build step and nothing compiled to keep in step.
"""

import copy
import io
from collections.abc import Mapping, Sequence
from enum import StrEnum
from gettext import GNUTranslations
from importlib.resources.abc import Traversable
from typing import BinaryIO

from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po

from attendance.errors import WireError


class Language(StrEnum):
    """The languages there are; also the names of the .po files."""

    JA = "ja"
    JA_EASY = "ja_easy"
    EN = "en"

    @property
    def html(self) -> str:
        """The tag for HTML's `lang`: Easy Japanese is Japanese to a screen reader (BCP 47)."""
        return "en" if self is Language.EN else "ja"


class Catalogue:
    """One language's sentences; an id that is not there is a mistake in the program and raises KeyError."""

    def __init__(self, language: Language, po: BinaryIO) -> None:
        """Read a .po file. Raises: WireError when it is not one."""
        try:
            parsed = read_po(po, abort_invalid=True)
        except (PoFileError, ValueError) as error:
            raise WireError(f"catalogue {language}", str(error)) from error
        compiled = io.BytesIO()
        write_mo(compiled, parsed)
        compiled.seek(0)
        self.language = language
        self._translations = GNUTranslations(compiled)
        said = [entry for entry in parsed if entry.id and entry.string and not entry.fuzzy]
        self._counted = frozenset(entry.id[0] for entry in said if not isinstance(entry.id, str))
        self._forms = {
            entry.id if isinstance(entry.id, str) else entry.id[0]: _several(entry.string or "") for entry in said
        }
        self._own: Mapping[str, str] = {}
        self.ids = frozenset(self._forms)

    def text(self, message: str, **values: object) -> str:
        """Return the sentence with its `{values}` filled in. Raises: KeyError."""
        if message not in self.ids:
            raise KeyError(message)
        return (self._own.get(message) or self._translations.gettext(message)).format(**values)

    def counted(self, message: str, number: int, **values: object) -> str:
        """Return the sentence in the form that fits a number, which is also `{n}`. Raises: KeyError."""
        if message not in self._counted:
            raise KeyError(message)
        said = self._own.get(message) or self._translations.ngettext(message, message, number)
        return said.format(n=number, **values)

    def forms(self, message: str) -> tuple[str, ...]:
        """Return the sentence as the file has it, in its one form or in that of each number. Raises: KeyError."""
        return self._forms[message]

    def saying(self, own: Mapping[str, str]) -> "Catalogue":
        """Return this catalogue with some of its sentences, by id, in other words."""
        other = copy.copy(self)
        other._own = {**self._own, **own}
        return other


def _several(said: str | Sequence[str]) -> tuple[str, ...]:
    return (said,) if isinstance(said, str) else tuple(said)


Catalogues = Mapping[Language, Catalogue]
"""One catalogue for each language."""


def read_catalogues(folder: Traversable) -> Catalogues:
    """Return the catalogues of a package's `locale` folder. Raises: WireError when a file is not a catalogue."""
    return {
        language: Catalogue(language, io.BytesIO((folder / f"{language}.po").read_bytes())) for language in Language
    }
