"""The kiosk's sentences: reads the three .po files that ship beside this module."""

from functools import cache
from importlib import resources

from attendance.catalogue import Catalogue, Catalogues, Language


@cache
def catalogues() -> Catalogues:
    """Return the kiosk's catalogues, read once in a process. Raises: WireError when a file is not a catalogue."""
    folder = resources.files("kiosk") / "locale"
    read = {}
    for language in Language:
        with (folder / f"{language}.po").open("rb") as po:
            read[language] = Catalogue(language, po)
    return read
