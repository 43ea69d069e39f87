"""A process's word on how it is, for the other processes: a small file in the runtime folder, whole or not there."""

import logging
from pathlib import Path
from typing import TypeVar

import msgspec

log = logging.getLogger(__name__)

_Status = TypeVar("_Status", bound=msgspec.Struct)


class StatusFile:
    """Writes the file of one process. Thread: one at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._well = True

    def write(self, status: msgspec.Struct) -> None:
        """Put a status in the place of the last; what fails is logged once."""
        making = self._path.with_suffix(".new")
        try:
            making.write_bytes(msgspec.json.encode(status))
            making.replace(self._path)
        except OSError as error:
            if self._well:
                log.error("status file unwritable file=%s reason=%r", self._path.name, error.strerror)  # noqa: TRY400 - once
            self._well = False
        else:
            self._well = True


def read_status(path: Path, kind: type[_Status]) -> _Status | None:
    """Return the last status; None when there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None
