"""The children's names, unsealed in memory only: the pack is in the cache, its key on a tmpfs."""

import logging
from collections.abc import Mapping
from pathlib import Path

from attendance.errors import WireError
from attendance.names import unseal
from attendance.roster import DisplayName
from kiosk.roster_cache import RosterCache

log = logging.getLogger(__name__)


class NameBook:
    """Looks names up, and reads pack and key again when either changed. Thread: one at a time."""

    def __init__(self, cache: RosterCache, key_path: Path) -> None:
        self._cache = cache
        self._key_path = key_path
        self._read_from: tuple[int | None, str] | None = None
        self._names: dict[str, DisplayName] = {}

    def name_of(self, child: str) -> DisplayName | None:
        """Return a child's name, or None when the kiosk does not know names. Raises: CacheError."""
        return self.names().get(child)

    def names(self) -> Mapping[str, DisplayName]:
        """Return the names that are known, by child; none before the first contact of a boot. Raises: CacheError."""
        source = self._key_changed_ns(), self._cache.versions()[0]
        if source != self._read_from:
            self._names = self._unsealed()
            self._read_from = source
        return self._names

    def _key_changed_ns(self) -> int | None:
        try:
            return self._key_path.stat().st_mtime_ns
        except OSError:
            return None

    def _unsealed(self) -> dict[str, DisplayName]:
        pack = self._cache.sealed_names()
        try:
            key = self._key_path.read_bytes()
        except OSError:
            return {}
        if pack is None:
            return {}
        try:
            return unseal(pack, key)
        except WireError as error:
            log.warning("names stay sealed reason=%s", error.reason)
            return {}
