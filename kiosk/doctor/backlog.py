"""What the doctor finds of entries on their way: what waits for the server, what is kept too long, what was lost."""

from collections.abc import Iterator

from attendance.clock import Clock, ClockState, local_time
from attendance.errors import WireError
from attendance.finding import Finding
from attendance.records import Head, read_line
from attendance.signatures import key_id
from kiosk.asides import fruitless, unsearched
from kiosk.beside import Known, reading
from kiosk.config import KioskSettings
from kiosk.database import asides_of
from kiosk.doctor.identity import identity_and_key
from kiosk.doctor.processes import door_lock_held
from kiosk.errors import JournalError
from kiosk.journal_queries import unsent
from kiosk.journal_reader import JournalReader
from kiosk.retention import KEPT_MS, SessionAge
from kiosk.today import Now, best_now

WAITED_MS = 10 * 60_000
"""Sync sends within seconds."""
LATE_MS = 7 * 24 * 3600 * 1000
"""The door lets a session go once a minute; a week more than it keeps them means that it does not."""


def check_backlog(settings: KioskSettings, clock: Clock, boot: str, known: Known) -> Iterator[Finding]:
    """Yield what of the journal the server lacks, and since when; nothing for a journal that cannot be read.

    `known` was read before the journal: nothing looks forgotten that only came later.
    """
    try:
        with reading(settings) as reader:
            heads = reader.heads()
            now = best_now(clock.read(), known.contact)
            yield from _opening(settings, reader)
            yield from _forgotten(heads, known)
            yield from _waiting(reader, heads, known, now, boot)
            yield from _kept(reader.ages(known.contacts), known, now)
    except JournalError:
        return  # the finding of the journal's file says it
    yield from _asides(settings, unsent(heads, known.acks))


def _opening(settings: KioskSettings, reader: JournalReader) -> Iterator[Finding]:
    """A key that is not the one of this name, or a door that goes on under a former name."""
    ours, opening = identity_and_key(settings), reader.last_opening()
    if ours is None or opening is None:
        return
    identity, key = ours
    if opening.kiosk != identity.kiosk:
        if door_lock_held(settings.data_dir) is not None:
            yield Finding("door_former", wrong=True, values={"kiosk": opening.kiosk})
    elif getattr(opening.body, "key", "") != key_id(key.public_key()):
        yield Finding("key_other", wrong=True)


def _forgotten(heads: list[Head], known: Known) -> Iterator[Finding]:
    """Entries that the server had from this journal, and that it holds no more: the disk lost them."""
    lost = sum(max(0, known.told.get(head.session, -1) - head.seq) for head in heads)
    if lost:
        yield Finding("journal_short", wrong=True, values={"entries": lost})


def _waiting(reader: JournalReader, heads: list[Head], known: Known, now: Now, boot: str) -> Iterator[Finding]:
    number = unsent(heads, known.acks)
    if not number:
        yield Finding("all_sent")
        return
    through = {ack.session: ack.seq for ack in known.acks}
    lacking = [head for head in heads if head.seq > through.get(head.session, -1)]
    times = [_made_ms(reader, head.session, through.get(head.session, -1) + 1, known, now, boot) for head in lacking]
    since_ms = min((each for each in times if each is not None), default=now.at_ms)
    if now.at_ms - since_ms > WAITED_MS:
        since = f"{local_time(since_ms):%Y-%m-%d %H:%M}"
        yield Finding("unsent_long", wrong=True, values={"entries": number, "since": since})
    elif None in times:
        yield Finding("unsent_undated", wrong=True, values={"entries": number})
    else:
        yield Finding("unsent", values={"entries": number})


def _made_ms(reader: JournalReader, session: str, seq: int, known: Known, now: Now, boot: str) -> int | None:
    """When an entry was made, or None when nothing proves it. Raises: JournalError."""
    lines = [*reader.read(session, 0, 1), *reader.read(session, seq, 1)]
    try:
        opening, entry = (read_line(line) for line in lines)
    except (WireError, ValueError):
        return None  # of a newer version
    its_boot = getattr(opening.body, "boot", "")
    contact = known.contacts.get(its_boot)
    if contact is not None:
        return best_now(entry.at, contact).at_ms
    if its_boot == boot:
        return now.at(entry.at.boot_ns).at_ms
    return entry.at.wall_ms if entry.at.state.trusted else None


def _kept(ages: list[SessionAge], known: Known, now: Now) -> Iterator[Finding]:
    """Sessions that should have been let go, by the reason why they were not."""
    if not now.certain:
        return
    until_ms = now.at_ms - KEPT_MS - LATE_MS
    # A session ended before a later one began. A clock that went on from a file may be behind: good enough here.
    old = [number for number, age in enumerate(ages) if age.state is not ClockState.NONE and age.began_ms < until_ms]
    overdue = ages[: old[-1] + 1] if old else []
    acks = set(known.acks)
    lacking = sum(age.head.seq + 1 for age in overdue if age.head not in acks)
    held = sum(age.head.seq + 1 for age in overdue[:-1] if age.head in acks)
    if lacking:
        yield Finding("kept_unsent", wrong=True, values={"entries": lacking})
    if held:
        yield Finding("kept_long", wrong=True, values={"entries": held})


def _asides(settings: KioskSettings, waiting: int) -> Iterator[Finding]:
    """Damaged journals that lie here, by how far what could be read in them has come."""
    asides = asides_of(settings.journal_path)
    if not asides:
        return
    untouched = unsearched(settings.journal_path)
    unread = fruitless(settings.journal_path)
    if unread and set(unread) == set(untouched):
        code = "aside_fruitless"
    else:
        code = "aside_unsearched" if untouched else "aside_waiting" if waiting else "aside_sent"
    files = ", ".join(path.name for path in untouched or asides)
    yield Finding(code, wrong=True, values={"files": files, "folder": settings.data_dir})
