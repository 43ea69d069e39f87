"""The server's sentences: the three .po files that ship beside this module."""

from functools import cache
from importlib import resources

from attendance.catalogue import Catalogues, read_catalogues


@cache
def catalogues() -> Catalogues:
    """Return the catalogues, read once in a process. Raises: WireError when a file is not a catalogue."""
    return read_catalogues(resources.files("server") / "locale")
