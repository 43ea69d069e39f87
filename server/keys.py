"""The server's secrets: three files of 32 random bytes in data_dir/secrets, made once, for their owner only."""

import contextlib
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from server.errors import StoreError

KEY_BYTES = 32
_FLASK, _NAMES, _UID = "flask.key", "names.key", "uid.key"


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """What the server must never show."""

    flask: bytes
    """Signs the cookies of staff and office."""
    names: bytes
    """Master from which each kiosk's key for sealed names is derived."""
    uid: bytes
    """The municipality's key for hashing the UIDs of cards; every enrolled kiosk has it."""


def make_secrets(data_dir: Path) -> Secrets:
    """Return the secrets, drawing those that are not there yet. Raises: StoreError when they cannot be written."""
    folder = _folder(data_dir)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in (_FLASK, _NAMES, _UID):
            _make(folder / name)
    except OSError as error:
        raise StoreError(f"{folder}: the secrets cannot be written ({error.strerror})") from error
    return load_secrets(data_dir)


def lost_secrets(data_dir: Path) -> list[Path]:
    """Return where secrets are missing."""
    return [path for name in (_FLASK, _NAMES, _UID) if not (path := _folder(data_dir) / name).exists()]


def load_secrets(data_dir: Path) -> Secrets:
    """Return the secrets. Raises: StoreError when one is missing, damaged or not readable."""
    folder = _folder(data_dir)
    return Secrets(flask=_read(folder / _FLASK), names=_read(folder / _NAMES), uid=_read(folder / _UID))


def _folder(data_dir: Path) -> Path:
    return data_dir / "secrets"


def _make(path: Path) -> None:
    """Write a key unless there is one; whole or not at all, also when several try at once."""
    if path.exists():
        return
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as draft:  # 0600, gone at the end
        draft.write(secrets.token_bytes(KEY_BYTES))
        draft.flush()
        os.fsync(draft.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft.name, path)


def _read(path: Path) -> bytes:
    try:
        key = path.read_bytes()
    except FileNotFoundError as error:
        advice = "restore it from a backup (docs/backup.md), or on a new server run tadaima-server init"
        raise StoreError(f"{path} is missing; {advice}") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); run as the user who owns it") from error
    if len(key) != KEY_BYTES:
        raise StoreError(f"{path} is damaged; restore it from a backup")
    return key
