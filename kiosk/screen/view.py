"""What the page is told: the stage in words, marks and numbers; all that is left to the browser is to draw it."""

from typing import Literal

import msgspec

from attendance.catalogue import Catalogue
from attendance.clock import NS_IN_MS, ClockReading, ClockState, local_time
from attendance.records import Direction
from attendance.roster import ANIMAL_EMOJI, Mark
from kiosk.answer import Answer, AnswerKind, DoorStatus
from kiosk.config import GreetingSettings
from kiosk.greetings import Greeting, greeting
from kiosk.hours import hour_minute
from kiosk.screen.stage import Shown, Stage

IDLE: Literal["idle"] = "idle"
_WAYS = {AnswerKind.IN: Direction.ENTRY, AnswerKind.OUT: Direction.EXIT}
_WITH_STAFF_LINE = frozenset({AnswerKind.UNKNOWN, AnswerKind.STAFF, AnswerKind.BROKEN})


class MarkView(msgspec.Struct, frozen=True):
    """A child's mark as it is drawn, with its name for who cannot see it."""

    emoji: str
    colour: str
    label: str


class RecentView(msgspec.Struct, frozen=True):
    """A small mark in the row of those who just passed."""

    id: int
    mark: MarkView
    way: str


class SignView(msgspec.Struct, frozen=True):
    """One sign of the strip for staff."""

    icon: Literal["online", "offline", "unsent", "reader", "disk", "clock"]
    text: str
    trouble: bool


class View(msgspec.Struct, frozen=True):
    """The whole page; sent at each change and once a second, so that a lost message harms nobody."""

    process: str
    """Changes when the door process does: the page then loads itself anew."""
    kind: str
    """An AnswerKind, or idle."""
    answer: int | None
    title: str
    name: str
    note: str
    staff: str
    mark: MarkView | None
    undo_ms: int
    """What is left of the undo window; 0 for no button."""
    undo_of_ms: int
    recent: tuple[RecentView, ...]
    present: str
    time: str
    date: str
    signs: tuple[SignView, ...]
    silent: bool
    """The door behind the screen hangs: the page goes grey, as if it heard nothing."""
    by_staff: bool
    """Whether the button for who has no card is there."""


def view(stage: Stage, reading: ClockReading, words: Catalogue, *, process: str, greetings: GreetingSettings) -> View:
    """Return the page of a settled stage at that reading of the clocks."""
    shown = stage.shown
    kind = shown.answer.kind if shown else AnswerKind.BROKEN if stage.broken else IDLE
    answer = shown.answer if shown else None
    undo_ms = max(0, shown.undo_until_ns - reading.boot_ns) // NS_IN_MS if shown else 0
    said = _greeting(shown, reading, greetings) or kind
    time, date = _time_of_day(reading, words)
    return View(
        process=process,
        kind=kind,
        answer=answer.id if answer else None,
        title=words.text(f"screen.{said}.title"),
        name=_name(answer, words),
        note=words.text(f"screen.{said}.note"),
        staff=words.text(f"screen.{kind}.staff") if kind in _WITH_STAFF_LINE else "",
        mark=mark_view(answer.mark, words) if answer and answer.mark else None,
        undo_ms=undo_ms,
        undo_of_ms=answer.undo_s * 1000 if answer else 0,
        recent=tuple(
            RecentView(passed.answer.id, mark_view(passed.answer.mark, words), passed.answer.kind)
            for passed in stage.recent
            if passed.answer.mark
        ),
        present=words.counted("screen.present", stage.status.present) if stage.status else "",
        time=time,
        date=date,
        signs=_signs(stage.status, reading, words),
        silent=stage.silent(reading.boot_ns),
        by_staff=stage.status is not None and stage.status.by_staff,
    )


def _greeting(shown: Shown | None, reading: ClockReading, greetings: GreetingSettings) -> Greeting | None:
    """The greeting of the moment the answer came, so that no hour that strikes changes it; None for other answers."""
    way = _WAYS.get(shown.answer.kind) if shown else None
    if shown is None or way is None:
        return None
    return greeting(way, hour_minute(reading, ago_ns=reading.boot_ns - shown.at_ns), greetings)


def _name(answer: Answer | None, words: Catalogue) -> str:
    """The name a child can read; without one the mark's, which the child knows as well."""
    if answer is None or answer.mark is None:
        return ""
    if answer.name is not None:
        return words.text("screen.name", kana=answer.name.kana)
    return mark_view(answer.mark, words).label


def mark_view(mark: Mark, words: Catalogue) -> MarkView:
    """Return a mark as it is drawn and read aloud."""
    label = words.text(
        "screen.mark",
        colour=words.text(f"screen.colour.{mark.colour}"),
        animal=words.text(f"screen.animal.{mark.animal}"),
    )
    return MarkView(ANIMAL_EMOJI[mark.animal], mark.colour, label)


def _time_of_day(reading: ClockReading, words: Catalogue) -> tuple[str, str]:
    if reading.state is ClockState.NONE:
        return "", ""  # no time is better than a wrong one
    at = local_time(reading.wall_ms)
    weekday = words.text(f"screen.weekday.{at.isoweekday()}")
    return f"{at:%H:%M}", words.text("screen.date", month=at.month, day=at.day, weekday=weekday)


def _signs(status: DoorStatus | None, reading: ClockReading, words: Catalogue) -> tuple[SignView, ...]:
    signs = []
    if status is not None:
        lamp: Literal["online", "offline"] = "online" if status.connected else "offline"
        signs.append(SignView(lamp, words.text(f"screen.sign.{lamp}"), trouble=not status.connected))
        if status.unsent:
            unsent = words.counted("screen.sign.unsent", status.unsent)
            signs.append(SignView("unsent", unsent, trouble=not status.connected))
        if status.readers_down:
            names = words.text("screen.sign.and").join(status.readers_down)
            signs.append(SignView("reader", words.text("screen.sign.reader", names=names), trouble=True))
        if status.short_of_space:
            signs.append(SignView("disk", words.text("screen.sign.disk"), trouble=True))
    if reading.state is ClockState.NONE:
        signs.append(SignView("clock", words.text("screen.sign.clock"), trouble=True))
    return tuple(signs)
