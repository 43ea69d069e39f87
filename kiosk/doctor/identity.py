"""What the doctor finds of who this kiosk is: its identity and key, and who else may read them."""

from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attendance.finding import Finding
from kiosk.config import KioskSettings
from kiosk.errors import NotEnrolled
from kiosk.identity import COMING_KEY_FILE, IDENTITY_FILE, KEY_FILE, Identity, load_identity, load_key

_SECRETS = (IDENTITY_FILE, KEY_FILE, COMING_KEY_FILE)
_OTHERS = 0o077


def check_identity(settings: KioskSettings) -> Iterator[Finding]:
    """Yield who this kiosk is, or why it is nobody."""
    yield _identity(settings.data_dir)
    yield from _key(settings.data_dir)


def check_secrets(settings: KioskSettings) -> Iterator[Finding]:
    """Yield what is wrong with the files of identity and keys though the kiosk works."""
    folder = settings.data_dir
    if _there(folder / COMING_KEY_FILE):
        again = _there(folder / IDENTITY_FILE)
        yield Finding("enrolment_open" if again else "enrolment_begun", wrong=True, values={"file": COMING_KEY_FILE})
    secrets = [folder / name for name in _SECRETS] + [settings.names_key_path]
    readable = [str(path) for path in secrets if _there(path) and path.stat().st_mode & _OTHERS]
    if readable:
        yield Finding("secrets_open", wrong=True, values={"files": " ".join(readable)})


def identity_and_key(settings: KioskSettings) -> tuple[Identity, Ed25519PrivateKey] | None:
    """Return who this kiosk is and its key, or None when one of them cannot be had."""
    try:
        identity = load_identity(settings.data_dir)
        key = load_key(settings.data_dir)
    except NotEnrolled:
        return None
    return (identity.at(settings.server_url) if settings.server_url else identity), key


def _identity(folder: Path) -> Finding:
    try:
        identity = load_identity(folder)
    except NotEnrolled as error:
        missing = isinstance(error.__cause__, FileNotFoundError | NotADirectoryError)
        return Finding("identity_missing" if missing else "identity_broken", wrong=True, values={"file": IDENTITY_FILE})
    return Finding("identity", values={"site": identity.site_name, "kiosk": identity.kiosk})


def _key(folder: Path) -> Iterator[Finding]:
    try:
        load_key(folder)
    except NotEnrolled as error:
        if not isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            yield Finding("key_broken", wrong=True, values={"file": KEY_FILE})
        elif _there(folder / IDENTITY_FILE):
            yield Finding("key_missing", wrong=True, values={"file": KEY_FILE})


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False
