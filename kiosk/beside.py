"""The kiosk's two databases, read by doctor and enrolment beside the processes that write them, and not for long."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from attendance.names import SealedNames
from attendance.policy import Policy
from attendance.records import Head
from kiosk.config import KioskSettings
from kiosk.errors import CacheError
from kiosk.journal_reader import JournalReader
from kiosk.retention import Contacts
from kiosk.roster_cache import Contact, RosterCache

PATIENCE_S = 1.0
"""Reading never waits for the kiosk's own writing; only for a program that shuts all others out."""


@dataclass(frozen=True, slots=True)
class Known:
    """The roster cache at one moment; empty, with `error`, when it could not be read."""

    error: CacheError | None = None
    acks: tuple[Head, ...] = ()
    told: Mapping[str, int] = field(default_factory=dict)
    """Of each session the last entry that the server ever acknowledged."""
    contact: Contact | None = None
    """The last of this boot."""
    contacts: Contacts = field(default_factory=dict)
    """The last of each boot."""
    roster_version: str = ""
    presence_version: str = ""
    children: int = 0
    policy: Policy | None = None
    names: SealedNames | None = None


def look_up(settings: KioskSettings, boot: str) -> Known:
    """Return what the cache holds; leaves it as it is."""
    try:
        cache = RosterCache.open(settings.cache_path, boot=boot, busy_timeout_s=PATIENCE_S, read_only=True)
        try:
            roster, presence = cache.versions()
            return Known(
                acks=tuple(cache.acks()),
                told=cache.all_told(),
                contact=cache.contact(),
                contacts=cache.contacts(),
                roster_version=roster,
                presence_version=presence,
                children=len(cache.marks()),
                policy=cache.policy(),
                names=cache.sealed_names(),
            )
        finally:
            cache.close()
    except CacheError as error:
        return Known(error=error)


@contextmanager
def reading(settings: KioskSettings) -> Iterator[JournalReader]:
    """Yield a reader of the journal and close it in the end."""
    reader = JournalReader(settings.journal_path, busy_timeout_s=PATIENCE_S)
    try:
        yield reader
    finally:
        reader.close()
