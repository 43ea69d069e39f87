"""What the door answers a child: the value that the door (steps 2 to 6) hands to screen and signals (step 7)."""

from dataclasses import dataclass
from enum import StrEnum

from attendance.roster import DisplayName, Mark


class AnswerKind(StrEnum):
    """The answers a child can get; each has a colour, a shape, a sound and a text of its own."""

    IN = "in"
    OUT = "out"
    AGAIN_IN = "again_in"
    """Already in: the card was shown again, nothing was recorded."""
    AGAIN_OUT = "again_out"
    UNDONE = "undone"
    UNKNOWN = "unknown"
    """A card of ours that nobody at this site holds."""
    FOREIGN = "foreign"
    """Not one of our cards: a poster's QR, a train card, a phone."""
    ASK = "ask"
    """Which way? Two large targets."""
    STAFF = "staff"
    """A rule needs a grown-up: fetch staff."""
    BROKEN = "broken"
    """The record could not be written: red, loud, fetch staff."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, ready to be shown; holds no more of a child than the screen may show."""

    id: int
    """Counts up within the process; a button press names the answer it belongs to."""
    kind: AnswerKind
    mark: Mark | None = None
    name: DisplayName | None = None
    """None when the kiosk does not know names since its boot."""
    undo_s: int = 0
    """How long まちがえた is offered; 0 for not at all."""


@dataclass(frozen=True, slots=True)
class DoorStatus:
    """What the idle screen shows of the kiosk's own state, for staff."""

    present: int
    """Children in, as far as this kiosk knows."""
    unsent: int
    connected: bool
    readers_down: tuple[str, ...]
    """Names of readers that do not answer."""
    broken: bool
    """The journal cannot be written."""
    by_staff: bool = False
    """The site has a staff PIN: who forgot the card can be entered by hand."""
    short_of_space: bool = False
    """The disk is so full that the space held back for the journal is used up."""


class Whereabouts(StrEnum):
    """Where a child is today."""

    NOT_YET = "not_yet"
    IN = "in"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class ChildNow:
    """A child of the roster as the staff panel may show it."""

    child: str
    mark: Mark
    name: DisplayName | None
    whereabouts: Whereabouts
