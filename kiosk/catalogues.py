"""The kiosk's sentences: the three .po files that ship beside this module, and a site's own texts over them."""

from collections.abc import Mapping
from functools import cache
from importlib import resources

from attendance.catalogue import Catalogues, Language, read_catalogues


@cache
def catalogues() -> Catalogues:
    """Return the catalogues, read once in a process. Raises: WireError when a file is not a catalogue."""
    return read_catalogues(resources.files("kiosk") / "locale")


def with_own_texts(language: Language, texts: Mapping[str, str]) -> Catalogues:
    """Return the catalogues with a site's own texts in that language."""
    shipped = catalogues()
    return {**shipped, language: shipped[language].saying(texts)}
