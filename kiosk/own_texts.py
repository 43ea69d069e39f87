"""Texts of a site's own for the child's screen: what must be so for them to fit in the catalogue's place. Pure."""

import difflib
import string
import unicodedata
from collections.abc import Iterator, Mapping

from attendance.catalogue import Catalogue

SCREEN = "screen."
"""How the ids of the screen's texts begin; no others can be replaced."""
_WIDE_SPACE = chr(0x3000)
"""The space of Japanese keyboards; for Python it is not printable."""
_GROWTH = 1.5
_ALWAYS = (12.0, 10.0)
"""Width of a text and of its longest piece without a space that the page has room for; it shrinks its words."""
_NOT_SHRUNK = {
    "screen.choose.entry": (6.0, 5.0),
    "screen.choose.exit": (6.0, 5.0),
    "screen.present": (6.0, 5.0),
    "screen.undo": (8.0, 8.0),
}
"""The same of what is as large as it is."""


def problems(words: Catalogue, texts: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each text that could break an answer or not be read on it."""
    for message, text in texts.items():
        where = f'texts."{message}"'
        if message not in words.ids or not message.startswith(SCREEN):
            near = difflib.get_close_matches(message, [known for known in words.ids if known.startswith(SCREEN)], n=1)
            hint = f"did you mean {near[0]!r}?" if near else "docs/kiosk-settings.md lists them"
            yield f"{where}: no such text; {hint}"
        elif problem := _problem(words, message, text):
            yield f"{where}: {problem}"


def _problem(words: Catalogue, message: str, text: str) -> str:
    """What is wrong with a text; empty for nothing."""
    wanted = {name for form in words.forms(message) for name in _fields(form)}
    try:
        given = _fields(text)
    except ValueError as error:
        return f"{error}; a brace that is to be read is written twice"
    if given != wanted:
        return f"must hold {_listed(wanted)} and no other" if wanted else f"has no place for {_listed(given)}"
    if not text.strip() or not text.replace(_WIDE_SPACE, " ").isprintable():
        return "must be one line of letters"
    longest, piece = room(words, message)
    if width(text) > longest:
        return f"too long by {width(text) - longest:g}; {longest:g} full-width letters fit, half-width ones count half"
    if max(map(width, text.split())) > piece:
        return f"set spaces where a line may break, one each {piece:g} full-width letters at most"
    return ""


def room(words: Catalogue, message: str) -> tuple[float, float]:
    """Return how wide a text and its longest piece without a space may be.

    The text that ships is the measure: the page was made for it.
    """
    always, shipped = _NOT_SHRUNK.get(message, _ALWAYS), words.forms(message)
    return (
        max(always[0], _GROWTH * max(map(width, shipped))),
        max(always[1], *(width(piece) for form in shipped for piece in form.split())),
    )


def width(text: str) -> float:
    """Return the width of a text without its placeholders, in full-width letters."""
    literal = "".join(piece for piece, *_ in string.Formatter().parse(text))
    return sum(1.0 if unicodedata.east_asian_width(letter) in "WFA" else 0.5 for letter in literal)


def _fields(text: str) -> set[str]:
    """The placeholders, with whatever is asked of them. Raises: ValueError for braces that match nothing."""
    parsed = string.Formatter().parse(text)
    return {
        f"{name}{f'!{conversion}' if conversion else ''}{f':{form}' if form else ''}"
        for _, name, form, conversion in parsed
        if name is not None
    }


def _listed(names: set[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names))
