"""The way back from a backup: opened, checked, and only then put in the place of what was there, which is kept."""

import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import pyrage
from sqlalchemy import update

from server.backup.archive import DATABASE, SECRETS, Manifest, unpack
from server.backup.make import check_database, sync_folder
from server.errors import BackupRefused
from server.notify.outbox import TOLD_EARLIER
from server.store.engine import Store, sqlite_url, using_store
from server.store.tables import delivery

_SQLITE = b"SQLite format 3\0"
_COMPANIONS = ("", "-wal", "-shm")


def take_as_sent(store: Store, now_ms: int) -> int:
    """Take the notices that waited when the backup was made as sent since, so that they come no second time.

    What is taken back from now on is corrected, as the guardians may have been told. Returns how many there were.
    Raises: StoreError.
    """
    with store.write() as conn:
        waiting = update(delivery).where(delivery.c.state == "queued")
        return conn.execute(waiting.values(state="sent", settled_at_ms=now_ms, reason=TOLD_EARLIER)).rowcount


def make_key(path: Path) -> str:
    """Write a new private key to a file that must not exist yet, and return its public key. Raises: BackupRefused."""
    identity = pyrage.x25519.Identity.generate()
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(f"# public key: {identity.to_public()}\n{identity}\n", encoding="utf-8")
    except OSError as error:
        raise BackupRefused(f"{path}: the key cannot be written ({error.strerror})") from error
    return str(identity.to_public())


def restore(source: Path, key: Path | None, data_dir: Path, *, replace: bool, now_ms: int) -> int:
    """Put a backup, or a bare database that a replica gave, into a data folder; return when its state was.

    What was there goes into a folder beside, with `replace`. The server must not run.
    Raises: BackupRefused, StoreError, and then nothing has changed.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=data_dir, prefix=".restore-") as scratch:
            parts = Path(scratch) / "parts"
            made_at_ms = _open(source, key, Path(scratch))
            names = [name for name in (SECRETS, DATABASE) if (parts / name).exists()]
            there = [path for path in _own_files(data_dir, names) if path.exists()]
            if there and not replace:
                raise BackupRefused(f"{there[0]} is there already; --replace keeps it in a folder beside and goes on")
            if (data_dir / DATABASE).exists():
                _refuse_while_open(data_dir / DATABASE)
            with using_store(sqlite_url(parts / DATABASE)) as store:
                take_as_sent(store, now_ms)
            with ExitStack() as way_back:
                _set_aside(there, data_dir, now_ms, way_back)
                for name in names:  # the database last: without it the server does not start
                    _move(parts / name, data_dir / name, way_back)
                for folder in (data_dir / SECRETS, data_dir):
                    if folder.is_dir():
                        sync_folder(folder)
                way_back.pop_all()  # done: nothing goes back
    except OSError as error:
        raise BackupRefused(f"{error.filename or data_dir}: cannot be restored ({error.strerror})") from error
    return made_at_ms


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


def _open(source: Path, key: Path | None, scratch: Path) -> int:
    if not _is_bare(source):
        if key is None:
            raise BackupRefused(f"{source} is encrypted: --key FILE names the private key")
        return open_backup(source, key, scratch).made_at_ms
    (scratch / "parts").mkdir()
    to = scratch / "parts" / DATABASE
    shutil.copyfile(source, to)
    to.chmod(0o600)
    check_database(to)
    return round(source.stat().st_mtime * 1000)


def _is_bare(source: Path) -> bool:
    with source.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def _identity(key: Path) -> pyrage.x25519.Identity:
    try:
        lines = [line.strip() for line in key.read_text(encoding="utf-8").splitlines()]
        return pyrage.x25519.Identity.from_str(next(line for line in lines if line and not line.startswith("#")))
    except (OSError, UnicodeDecodeError, StopIteration, pyrage.IdentityError) as error:
        raise BackupRefused(f"{key} is not a private key as tadaima-server backup key writes it") from error


def _own_files(data_dir: Path, names: Sequence[str]) -> list[Path]:
    files = [data_dir / f"{DATABASE}{companion}" for companion in _COMPANIONS]
    return [*files, data_dir / SECRETS] if SECRETS in names else files


def _refuse_while_open(database: Path) -> None:
    """Raise when somebody has the database open: leaving WAL needs it for oneself. A damaged one may go."""
    try:
        with closing(sqlite3.connect(database, timeout=1.0)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise BackupRefused("the server or its dispatcher is running; stop both and try again") from error


def _set_aside(there: list[Path], data_dir: Path, now_ms: int, way_back: ExitStack) -> None:
    there = [path for path in there if path.exists()]
    if not there:
        return
    stamp = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = Path(tempfile.mkdtemp(dir=data_dir, prefix=f"before-restore-{stamp}-"))
    way_back.callback(aside.rmdir)
    for path in there:
        _move(path, aside / path.name, way_back)


def _move(path: Path, to: Path, way_back: ExitStack) -> None:
    path.rename(to)
    way_back.callback(to.rename, path)
