"""Looking at everything a working kiosk needs, one thing after the other."""

import os
import pwd
import shutil
import uuid
from collections.abc import Callable, Iterator

import requests

from attendance.clock import Clock, ClockState
from attendance.finding import Finding
from kiosk.config import KioskSettings
from kiosk.database import asides_of
from kiosk.doctor.answers import check_answers, check_asking
from kiosk.doctor.readers import check_readers
from kiosk.errors import CacheError, JournalError, NotEnrolled
from kiosk.identity import Identity, load_identity, load_key
from kiosk.journal_reader import JournalReader
from kiosk.roster_cache import RosterCache

HEALTH_PATH = "/health"
FREE_MIN_MB = 200
_MB = 1_000_000


def examine(settings: KioskSettings, clock: Clock) -> Iterator[Finding]:
    """Yield the findings one by one, each as soon as it is known; changes nothing but a probe file.

    Run as somebody else than the kiosk, it would judge another's permissions and leave files that the kiosk cannot
    open, so that it looks no further then.
    """
    stranger = wrong_user(settings)
    if stranger is not None:
        yield stranger
        return
    checks: tuple[Callable[[KioskSettings], Iterator[Finding]], ...] = (
        _data_dir,
        _disk,
        _journal,
        check_readers,
        check_answers,
    )
    for check in checks:
        yield from check(settings)
    identity = _load_identity(settings)
    yield (
        Finding("identity_missing", wrong=True)
        if identity is None
        else Finding("identity", values={"site": identity.site_name})
    )
    yield from _server(settings, identity)
    yield from _cache(settings, clock)


def wrong_user(settings: KioskSettings) -> Finding | None:
    """Return a finding when this process runs as another user than the one whose records these are."""
    try:
        owner = settings.data_dir.stat().st_uid
    except OSError:
        return None  # the folder's own finding says it
    if owner == os.geteuid():
        return None
    return Finding("user_wrong", wrong=True, values={"owner": _user_name(owner), "user": _user_name(os.geteuid())})


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _data_dir(settings: KioskSettings) -> Iterator[Finding]:
    folder = settings.data_dir
    probe = folder / f".probe-{uuid.uuid4().hex}"
    try:
        probe.write_bytes(b"tadaima")
        probe.unlink()
    except OSError as error:
        yield Finding("folder_unwritable", wrong=True, values={"folder": folder, "reason": error.strerror or error})
    else:
        yield Finding("folder", values={"folder": folder})


def _disk(settings: KioskSettings) -> Iterator[Finding]:
    if settings.data_dir.exists():
        free_mb = shutil.disk_usage(settings.data_dir).free // _MB
        yield Finding("disk_full" if free_mb < FREE_MIN_MB else "disk", free_mb < FREE_MIN_MB, {"free_mb": free_mb})


def _journal(settings: KioskSettings) -> Iterator[Finding]:
    reader = JournalReader.open(settings.journal_path, busy_timeout_s=settings.journal.busy_timeout_s)
    try:
        entries = reader.verify()
    except JournalError as error:
        yield Finding("journal_damaged", wrong=True, values={"reason": error.reason})
    else:
        yield Finding("journal", values={"entries": entries})
    finally:
        reader.close()
    aside = [path.name for path in asides_of(settings.journal_path)]
    if aside:
        yield Finding("journal_aside", wrong=True, values={"files": ", ".join(aside)})


def _load_identity(settings: KioskSettings) -> Identity | None:
    try:
        load_key(settings.data_dir)
        return load_identity(settings.data_dir)
    except NotEnrolled:
        return None


def _server(settings: KioskSettings, identity: Identity | None) -> Iterator[Finding]:
    url = settings.server_url or ("" if identity is None else identity.server_url)
    if not url:
        return
    try:
        answer = requests.get(url.rstrip("/") + HEALTH_PATH, timeout=settings.sync.timeout_s, allow_redirects=False)
    except requests.RequestException as error:
        yield Finding("server_unreached", wrong=True, values={"url": url, "reason": type(error).__name__})
    else:
        if answer.ok:
            yield Finding("server", values={"url": url})
        else:
            yield Finding("server_wrong", wrong=True, values={"url": url, "status": answer.status_code})


def _cache(settings: KioskSettings, clock: Clock) -> Iterator[Finding]:
    contact = None
    try:
        cache = RosterCache.open(settings.cache_path, busy_timeout_s=settings.journal.busy_timeout_s, read_only=True)
        try:
            missing, contact, policy = not cache.versions()[0], cache.contact(), cache.policy()
        finally:
            cache.close()
    except CacheError as error:
        yield Finding("roster_broken", wrong=True, values={"reason": error.reason})
    else:
        yield Finding("roster_missing" if missing else "roster", missing)
        yield from check_asking(settings, policy)
    state = clock.read().state
    if state in (ClockState.NTP, ClockState.RTC):
        yield Finding(f"clock_{state}")
    elif contact is not None:
        yield Finding("clock_server")
    else:
        yield Finding("clock_unset", wrong=True)
