"""What a child is greeted with (step 7 of the straight line), by the way it goes and the time of day. Pure."""

from enum import StrEnum
from typing import assert_never

from attendance.records import Direction
from kiosk.config import GreetingSettings
from kiosk.hours import HourMinute


class Greeting(StrEnum):
    """The greetings there are; also the names of their texts, `screen.in_morning.title`, and of their recordings."""

    IN = "in"
    """"Welcome back": from school, or whenever nothing better is known."""
    IN_MORNING = "in_morning"
    """"Good morning": in the long holidays and on Saturdays, children come in the morning."""
    OUT = "out"
    """"Goodbye": home."""
    OUT_DAY = "out_day"
    """"Off you go": by day a child mostly goes to a lesson and comes back."""


def greeting(way: Direction, at: HourMinute | None, hours: GreetingSettings) -> Greeting:
    """Return the greeting for that way at that time of day; without a time, the one that is never wrong."""
    match way:
        case Direction.ENTRY:
            return Greeting.IN_MORNING if at is not None and at < hours.morning_until else Greeting.IN
        case Direction.EXIT:
            return Greeting.OUT_DAY if at is not None and at < hours.going_out_until else Greeting.OUT
        case _:
            assert_never(way)
