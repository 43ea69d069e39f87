"""Whether the door can answer: by a screen or a signal at all, in one's own sounds, and by asking a child which way."""

from collections.abc import Iterator
from pathlib import Path

from attendance.finding import Finding
from attendance.policy import Policy, WayMode
from hardware.signal import Cue
from hardware.sound import load_sounds
from kiosk.config import KioskSettings, SignalKind, SignalSettings
from kiosk.greetings import Greeting


def check_answers(settings: KioskSettings) -> Iterator[Finding]:
    """Yield what is wrong with the ways in which the settings let the door answer."""
    if not settings.screen.enabled and not settings.signals:
        yield Finding("answers_none", wrong=True)
    for signal in settings.signals:
        if signal.kind is SignalKind.SOUND:
            yield from _own_sounds(signal)


def check_asking(settings: KioskSettings, policy: Policy) -> Iterator[Finding]:
    """Yield a finding when the door is to ask each child which way it goes, and has no screen for it."""
    if policy.way is WayMode.ASK and not settings.screen.enabled:
        yield Finding("ask_without_screen", wrong=True)


def _own_sounds(signal: SignalSettings) -> Iterator[Finding]:
    sounds = load_sounds(_folder(signal.directory), _folder(signal.voice_directory))
    never_played = set(sounds.voices) - {*map(str, Cue), *map(str, Greeting)}
    reasons = [*sounds.faults, *(f"{name}.wav" for name in sorted(never_played))]
    if reasons:
        yield Finding("sounds_wrong", wrong=True, values={"name": signal.name, "reasons": "; ".join(reasons)})


def _folder(name: str) -> Path | None:
    return Path(name) if name else None
