"""What tests of the child's screen share: a door that only remembers presses, and answers with a keyword to change."""

from datetime import datetime

from attendance.catalogue import Language
from attendance.clock import JST, ManualClock
from attendance.records import Direction
from attendance.roster import Animal, Colour, DisplayName, Mark
from kiosk.answer import Answer, AnswerKind, DoorStatus
from kiosk.by_staff import StaffDesk, StaffDoor
from kiosk.catalogues import catalogues
from kiosk.screen import Screen

AFTERNOON = datetime(2026, 11, 24, 14, 5, tzinfo=JST)
HANA = DisplayName("田中 花", "たなか はな")
CAT = Mark(Animal.CAT, Colour.ORANGE)
OWL = Mark(Animal.OWL, Colour.PURPLE)
FROG = Mark(Animal.FROG, Colour.PINK)
WHALE = Mark(Animal.WHALE, Colour.YELLOW)
WITHOUT_CHILD = {AnswerKind.UNKNOWN, AnswerKind.FOREIGN, AnswerKind.BROKEN}


def answer(
    id: int = 1,  # noqa: A002
    kind: AnswerKind = AnswerKind.IN,
    *,
    mark: Mark | None = CAT,
    name: DisplayName | None = HANA,
    undo_s: int = 0,
) -> Answer:
    if kind in WITHOUT_CHILD:
        mark = name = None
    return Answer(id, kind, mark, name, undo_s)


def door_status(
    *,
    present: int = 12,
    unsent: int = 0,
    connected: bool = True,
    readers_down: tuple[str, ...] = (),
    broken: bool = False,
    by_staff: bool = False,
    short_of_space: bool = False,
) -> DoorStatus:
    return DoorStatus(present, unsent, connected, readers_down, broken, by_staff, short_of_space)


class RememberedPresses:
    """A door that answers every press and remembers it."""

    def __init__(self) -> None:
        self.undone: list[int] = []
        self.chosen: list[tuple[int, Direction]] = []

    def undo(self, answer_id: int) -> Answer:
        self.undone.append(answer_id)
        return answer(answer_id + 1, AnswerKind.UNDONE)

    def choose(self, answer_id: int, direction: Direction) -> Answer:
        self.chosen.append((answer_id, direction))
        return answer(answer_id + 1, AnswerKind.IN if direction is Direction.ENTRY else AnswerKind.OUT)


def screen(
    presses: RememberedPresses | None = None,
    clock: ManualClock | None = None,
    *,
    language: Language = Language.JA_EASY,
    staff: StaffDoor | None = None,
) -> Screen:
    clock = clock or ManualClock(AFTERNOON)
    desk = None if staff is None else StaffDesk(staff, clock)
    return Screen(presses or RememberedPresses(), catalogues(), clock, language=language, staff=desk)
