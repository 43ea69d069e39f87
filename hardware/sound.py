"""Sounds through ALSA's `aplay`: a signal at step 7 of the straight line. WAV files named after the cues will do."""

import array
import contextlib
import io
import shutil
import subprocess
import sys
import wave
from pathlib import Path

from hardware.errors import DriverMissing, SignalLost
from hardware.signal import Cue

SOUNDS = Path(__file__).parent / "sounds"
"""The sounds that come with Tadaima."""
LARGEST_WAV_BYTES = 60_000
"""What fits into a pipe at once, so that `play` never waits for the sound card."""
_PROBE_TIMEOUT_S = 5.0


class SoundSignal:
    """Plays `<cue>.wav` from a directory on an ALSA device; `volume` is a share of the file's loudness."""

    def __init__(self, name: str, *, directory: Path = SOUNDS, device: str = "default", volume: float = 1.0) -> None:
        """Set up without touching the device. Units: volume 0 to 1. Raises: ValueError for a volume outside."""
        if not 0.0 <= volume <= 1.0:
            raise ValueError("volume is 0 to 1")
        self.name = name
        self._directory = directory
        self._device = device
        self._volume = volume
        self._sounds: dict[Cue, bytes] | None = None
        self._running: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        """Load the sounds and try the device with a moment of silence.

        Raises: SignalLost when a file or the sound card is missing, DriverMissing when `aplay` is.
        """
        self.close()
        if shutil.which("aplay") is None:
            raise DriverMissing("aplay", "apt install alsa-utils")
        try:
            sounds = {cue: load_wav(self._directory / f"{cue}.wav", volume=self._volume) for cue in Cue}
        except (OSError, EOFError, ValueError, wave.Error) as error:
            raise SignalLost(self.name, f"sound file: {error}") from error
        silence = load_wav(self._directory / f"{Cue.AGAIN}.wav", volume=0.0)
        try:
            subprocess.run(self._command(), input=silence, capture_output=True, timeout=_PROBE_TIMEOUT_S, check=True)
        except subprocess.CalledProcessError as error:
            raise SignalLost(self.name, _last_line(error.stderr)) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SignalLost(self.name, str(error)) from error
        self._sounds = sounds

    def play(self, cue: Cue) -> None:
        """Start the sound and cut a running one short. Raises: SignalLost when not open or the last sound failed."""
        if self._sounds is None:
            raise SignalLost(self.name, "not open")
        failed = self._silence()
        if failed:
            raise SignalLost(self.name, "aplay failed")
        try:
            process = subprocess.Popen(
                self._command(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            raise SignalLost(self.name, str(error)) from error
        self._running = process
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:  # a failed aplay is told by its exit status
            pipe.write(self._sounds[cue])

    def close(self) -> None:
        """Silence and let go of the device. Idempotent; never raises."""
        self._silence()
        self._sounds = None

    def _silence(self) -> bool:
        """Stop a running sound; whether the last one had failed of itself."""
        process, self._running = self._running, None
        if process is None:
            return False
        failed = process.poll() not in (None, 0)
        process.kill()
        process.wait()
        return failed

    def _command(self) -> list[str]:
        return ["aplay", "-q", "-D", self._device, "-"]


def load_wav(path: Path, *, volume: float) -> bytes:
    """A 16-bit WAV file made quieter.

    Raises: OSError, EOFError, wave.Error, ValueError when it is not 16-bit or too long.
    """
    with wave.open(str(path), "rb") as source:
        parameters = source.getparams()
        frames = source.readframes(source.getnframes())
    if parameters.sampwidth != 2 or len(frames) > LARGEST_WAV_BYTES:
        raise ValueError(f"{path.name} must be 16-bit and at most {LARGEST_WAV_BYTES} bytes")
    samples = array.array("h", frames)
    if sys.byteorder == "big":
        samples.byteswap()
    scaled = array.array("h", (round(sample * volume) for sample in samples))
    if sys.byteorder == "big":
        scaled.byteswap()
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setparams(parameters)
        target.writeframes(scaled.tobytes())
    return file.getvalue()


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "aplay failed"
