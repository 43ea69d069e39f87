"""Sounds through ALSA's `aplay`: a signal at step 7 of the straight line. WAV files named after the cues will do.

A sound goes to `aplay` as a file in memory: the door never waits for the sound card, however long a sound is.
"""

import logging
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from hardware.errors import DriverMissing, SignalLost
from hardware.recording import Recording, load_recording
from hardware.signal import Cue

log = logging.getLogger(__name__)

SOUNDS = Path(__file__).parent / "sounds"
"""The sounds that come with Tadaima."""
_PROBE_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Manner:
    """How a cue is to be played just now. Units: volume 0 to 1. Raises: ValueError for a volume outside."""

    volume: float = 1.0
    voices: tuple[str, ...] = ()
    """Names of recordings that may be spoken after the tone; the first that there is is taken."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.volume <= 1.0:
            raise ValueError("volume is 0 to 1")


def full_volume(_cue: Cue) -> Manner:
    """The same for every cue at every hour."""
    return Manner()


@dataclass(frozen=True, slots=True)
class Sounds:
    """What a speaker can play, and what is wrong with sounds of one's own, a sentence each."""

    tones: dict[Cue, Recording]
    voices: dict[str, Recording]
    faults: tuple[str, ...]


def load_sounds(directory: Path | None, voice_directory: Path | None) -> Sounds:
    """Load Tadaima's tones, over them those of a directory, and the voices; of one's own, what is wrong is left out.

    Raises: OSError, ValueError when one of Tadaima's own cannot be loaded.
    """
    tones = {cue: load_recording(SOUNDS / f"{cue}.wav") for cue in Cue}
    voices: dict[str, Recording] = {}
    faults: list[str] = []
    if directory is not None:
        for cue in Cue:
            tones.update((cue, own) for own in _loaded(directory / f"{cue}.wav", faults))
    if voice_directory is not None:
        paths = sorted(voice_directory.glob("*.wav"))
        if not paths:
            faults.append(f"{voice_directory}: no .wav file in it")
        voices = {path.stem: voice for path in paths for voice in _loaded(path, faults)}
    return Sounds(tones, voices, tuple(faults))


class SoundSignal:
    """Plays a cue's tone on an ALSA device, and then what a voice has to say to it.

    `<cue>.wav` in `directory` goes over the tone that comes with Tadaima; `voice_directory` holds the spoken
    recordings. `manner` is asked at each cue, so that volume and words may depend on the time of day.
    """

    def __init__(
        self,
        name: str,
        *,
        directory: Path | None = None,
        voice_directory: Path | None = None,
        device: str = "default",
        manner: Callable[[Cue], Manner] = full_volume,
    ) -> None:
        """Set up without touching the device."""
        self.name = name
        self._directory = directory
        self._voice_directory = voice_directory
        self._device = device
        self._manner = manner
        self._sounds: Sounds | None = None
        self._told: tuple[str, ...] = ()
        self._running: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        """Load the sounds and try the device with a moment of silence.

        A sound of one's own that is missing or wrong makes way for the one that comes with Tadaima, and is logged.
        Raises: SignalLost when the sound card is missing, DriverMissing when `aplay` is.
        """
        self.close()
        if shutil.which("aplay") is None:
            raise DriverMissing("aplay", "apt install alsa-utils")
        try:
            sounds = load_sounds(self._directory, self._voice_directory)
        except (OSError, ValueError) as error:
            raise SignalLost(self.name, f"sound file: {error}") from error
        self._probe(sounds.tones[Cue.AGAIN].wav(0.0))
        if sounds.faults and sounds.faults != self._told:
            log.warning("sounds of one's own left out signal=%s reasons=%r", self.name, sounds.faults)
        self._told = sounds.faults
        self._sounds = sounds

    def play(self, cue: Cue) -> None:
        """Start the sound and cut a running one short. Raises: SignalLost when not open or the last sound failed."""
        if self._sounds is None:
            raise SignalLost(self.name, "not open")
        failed = self._silence()
        if failed:
            raise SignalLost(self.name, "aplay failed")
        manner = self._manner(cue)
        voices = self._sounds.voices
        spoken = [voices[voice] for voice in manner.voices if voice in voices][:1]
        try:
            self._running = self._aplay([sound.wav(manner.volume) for sound in (self._sounds.tones[cue], *spoken)])
        except OSError as error:
            raise SignalLost(self.name, str(error)) from error

    def close(self) -> None:
        """Silence and let go of the device. Idempotent; never raises."""
        self._silence()
        self._sounds = None

    def _probe(self, silence: bytes) -> None:
        """Play it to the end. Raises: SignalLost."""
        try:
            probe = self._aplay([silence], stderr=subprocess.PIPE)
        except OSError as error:
            raise SignalLost(self.name, str(error)) from error
        try:
            _, complaint = probe.communicate(timeout=_PROBE_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            probe.kill()
            probe.communicate()
            raise SignalLost(self.name, str(error)) from error
        if probe.returncode:
            raise SignalLost(self.name, _last_line(complaint))

    def _silence(self) -> bool:
        """Stop a running sound; whether the last one had failed of itself."""
        process, self._running = self._running, None
        if process is None:
            return False
        failed = process.poll() not in (None, 0)
        process.kill()
        process.wait()
        return failed

    def _aplay(self, wavs: Sequence[bytes], *, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        with ExitStack() as stack:
            files = [stack.enter_context(os.fdopen(os.memfd_create("tadaima-sound"), "wb")) for _ in wavs]
            for file, wav in zip(files, wavs, strict=True):
                file.write(wav)
                file.flush()
            numbers = [file.fileno() for file in files]
            return subprocess.Popen(
                ["aplay", "-q", "-D", self._device, *(f"/proc/self/fd/{number}" for number in numbers)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                pass_fds=numbers,
            )


def _loaded(path: Path, faults: list[str]) -> Iterator[Recording]:
    """Yield the recording of the file; or nothing, and add to the faults why."""
    try:
        yield load_recording(path)
    except FileNotFoundError:
        faults.append(f"{path.name}: missing in {path.parent}")
    except OSError as error:
        faults.append(f"{path.name}: {error.strerror}")
    except ValueError as error:
        faults.append(str(error))


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "aplay failed"
