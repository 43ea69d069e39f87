"""Values of the attendance package for tests, each with a default for every part that a test does not care about."""

from datetime import UTC, datetime

from attendance.cards import CardRef, CardToken
from attendance.chain import place
from attendance.clock import ClockReading, ClockState
from attendance.presence import Movement
from attendance.records import Body, Direction, Head, JournalLine, MadeBy, Moved, RecordDraft, SessionOpened

KIOSK = "0195b0a0-0000-7000-8000-000000000001"
CHILD = "0195b0a0-0000-7000-8000-0000000000c1"
SESSION = "5e551010000000000000000000000001"
BOOT = "b0070000000000000000000000000001"
KEY_ID = "d855cea10555c9a3c967649799f13e50"
NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
NOON_MS = 1_775_012_400_000
CARD = CardToken(bytes(range(16))).ref


def reading(
    *, wall_ms: int = NOON_MS, wall_err_ms: int | None = 12, boot_ns: int = 90_000_000_000, state: str = "ntp"
) -> ClockReading:
    return ClockReading(wall_ms=wall_ms, wall_err_ms=wall_err_ms, boot_ns=boot_ns, state=ClockState(state))


def opened(*, boot: str = BOOT, heads: tuple[Head, ...] = ()) -> SessionOpened:
    return SessionOpened(boot=boot, app="0.1.0", key=KEY_ID, heads=heads)


def moved(*, child: str = CHILD, direction: Direction = Direction.ENTRY, card: CardRef | None = CARD) -> Moved:
    return Moved(child=child, direction=direction, by=MadeBy.CARD if card else MadeBy.BUTTON, card=card)


def draft(body: Body | None = None, *, at: ClockReading | None = None) -> RecordDraft:
    return RecordDraft(body=body or moved(), at=at or reading())


def chained(*bodies: Body, kiosk: str = KIOSK, session: str = SESSION) -> list[JournalLine]:
    """The lines of a session that begins with a header and goes on with the bodies."""
    head: Head | None = None
    lines = []
    for body in (opened(), *bodies):
        record, line = place(draft(body), kiosk=kiosk, session=session, after=head)
        head = Head(session, record.seq, line.hash)
        lines.append(line)
    return lines


def movement(
    number: int = 0, *, child: str = CHILD, direction: Direction = Direction.ENTRY, at_ms: int = NOON_MS
) -> Movement:
    return Movement(id=f"{SESSION}:{number}", child=child, direction=direction, at_ms=at_ms)
