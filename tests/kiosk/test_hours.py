"""Hours, greetings, and how a speaker plays by them."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.clock import JST, ClockState, ManualClock
from attendance.records import Direction
from hardware.signal import Cue
from kiosk.config import GreetingSettings, SignalKind, SignalSettings
from kiosk.greetings import Greeting, greeting
from kiosk.hours import between, hour_minute
from kiosk.manner import manner

MIDNIGHT = datetime(2026, 7, 28, tzinfo=JST)
TIMES = [f"{hour:02}:{minute:02}" for hour in range(24) for minute in range(60)]
times = st.sampled_from(TIMES)
OFF = GreetingSettings(morning_until="00:00", going_out_until="00:00")


def at(time: str, *, state: ClockState = ClockState.NTP) -> ManualClock:
    hour, minute = map(int, time.split(":"))
    return ManualClock(MIDNIGHT + timedelta(hours=hour, minutes=minute), state=state)


def speaker(*, quiet: tuple[str, str] | None = ("18:00", "08:00")) -> SignalSettings:
    quiet_from, quiet_until = quiet or (None, None)
    return SignalSettings(
        name="speaker",
        kind=SignalKind.SOUND,
        volume=0.8,
        quiet_volume=0.2,
        quiet_from=quiet_from,
        quiet_until=quiet_until,
    )


@given(times)
def test_the_time_of_day_is_that_of_the_wall_in_japan(time: str) -> None:
    clock = at(time)
    assert hour_minute(clock.read()) == time
    clock.advance(60)
    assert hour_minute(clock.read(), ago_ns=60_000_000_000) == time


@given(times, times)
def test_from_one_time_to_another_and_from_there_back_is_a_day(one: str, other: str) -> None:
    inside = {time for time in TIMES if between(time, one, other)}
    outside = {time for time in TIMES if between(time, other, one)}
    if one == other:
        assert not inside
    else:
        assert inside | outside == set(TIMES)
        assert not inside & outside
        assert one in inside
        assert other not in inside


@given(times)
def test_a_site_may_have_the_same_greetings_all_day(time: str) -> None:
    assert {greeting(way, time, OFF) for way in Direction} == {Greeting.IN, Greeting.OUT}


@pytest.mark.parametrize(
    ("time", "volume"), [("07:59", 0.2), ("08:00", 0.8), ("17:59", 0.8), ("18:00", 0.2), ("00:00", 0.2)]
)
def test_a_speaker_is_quiet_in_its_quiet_hours_over_midnight(time: str, volume: float) -> None:
    assert manner(Cue.IN, speaker(), GreetingSettings(), at(time).read()).volume == volume


def test_that_nothing_is_recorded_is_loud_at_any_hour() -> None:
    volumes = {cue: manner(cue, speaker(), GreetingSettings(), at("23:00").read()).volume for cue in Cue}
    assert [cue for cue, volume in volumes.items() if volume == 0.8] == [Cue.BROKEN]


def test_without_a_time_or_without_quiet_hours_a_speaker_is_loud() -> None:
    unset = at("23:00", state=ClockState.NONE)
    assert manner(Cue.IN, speaker(), GreetingSettings(), unset.read()).volume == 0.8
    assert manner(Cue.IN, speaker(quiet=None), GreetingSettings(), at("23:00").read()).volume == 0.8


def test_the_voice_says_what_the_screen_says() -> None:
    morning, evening, unset = at("09:00"), at("17:00"), at("09:00", state=ClockState.NONE)
    said = {
        (cue, clock): manner(cue, speaker(), GreetingSettings(), clock.read()).voices
        for cue in (Cue.IN, Cue.OUT, Cue.STAFF)
        for clock in (morning, evening, unset)
    }
    assert said[Cue.IN, morning] == ("in_morning", "in")
    assert said[Cue.OUT, morning] == ("out_day", "out")
    assert {said[Cue.IN, clock][0] for clock in (evening, unset)} == {"in"}
    assert {said[Cue.OUT, clock][0] for clock in (evening, unset)} == {"out"}
    assert {said[Cue.STAFF, clock] for clock in (morning, evening, unset)} == {("staff",)}
