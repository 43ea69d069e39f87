"""A recording: a WAV file, checked when it is loaded, made quieter when it is played. For `hardware.sound`."""

import io
import wave
from dataclasses import dataclass
from pathlib import Path

LONGEST_S = 5.0
"""A child at the door does not wait longer; and what is held in memory stays small."""
_SAMPLE_BYTES = 2
_CHANNELS = (1, 2)
_RATES_HZ = range(8_000, 48_001)
_WANTED = "16-bit PCM is wanted: ffmpeg -i FILE -ac 1 -ar 44100 -c:a pcm_s16le NEW.wav"


@dataclass(frozen=True, slots=True)
class Recording:
    """Samples that can be played. Shape: interleaved int16 of this machine's byte order."""

    frames: bytes
    rate_hz: int
    channels: int = 1

    def wav(self, volume: float = 1.0) -> bytes:
        """Return a WAV file of it. Units: volume 0 to 1."""
        file = io.BytesIO()
        with wave.open(file, "wb") as target:
            target.setnchannels(self.channels)
            target.setsampwidth(_SAMPLE_BYTES)
            target.setframerate(self.rate_hz)
            target.writeframes(_scaled(self.frames, volume))
        return file.getvalue()


def load_recording(path: Path) -> Recording:
    """Return the recording in a file. Raises: OSError; ValueError that says what is wrong and what is wanted."""
    try:
        with wave.open(str(path), "rb") as source:
            form = source.getparams()
            if form.sampwidth != _SAMPLE_BYTES:
                raise ValueError(f"{path.name}: {8 * form.sampwidth}-bit; {_WANTED}")
            if form.nchannels not in _CHANNELS or form.framerate not in _RATES_HZ:
                raise ValueError(f"{path.name}: {form.nchannels} channels at {form.framerate} Hz; {_WANTED}")
            longest = round(LONGEST_S * form.framerate)
            frames = source.readframes(longest + 1)
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path.name}: not a WAV file of whole numbers ({error or 'too short'}); {_WANTED}") from error
    whole = len(frames) // (_SAMPLE_BYTES * form.nchannels)
    if not 0 < whole <= longest:
        raise ValueError(f"{path.name}: more than 0 and at most {LONGEST_S:g} seconds are wanted")
    return Recording(frames[: whole * _SAMPLE_BYTES * form.nchannels], form.framerate, form.nchannels)


def _scaled(frames: bytes, volume: float) -> bytes:
    import numpy as np  # large, and only a door with a speaker needs it

    scaled: bytes = np.rint(np.frombuffer(frames, np.int16) * np.float32(volume)).astype(np.int16).tobytes()
    return scaled
