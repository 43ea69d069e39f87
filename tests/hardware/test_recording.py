"""Recordings: which WAV files can be played, and how they are made quieter."""

import io
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hardware.recording import LONGEST_S, Recording, load_recording
from hardware.signal import Cue
from hardware.sound import SOUNDS
from hardware.tones import render


def wav(*, seconds: float = 0.5, rate_hz: int = 44_100, channels: int = 1, width: int = 2) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(channels)
        target.setsampwidth(width)
        target.setframerate(rate_hz)
        target.writeframes(bytes(width * channels * round(seconds * rate_hz)))
    return file.getvalue()


def loaded(folder: Path, content: bytes) -> Recording:
    path = folder / "in.wav"
    path.write_bytes(content)
    return load_recording(path)


def test_volume_scales_every_sample() -> None:
    recording = load_recording(SOUNDS / "in.wav")
    loud, quiet = samples(recording.wav()), samples(recording.wav(0.5))
    assert loud.tolist() == render(Cue.IN)
    assert max(abs(2 * quiet - loud)) <= 1
    assert not samples(recording.wav(0.0)).any()


def samples(content: bytes) -> NDArray[np.int_]:
    with wave.open(io.BytesIO(content)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(int)


@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 1), (22_050, 1), (44_100, 2), (48_000, 2)])
def test_what_a_phone_or_arecord_makes_can_be_played(tmp_path: Path, rate_hz: int, channels: int) -> None:
    recording = loaded(tmp_path, wav(seconds=LONGEST_S, rate_hz=rate_hz, channels=channels))
    assert (recording.rate_hz, recording.channels) == (rate_hz, channels)
    assert len(recording.frames) == LONGEST_S * rate_hz * channels * 2
    assert loaded(tmp_path, recording.wav()) == recording


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not a WAV file"),
        (b"RIFF", "not a WAV file"),
        (b"ID3\x04 an MP3 that was only renamed" * 9, "not a WAV file"),
        (wav()[:20] + b"\x03\x00" + wav()[22:], "unknown format: 3"),  # floating point
        (wav(width=3), "24-bit; 16-bit PCM is wanted: ffmpeg"),
        (wav(channels=6), "6 channels at 44100 Hz"),
        (wav(rate_hz=96_000), "1 channels at 96000 Hz"),
        (wav(seconds=LONGEST_S + 0.01), "at most 5 seconds"),
        (wav(seconds=0), "more than 0"),
    ],
)
def test_a_file_that_cannot_be_played_says_why_and_what_is_wanted(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=r"^in.wav: ") as caught:
        loaded(tmp_path, content)
    assert told in str(caught.value)
