"""The way back from a backup: opened, checked, and only then put in the place of what was there, which is kept."""

import shutil
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pyrage
from sqlalchemy import update

from server.backup.archive import DATABASE, SECRETS, Manifest, unpack
from server.backup.make import check_database
from server.errors import BackupRefused
from server.store.engine import Store, sqlite_url, using_store
from server.store.tables import delivery

_COMPANIONS = ("", "-wal", "-shm")


def forget_queued(store: Store, now_ms: int) -> int:
    """Cancel the notices that waited when the backup was made, since they were sent long ago; return how many.

    Raises: StoreError.
    """
    with store.write() as conn:
        waiting = update(delivery).where(delivery.c.state == "queued")
        return conn.execute(waiting.values(state="cancelled", settled_at_ms=now_ms, reason="restored")).rowcount


def make_key(path: Path) -> str:
    """Write a new private key to a file that must not exist yet, and return its public key. Raises: BackupRefused."""
    identity = pyrage.x25519.Identity.generate()
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(f"# public key: {identity.to_public()}\n{identity}\n", encoding="utf-8")
    except OSError as error:
        raise BackupRefused(f"{path}: the key cannot be written ({error.strerror})") from error
    return str(identity.to_public())


def restore(backup: Path, key: Path, data_dir: Path, *, replace: bool, now_ms: int) -> Manifest:
    """Put a backup's database and secrets into a data folder; what was there goes into a folder beside, with `replace`.

    The server must not run. Raises: BackupRefused, and then nothing has changed.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=data_dir, prefix=".restore-") as scratch:
            manifest = open_backup(backup, key, Path(scratch))
            there = [path for path in _own_files(data_dir) if path.exists()]
            if there and not replace:
                raise BackupRefused(f"{there[0]} is there already; --replace keeps it in a folder beside and goes on")
            if (data_dir / DATABASE).exists():
                _refuse_while_open(data_dir / DATABASE)
            with using_store(sqlite_url(Path(scratch) / "parts" / DATABASE)) as store:
                forget_queued(store, now_ms)
            _set_aside(there, data_dir, now_ms)
            for name in (SECRETS, DATABASE):  # the database last: without it the server does not start
                if (Path(scratch) / "parts" / name).exists():
                    (Path(scratch) / "parts" / name).replace(data_dir / name)
    except OSError as error:
        raise BackupRefused(f"{error.filename or data_dir}: cannot be restored ({error.strerror})") from error
    return manifest


def open_backup(backup: Path, key: Path, scratch: Path) -> Manifest:
    """Decrypt and check a backup below `scratch`/parts, and return what it says of itself. Raises: BackupRefused."""
    identity = _identity(key)
    try:
        pyrage.decrypt_file(str(backup), str(scratch / "plain.tar.gz"), [identity])
    except (pyrage.DecryptError, OSError) as error:
        raise BackupRefused(f"{backup} cannot be opened with this key: {error}") from error
    manifest = unpack(scratch / "plain.tar.gz", scratch / "parts")
    (scratch / "plain.tar.gz").unlink()
    check_database(scratch / "parts" / DATABASE)
    return manifest


def _identity(key: Path) -> pyrage.x25519.Identity:
    try:
        lines = [line.strip() for line in key.read_text(encoding="utf-8").splitlines()]
        return pyrage.x25519.Identity.from_str(next(line for line in lines if line and not line.startswith("#")))
    except (OSError, UnicodeDecodeError, StopIteration, pyrage.IdentityError) as error:
        raise BackupRefused(f"{key} is not a private key as tadaima-server backup key writes it") from error


def _own_files(data_dir: Path) -> list[Path]:
    return [*(data_dir / f"{DATABASE}{companion}" for companion in _COMPANIONS), data_dir / SECRETS]


def _refuse_while_open(database: Path) -> None:
    """Raise when somebody has the database open: leaving WAL needs it for oneself. A damaged one may go."""
    try:
        with closing(sqlite3.connect(database, timeout=1.0)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise BackupRefused("the server or its dispatcher is running; stop both and try again") from error


def _set_aside(there: list[Path], data_dir: Path, now_ms: int) -> None:
    there = [path for path in there if path.exists()]
    if not there:
        return
    stamp = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = Path(tempfile.mkdtemp(dir=data_dir, prefix=f"before-restore-{stamp}-"))
    for path in there:
        shutil.move(path, aside / path.name)
