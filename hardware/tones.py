"""The sounds of the door, as a pure function from cue to samples; `python -m hardware.tones DIRECTORY` writes them.

Each cue has a shape of its own: in rises, out falls, again knocks twice, undone turns back, unknown buzzes low, staff
chimes like a call over loudspeakers, ask glides up like a question, broken insists.
"""

import array
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import assert_never

from hardware.recording import Recording
from hardware.signal import Cue

RATE_HZ = 22_050
_PEAK = 0.7 * 32_767
_ATTACK_S = 0.008
_RELEASE_S = 0.03

Timbre = Callable[[float], float]
"""From a phase in turns to -1..1."""


@dataclass(frozen=True, slots=True)
class Note:
    """A stretch of sound that glides from one pitch to another; silence when its loudness is 0."""

    from_hz: float
    to_hz: float
    duration_s: float
    timbre: Timbre
    loudness: float = 1.0
    decay_per_s: float = 0.0


def _overtones(amplitudes: tuple[float, ...], turns: float) -> float:
    total = sum(amplitudes)
    return sum(a * math.sin(math.tau * (n + 1) * turns) for n, a in enumerate(amplitudes)) / total


_BELL = partial(_overtones, (1.0, 0.35, 0.12, 0.06))
_WOOD = partial(_overtones, (1.0, 0.1, 0.0, 0.25))
_BUZZ = partial(_overtones, (1.0, 0.7, 0.6, 0.5, 0.45, 0.4, 0.35, 0.3))
_ALARM = partial(_overtones, (1.0, 0.0, 0.6, 0.0, 0.4))


def _ring(hz: float, duration_s: float) -> Note:
    return Note(hz, hz, duration_s, _BELL, decay_per_s=5.0)


def _rest(duration_s: float) -> Note:
    return Note(0.0, 0.0, duration_s, _BELL, loudness=0.0)


def score(cue: Cue) -> tuple[Note, ...]:
    """The notes of a cue."""
    match cue:
        case Cue.IN:
            return _ring(659.3, 0.13), _ring(987.8, 0.45)
        case Cue.OUT:
            return _ring(987.8, 0.13), _ring(587.3, 0.45)
        case Cue.AGAIN:
            knock = Note(523.3, 523.3, 0.09, _WOOD, loudness=0.5, decay_per_s=25.0)
            return knock, _rest(0.07), knock
        case Cue.UNDONE:
            return _ring(784.0, 0.12), _ring(587.3, 0.12), _ring(784.0, 0.35)
        case Cue.UNKNOWN:
            return (Note(147.0, 139.0, 0.5, _BUZZ, loudness=0.9),)
        case Cue.STAFF:
            return tuple(Note(hz, hz, 0.2, _WOOD, loudness=0.9, decay_per_s=6.0) for hz in (440.0, 554.4, 659.3, 880.0))
        case Cue.ASK:
            question = Note(392.0, 698.5, 0.26, _BELL, loudness=0.8)
            return question, _rest(0.1), question
        case Cue.BROKEN:
            high, low = (Note(hz, hz, 0.1, _ALARM) for hz in (1046.5, 740.0))
            return high, low, high, low, high, low, high, low
    assert_never(cue)


def render(cue: Cue) -> list[int]:
    """The cue's samples. Shape: 16-bit signed, mono, RATE_HZ."""
    return [sample for note in score(cue) for sample in _render_note(note)]


def _render_note(note: Note) -> list[int]:
    count = round(note.duration_s * RATE_HZ)
    samples: list[int] = []
    turns = 0.0
    for index in range(count):
        at_s, left_s = index / RATE_HZ, (count - index) / RATE_HZ
        envelope = min(1.0, at_s / _ATTACK_S, left_s / _RELEASE_S) * math.exp(-note.decay_per_s * at_s)
        samples.append(round(_PEAK * note.loudness * envelope * note.timbre(turns)))
        turns += (note.from_hz + (note.to_hz - note.from_hz) * index / count) / RATE_HZ
    return samples


def to_wav(samples: Sequence[int]) -> bytes:
    """A WAV file of the samples."""
    return Recording(array.array("h", samples).tobytes(), RATE_HZ).wav()


def write_all(directory: Path) -> None:
    """Write `<cue>.wav` for every cue."""
    for cue in Cue:
        (directory / f"{cue}.wav").write_bytes(to_wav(render(cue)))


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
