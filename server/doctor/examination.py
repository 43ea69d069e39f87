"""The whole examination, one thing after the other; each goes on after the trouble of the one before.

Changes nothing and may run beside the server: the database is opened to read, or asked for its write lock and left.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from attendance.discipline import kernel_discipline
from attendance.faults import where
from attendance.finding import Finding
from attendance.process_owner import wrong_user
from server.config import ServerSettings
from server.doctor.backups import check_backups
from server.doctor.chains import check_all_chains, check_recent_chains
from server.doctor.clock import check_kiosks_word, check_machine_clock
from server.doctor.database import check_database, check_schema, sqlite_path
from server.doctor.derived import check_derived
from server.doctor.entries import check_quarantine, check_times
from server.doctor.folder import check_folder, check_secrets
from server.doctor.kiosks import check_kiosks
from server.doctor.mail import check_mail
from server.doctor.notices import check_dispatcher, check_notices
from server.doctor.replica import check_replica
from server.doctor.web import check_live, check_web
from server.errors import StoreError
from server.store.engine import Store, using_store

_RECORDS: tuple[Callable[[Connection, int], Iterator[Finding]], ...] = (
    check_kiosks_word,
    check_kiosks,
    check_quarantine,
    check_times,
)


def examine(settings: ServerSettings, now_ms: int, *, full: bool = False) -> Iterator[Finding]:
    """Yield the findings one by one, each as soon as it is known; changes nothing. `full` reads every entry.

    Run as somebody else than the server, it would judge another's permissions, so that it looks no further then.
    """
    stranger = wrong_user(Path(settings.data_dir))
    if stranger is not None:
        yield stranger
        return
    file = sqlite_path(settings)
    steps = (
        partial(check_folder, settings),
        partial(check_secrets, settings),
        partial(check_machine_clock, kernel_discipline()),
        partial(_database, settings, now_ms, full=full),
        partial(check_dispatcher, file),
        partial(check_backups, settings, now_ms, full=full),
        partial(check_replica, file, now_ms),
        partial(check_web, settings),
        partial(check_live, settings),
        partial(check_mail, settings),
    )
    for step in steps:
        try:
            yield from step()
        except Exception as error:  # noqa: BLE001 - what one step stumbles over must not hide what the others find
            yield _stumbled(error, settings)


def _stumbled(error: Exception, settings: ServerSettings) -> Finding:
    """Return what to say of an error that ended a step; of a fault of ours, only its kind and places."""
    if isinstance(error, OSError):
        values = {"file": error.filename or settings.data_dir, "reason": error.strerror or error}
        return Finding("unreadable", wrong=True, values=values)
    return Finding("doctor_fault", wrong=True, values={"reason": type(error).__name__, "where": where(error)})


def _database(settings: ServerSettings, now_ms: int, *, full: bool) -> Iterator[Finding]:
    usable = yield from check_database(settings, full=full)
    if usable:
        yield from _records(settings, now_ms, full=full)


def _records(settings: ServerSettings, now_ms: int, *, full: bool) -> Iterator[Finding]:
    """Look at what the database holds; the same trouble with the database is told once."""
    told: set[str] = set()
    try:
        with using_store(settings.store_url, read_only=True) as store:
            current = yield from check_schema(store)
            if not current:
                return
            looks = [partial(_within, store, check, now_ms) for check in _RECORDS]
            if full:
                looks += [partial(check_all_chains, store), partial(check_derived, store)]
            else:
                looks.append(partial(_within, store, check_recent_chains, now_ms))
            looks.append(partial(_within, store, check_notices, now_ms))
            for look in looks:
                try:
                    yield from look()
                except StoreError as error:
                    if str(error) not in told:
                        yield Finding("database_unusable", wrong=True, values={"reason": error})
                    told.add(str(error))
                except Exception as error:  # noqa: BLE001 - as for the steps
                    yield _stumbled(error, settings)
    except StoreError as error:
        code = "database_unusable" if sqlite_path(settings) else "database_unreached"
        yield Finding(code, wrong=True, values={"reason": " ".join(str(error).split())})


def _within(store: Store, check: Callable[[Connection, int], Iterator[Finding]], now_ms: int) -> Iterator[Finding]:
    with store.read() as conn:
        yield from check(conn, now_ms)
