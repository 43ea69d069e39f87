"""`tadaima-server doctor`: looks at everything a working server needs, and says what to do about what is wrong."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import requests
from sqlalchemy import Connection, func, select

from attendance.clock import JST, SystemClock, from_ms
from attendance.finding import Finding
from server.backup.make import backups_in, on_one_disk
from server.config import ServerSettings
from server.doors import SILENT_MS, own_clock_ahead_ms
from server.errors import PasswordMissing, StoreError, TransportError
from server.keys import load_secrets
from server.notify.mail import MailTransport, read_password
from server.store.engine import Store, using_store
from server.store.migrations import require_current
from server.store.tables import delivery, entry, kiosk

FREE_MIN_MB = 1000
STUCK_MS = 10 * 60_000
"""A notice that is due for so long tells that nothing sends: the dispatcher tries each within seconds."""
BACKUP_OLD_MS = 2 * 86_400_000
_MB = 1_000_000
_REACH_S = 5.0


def examine(settings: ServerSettings, now_ms: int) -> Iterator[Finding]:
    """Yield the findings one by one, each as soon as it is known; changes nothing."""
    yield from _secrets(settings)
    yield from _disk(settings)
    yield from _backup(settings, now_ms)
    try:
        with using_store(settings.store_url) as store:
            require_current(store)
            yield from _database(store)
            with store.read() as conn:
                for check in _CHECKS:
                    yield from check(conn, now_ms)
    except StoreError as error:
        yield Finding("database_unusable", wrong=True, values={"reason": error})
    yield from _web(settings)
    yield _mail(settings)


def _secrets(settings: ServerSettings) -> Iterator[Finding]:
    folder = Path(settings.data_dir)
    try:
        load_secrets(folder)
    except StoreError as error:
        yield Finding("secrets_missing", wrong=True, values={"reason": error})
        return
    readable = [path.name for path in (folder / "secrets").glob("*.key") if path.stat().st_mode & 0o077]
    if readable:
        yield Finding("secrets_open", wrong=True, values={"files": ", ".join(sorted(readable))})
    else:
        yield Finding("secrets")


def _disk(settings: ServerSettings) -> Iterator[Finding]:
    folder = Path(settings.data_dir)
    if folder.exists():
        free_mb = shutil.disk_usage(folder).free // _MB
        yield Finding("disk_full" if free_mb < FREE_MIN_MB else "disk", free_mb < FREE_MIN_MB, {"free_mb": free_mb})


def _backup(settings: ServerSettings, now_ms: int) -> Iterator[Finding]:
    if not settings.backup.folder or not settings.backup.recipients:
        yield Finding("backup_none", wrong=True)
        return
    folder = Path(settings.backup.folder)
    made = backups_in(folder)
    if made and on_one_disk(folder, Path(settings.data_dir)):
        yield Finding("backup_same_disk", wrong=True, values={"folder": folder})
    if not made:
        yield Finding("backup_missing", wrong=True, values={"folder": settings.backup.folder})
        return
    at_ms = round(made[-1].stat().st_mtime * 1000)
    old = now_ms - at_ms > BACKUP_OLD_MS
    made_at = f"{from_ms(at_ms).astimezone(JST):%Y-%m-%d %H:%M}"
    yield Finding("backup_old" if old else "backup", old, {"made": made_at})


def _database(store: Store) -> Iterator[Finding]:
    """Check the whole file, beside the server that uses it; a database of another kind checks itself."""
    if store.file is None:
        yield Finding("database_other")
        return
    try:
        with closing(sqlite3.connect(f"{store.file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        verdict = str(error)
    yield Finding("database" if verdict == "ok" else "database_damaged", verdict != "ok", {"reason": verdict})


def _clock(conn: Connection, now_ms: int) -> Iterator[Finding]:
    ahead_ms = own_clock_ahead_ms(conn, now_ms)
    code = "clock_ahead" if ahead_ms > 0 else "clock_behind"
    yield Finding(code, wrong=True, values={"seconds": abs(ahead_ms) // 1000}) if ahead_ms else Finding("clock")


def _kiosks(conn: Connection, now_ms: int) -> Iterator[Finding]:
    rows = conn.execute(select(kiosk).where(kiosk.c.revoked_at_ms.is_(None)).order_by(kiosk.c.name)).all()
    silent = [row.name for row in rows if row.heard_at_ms is None or now_ms - row.heard_at_ms > SILENT_MS]
    troubled = [f"{row.name} ({row.trouble})" for row in rows if row.trouble and row.name not in silent]
    if silent:
        yield Finding("kiosks_silent", wrong=True, values={"names": ", ".join(silent)})
    if troubled:
        yield Finding("kiosks_troubled", wrong=True, values={"names": ", ".join(troubled)})
    if not silent and not troubled:
        yield Finding("kiosks", values={"number": len(rows)})


def _quarantine(conn: Connection, _: int) -> Iterator[Finding]:
    kept = conn.execute(
        select(entry.c.quarantined, func.count()).where(entry.c.quarantined.is_not(None)).group_by(entry.c.quarantined)
    ).all()
    if kept:
        yield Finding("quarantine", wrong=True, values={"reasons": "; ".join(f"{why} ({n})" for why, n in kept)})


def _notices(conn: Connection, now_ms: int) -> Iterator[Finding]:
    overdue = select(func.count()).where(delivery.c.state == "queued", delivery.c.due_at_ms < now_ms - STUCK_MS)
    stuck = int(conn.execute(overdue).scalar_one())
    yield Finding("notices_stuck", wrong=True, values={"number": stuck}) if stuck else Finding("notices")


_CHECKS: tuple[Callable[[Connection, int], Iterator[Finding]], ...] = (_clock, _kiosks, _quarantine, _notices)


def _web(settings: ServerSettings) -> Iterator[Finding]:
    url = settings.base_url or f"http://{settings.bind.host}:{settings.bind.port}"
    if not settings.base_url and settings.bind.port == 0:
        return  # a port that nobody can know
    try:
        well = requests.get(f"{url.rstrip('/')}/health", timeout=_REACH_S, allow_redirects=False).ok
    except requests.RequestException:
        well = False
    yield Finding("web" if well else "web_unreached", not well, {"url": url})


def _mail(settings: ServerSettings) -> Finding:
    where = f"{settings.smtp.host}:{settings.smtp.port}"
    try:
        MailTransport(settings.smtp, password=read_password(settings.smtp), clock=SystemClock()).reach()
    except (TransportError, PasswordMissing) as error:
        return Finding("mail_unreached", wrong=True, values={"where": where, "reason": error})
    return Finding("mail", values={"where": where})
