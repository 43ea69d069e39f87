"""What is in a backup: the parts and a list of their hashes, as a compressed tar that age encrypts. Pure but for files.

The age format (age-encryption.org/v1) can be opened with tools other than ours, in twenty years too.
"""

import hashlib
import os
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

import msgspec

from server.errors import BackupRefused

MANIFEST = "manifest.json"
DATABASE = "tadaima.db"
SECRETS = "secrets"
FORMAT = 1
_CHUNK_BYTES = 1 << 20


class Manifest(msgspec.Struct, frozen=True):
    """The first member of the tar."""

    format: int
    made_at_ms: int
    app: str
    parts: dict[str, str]
    """Name to SHA-256, in hexadecimal."""


def pack(parts: Mapping[str, Path], to: Path, *, made_at_ms: int, app: str) -> None:
    """Write the parts, by their names in the backup, to a tar file. Raises: OSError."""
    manifest = Manifest(
        format=FORMAT, made_at_ms=made_at_ms, app=app, parts={name: hash_of(path) for name, path in parts.items()}
    )
    listed = to.with_name(MANIFEST)
    listed.write_bytes(msgspec.json.encode(manifest))
    with tarfile.open(to, "w:gz", compresslevel=6) as tar:
        tar.add(listed, MANIFEST)
        for name, path in parts.items():
            tar.add(path, name)


def unpack(tarred: Path, folder: Path) -> Manifest:
    """Write the parts below a folder, and return what the backup says of itself once every hash was found to fit.

    Raises: BackupRefused for what is no backup of ours or is damaged, OSError.
    """
    try:
        with tarfile.open(tarred, "r:gz") as tar:
            manifest = _manifest(tar)
            for name in manifest.parts:
                part = tar.extractfile(_member(tar, name))
                assert part is not None, "a regular file"
                _write(part, folder / name)
    except (tarfile.TarError, EOFError, KeyError, msgspec.DecodeError, ValueError) as error:
        raise BackupRefused(f"the backup is damaged: {error}") from error
    wrong = [name for name, wanted in manifest.parts.items() if hash_of(folder / name) != wanted]
    if wrong:
        raise BackupRefused(f"the backup is damaged: {', '.join(wrong)} does not have the content it had")
    return manifest


def _manifest(tar: tarfile.TarFile) -> Manifest:
    first: Any = tar.extractfile(_member(tar, MANIFEST))
    manifest = msgspec.json.decode(first.read(), type=Manifest)
    if manifest.format != FORMAT:
        raise BackupRefused(f"the backup is of format {manifest.format}; a newer Tadaima can read it")
    strange = [name for name in manifest.parts if not _is_ours(name)]
    if strange or DATABASE not in manifest.parts:
        raise BackupRefused("the backup does not hold what a backup of Tadaima holds")
    return manifest


def _member(tar: tarfile.TarFile, name: str) -> tarfile.TarInfo:
    member = tar.getmember(name)
    if not member.isfile():
        raise BackupRefused("the backup does not hold what a backup of Tadaima holds")
    return member


def _is_ours(name: str) -> bool:
    """Whether a name can only mean the database or a secret: the file may come from anybody."""
    parts = PurePosixPath(name).parts
    return parts == (DATABASE,) or (len(parts) == 2 and parts[0] == SECRETS and parts[1].endswith(".key"))


def _write(part: IO[bytes], to: Path) -> None:
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with to.open("wb") as file:
        to.chmod(0o600)
        for chunk in _chunks(part):
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal. Raises: OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in _chunks(file):
            digest.update(chunk)
    return digest.hexdigest()


def _chunks(file: IO[bytes]) -> Iterable[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk
