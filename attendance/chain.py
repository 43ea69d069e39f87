"""The hash chain of a session: adding an entry to it, and verifying a stretch of entries."""

from collections.abc import Iterable

from attendance.errors import WireError
from attendance.records import (
    FIRST_PREV,
    AttendanceRecord,
    Head,
    JournalLine,
    RecordDraft,
    SessionOpened,
    read_line,
    write_line,
)

SECOND_HEADER = "a session entry opens a session, once"
"""Why a header elsewhere, or none at the beginning, is not taken."""


def place(draft: RecordDraft, *, kiosk: str, session: str, after: Head | None) -> tuple[AttendanceRecord, JournalLine]:
    """Return the draft as the next entry of its session. Raises: WireError unless a session opens it, and only once."""
    if (after is None) != isinstance(draft.body, SessionOpened):
        raise WireError("journal", SECOND_HEADER)
    if after is not None and after.session != session:
        raise WireError("journal", "entries of two sessions in one chain")
    record = AttendanceRecord(
        kiosk=kiosk,
        session=session,
        seq=0 if after is None else after.seq + 1,
        at=draft.at,
        body=draft.body,
        prev=FIRST_PREV if after is None else after.hash,
    )
    return record, write_line(record)


def verify(lines: Iterable[JournalLine], *, after: Head | None = None) -> Head | None:
    """Return the head after a contiguous stretch of one session. Raises: WireError at the first entry out of place."""
    head = after
    for stored in lines:
        record = read_line(stored)
        expected = (FIRST_PREV, 0) if head is None else (head.hash, head.seq + 1)
        if (record.prev, record.seq) != expected:
            raise WireError("journal", f"entry {record.seq} does not follow entry {expected[1] - 1}")
        if head is not None and record.session != head.session:
            raise WireError("journal", "entries of two sessions in one chain")
        head = Head(record.session, record.seq, stored.hash)
    return head
