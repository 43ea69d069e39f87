"""Which version of Tadaima runs here."""

from functools import cache
from importlib import metadata


@cache
def version() -> str:
    """Return the version as installed."""
    return metadata.version("tadaima")
