"""What the doctor finds of what the kiosk knows from the server: children, their names, and the rules of the door."""

from collections.abc import Iterator

from attendance.errors import WireError
from attendance.finding import Finding
from attendance.names import SealedNames, unseal
from kiosk.beside import Known
from kiosk.config import KioskSettings
from kiosk.database import ForeignFile
from kiosk.doctor.answers import check_asking


def check_roster(settings: KioskSettings, known: Known) -> Iterator[Finding]:
    """Yield whether the roster is here and can be used."""
    if known.error is not None:
        foreign = isinstance(known.error.__cause__, ForeignFile)
        values: dict[str, object] = {"reason": known.error.reason}
        yield Finding("roster_foreign" if foreign else "roster_broken", wrong=True, values=values)
        return
    if not known.roster_version:
        yield Finding("roster_missing", wrong=True)
    elif not known.children:
        yield Finding("roster_empty", wrong=True)
    else:
        yield Finding("roster", values={"children": known.children})
    if known.names is not None and not _opens(settings, known.names):
        yield Finding("names_sealed", wrong=True, values={"file": settings.names_key_path})
    if known.policy is not None:
        yield from check_asking(settings, known.policy)


def _opens(settings: KioskSettings, pack: SealedNames) -> bool:
    try:
        unseal(pack, settings.names_key_path.read_bytes())
    except (OSError, WireError):
        return False
    return True
