"""How a speaker plays a cue at this time of day: how loud, and in which spoken words. Pure; asked at each cue."""

from attendance.clock import ClockReading
from attendance.records import Direction
from hardware.signal import Cue
from hardware.sound import Manner
from kiosk.config import GreetingSettings, SignalSettings
from kiosk.greetings import greeting
from kiosk.hours import HourMinute, between, hour_minute

_WAYS = {Cue.IN: Direction.ENTRY, Cue.OUT: Direction.EXIT}


def manner(cue: Cue, wanted: SignalSettings, greetings: GreetingSettings, reading: ClockReading) -> Manner:
    """Return volume and voices; a clock that was never set is no reason to be quiet."""
    at = hour_minute(reading)
    way = _WAYS.get(cue)
    voices = (str(cue),) if way is None else (greeting(way, at, greetings), str(cue))
    return Manner(wanted.quiet_volume if _quiet(cue, wanted, at) else wanted.volume, voices)


def _quiet(cue: Cue, wanted: SignalSettings, at: HourMinute | None) -> bool:
    if cue is Cue.BROKEN or at is None or wanted.quiet_from is None or wanted.quiet_until is None:
        return False  # that nothing is recorded must be heard in the next room at any hour
    return between(at, wanted.quiet_from, wanted.quiet_until)
