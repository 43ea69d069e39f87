"""Making a backup while the server runs: a snapshot, encrypted for its keepers, written whole and read back."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pyrage
from sqlalchemy import make_url

from server.backup.archive import DATABASE, SECRETS, hash_of, pack, unpack
from server.errors import BackupRefused

SUFFIX = ".tadaima.age"
_SCRATCH = ".backup-"
_ABANDONED_MS = 24 * 3600 * 1000
_NAME = "backup-%Y%m%dT%H%M%SZ" + SUFFIX


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was written, read back and found whole."""

    path: Path
    size_bytes: int
    removed: tuple[Path, ...]
    """Older ones that were let go."""


def make_backup(
    store_url: str, data_dir: Path, folder: Path, *, recipients: Sequence[str], keep: int, now_ms: int
) -> Made:
    """Write a backup of database and secrets to a folder, and let go of all but the newest `keep`.

    Blocks neither readers nor writers. Raises: BackupRefused, which says what to do.
    """
    keepers = read_recipients(recipients)
    database = sqlite_file(store_url)
    name = name_at(now_ms)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _clear(data_dir, folder, now_ms)
        with tempfile.TemporaryDirectory(dir=data_dir, prefix=_SCRATCH) as scratch:
            here = Path(scratch)
            parts = {DATABASE: _snapshot(database, here / DATABASE)}
            parts |= {f"{SECRETS}/{key.name}": key for key in sorted((data_dir / SECRETS).glob("*.key"))}
            pack(parts, here / "plain.tar.gz", made_at_ms=now_ms, app=version("tadaima"))
            parts[DATABASE].unlink()
            path = _encrypt(here / "plain.tar.gz", folder / name, keepers)
    except OSError as error:
        raise BackupRefused(f"{error.filename or folder}: the backup cannot be written ({error.strerror})") from error
    return Made(path, path.stat().st_size, _let_go(folder, keep, path))


def on_one_disk(folder: Path, data_dir: Path) -> bool:
    """Whether backups are lost together with the database; also when the disk for them is not mounted."""
    return folder.stat().st_dev == data_dir.stat().st_dev


def backups_in(folder: Path) -> list[Path]:
    """Return the backups in a folder, oldest first."""
    return sorted(folder.glob(f"backup-*{SUFFIX}"))


def name_at(made_at_ms: int) -> str:
    """Return the name of a backup made then; names are in the order of the clock they were made by."""
    return datetime.fromtimestamp(made_at_ms / 1000, UTC).strftime(_NAME)


def sum_of(backup: Path) -> Path:
    """Return the file beside a backup by which anybody finds it damaged, without its key (as sha256sum writes it)."""
    return backup.with_name(f"{backup.name}.sha256")


def sqlite_file(store_url: str) -> Path:
    """Return the SQLite file of a database URL. Raises: BackupRefused for another kind of database."""
    url = make_url(store_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise BackupRefused("this database is not SQLite: back it up with its own tools (docs/backup.md)")
    return Path(url.database)


def check_database(path: Path) -> None:
    """Find a database whole. Raises: BackupRefused."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        verdict = str(error)
    if verdict != "ok":
        raise BackupRefused(f"the database is damaged ({verdict}); restore an older backup")


def read_recipients(texts: Sequence[str]) -> list[pyrage.x25519.Recipient]:
    """Return the public keys in the settings. Raises: BackupRefused when one is none."""
    if not texts:
        raise BackupRefused("set backup.recipients to who may open it; tadaima-server backup key makes a key")
    try:
        return [pyrage.x25519.Recipient.from_str(text) for text in texts]
    except pyrage.RecipientError as error:
        reason = f"backup.recipients: no public key as tadaima-server backup key prints it ({error})"
        raise BackupRefused(reason) from error


def _snapshot(database: Path, to: Path) -> Path:
    if not database.exists():
        raise BackupRefused(f"{database} is not there; run tadaima-server init")
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True)) as connection:
            # One read transaction: the state of one instant, while others go on writing.
            connection.execute("VACUUM INTO ?", (str(to),))
    except sqlite3.Error as error:
        raise BackupRefused(f"{database} cannot be read whole: {error}") from error
    to.chmod(0o600)
    check_database(to)
    return to


def _encrypt(plain: Path, to: Path, keepers: list[pyrage.x25519.Recipient]) -> Path:
    """Write the encrypted file whole or not at all; read it back, with a key that nobody has, before it counts."""
    witness = pyrage.x25519.Identity.generate()
    making = to.with_name(f".{to.name}.part")
    try:
        pyrage.encrypt_file(str(plain), str(making), [*keepers, witness.to_public()])
        with making.open("rb") as file:
            os.fsync(file.fileno())
        with tempfile.TemporaryDirectory(dir=plain.parent) as scratch:
            again = Path(scratch) / "again.tar.gz"
            pyrage.decrypt_file(str(making), str(again), [witness])
            unpack(again, Path(scratch) / "again")
        making.chmod(0o600)
        digest = hash_of(making)
        making.replace(to)
        with making.open("w", encoding="ascii") as file:
            file.write(f"{digest}  {to.name}\n")
            file.flush()
            os.fsync(file.fileno())
        making.replace(sum_of(to))
        sync_folder(to.parent)
    except (pyrage.EncryptError, pyrage.DecryptError) as error:
        raise BackupRefused(f"{to}: the backup could not be written or read back: {error}") from error
    finally:
        making.unlink(missing_ok=True)
    return to


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises: OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _clear(data_dir: Path, folder: Path, now_ms: int) -> None:
    """Remove what a backup that was killed left; one that runs is younger."""
    left = [*data_dir.glob(f"{_SCRATCH}*"), *folder.glob(f".*{SUFFIX}.part")]
    for path in left:
        if path.stat().st_mtime * 1000 < now_ms - _ABANDONED_MS:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _let_go(folder: Path, keep: int, made: Path) -> tuple[Path, ...]:
    old = [each for each in backups_in(folder)[:-keep] if each != made]  # it is the oldest if the clock is behind
    for path in old:
        path.unlink(missing_ok=True)
        sum_of(path).unlink(missing_ok=True)
    return tuple(old)
