"""Sounds: what the files hold, and how aplay is used."""

import array
import io
import itertools
import os
import shutil
import signal as signal_numbers
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hardware.errors import DriverMissing, SignalLost
from hardware.recording import LONGEST_S, Recording
from hardware.signal import Cue
from hardware.sound import SOUNDS, Manner, SoundSignal, load_sounds
from hardware.tones import RATE_HZ, render, score, to_wav, write_all


def samples_of(wav: bytes) -> list[int]:
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE_HZ)
        return array.array("h", file.readframes(file.getnframes())).tolist()


def dominant_hz(samples: list[int]) -> float:
    """The pitch, from how often the wave crosses zero upwards."""
    crossings = sum(1 for one, next_ in itertools.pairwise(samples) if one < 0 <= next_)
    return crossings * RATE_HZ / len(samples)


@pytest.mark.parametrize("cue", Cue)
def test_the_committed_file_is_what_tones_renders(cue: Cue) -> None:
    assert (SOUNDS / f"{cue}.wav").read_bytes() == to_wav(render(cue))


def test_there_is_a_file_for_each_cue_and_no_other(tmp_path: Path) -> None:
    write_all(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {file.name for file in SOUNDS.iterdir()}


@pytest.mark.parametrize("cue", Cue)
def test_a_sound_is_short_small_never_clipped_and_begins_and_ends_in_silence(cue: Cue) -> None:
    samples = render(cue)
    assert 0.2 <= len(samples) / RATE_HZ <= 1.0
    assert (SOUNDS / f"{cue}.wav").stat().st_size < 40_000
    assert 5_000 < max(map(abs, samples)) < 32_000
    assert abs(samples[0]) < 100
    assert abs(samples[-1]) < 500


def test_in_rises_and_out_falls() -> None:
    for cue, rises in ((Cue.IN, True), (Cue.OUT, False)):
        samples = render(cue)
        third = round(0.12 * RATE_HZ)
        assert (dominant_hz(samples[:third]) < dominant_hz(samples[-2 * third : -third])) is rises


def spectrum(samples: list[int]) -> NDArray[np.float64]:
    """How strong each third of an octave is, of length 1."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    bands = 100 * 2 ** (np.arange(21) / 3)
    strengths = np.sqrt([power[(low <= hertz) & (hertz < high)].sum() for low, high in itertools.pairwise(bands)])
    return np.asarray(strengths / np.linalg.norm(strengths), np.float64)


def envelope(samples: list[int]) -> NDArray[np.float64]:
    """How loud each 60 ms of a second are, of length 1."""
    padded = np.zeros(RATE_HZ, float)
    padded[: len(samples)] = samples
    steps = padded[: 16 * 1378].reshape(16, 1378)
    loudness = np.sqrt((steps**2).mean(axis=1))
    return np.asarray(loudness / np.linalg.norm(loudness), np.float64)


def test_any_two_cues_differ_to_the_ear_in_notes_and_in_pitch_or_rhythm() -> None:
    assert len({score(cue) for cue in Cue}) == len(Cue)
    alike = {
        (one, other): (float(spectrum(a) @ spectrum(b)), float(envelope(a) @ envelope(b)))
        for one, other in itertools.combinations(Cue, 2)
        for a, b in [(render(one), render(other))]
        # In and out are told apart by their direction, which has a test of its own.
        if {one, other} != {Cue.IN, Cue.OUT}
    }
    assert {pair: both for pair, both in alike.items() if min(both) > 0.9} == {}


def heard(path: Path) -> list[int]:
    return array.array("h", path.read_bytes()).tolist()


def play(signal: SoundSignal, cue: Cue) -> None:
    """Play a cue to its end."""
    signal.open()
    signal.play(cue)
    assert signal._running is not None
    assert signal._running.wait(10) == 0
    signal.close()


def to_file(path: Path) -> str:
    """A device that writes what is played to a file, on its way to the null device."""
    return f"file:{path},raw"


def test_aplay_is_given_the_sound_of_the_cue_at_the_volume_of_the_moment(tmp_path: Path) -> None:
    asked: list[Cue] = []

    def manner(cue: Cue) -> Manner:
        asked.append(cue)
        return Manner(0.5)

    play(SoundSignal("voice", device=to_file(tmp_path / "heard"), manner=manner), Cue.UNDONE)
    wanted = render(Cue.UNDONE)
    assert max(abs(2 * one - other) for one, other in zip(heard(tmp_path / "heard"), wanted, strict=False)) <= 1
    assert asked == [Cue.UNDONE]


def test_a_sound_of_ones_own_goes_over_the_tone_and_the_others_stay(tmp_path: Path) -> None:
    own = [1000, -2000, 3000] * 100
    (tmp_path / "in.wav").write_bytes(to_wav(own))
    signal = SoundSignal("voice", directory=tmp_path, device=to_file(tmp_path / "heard"))
    play(signal, Cue.IN)
    assert heard(tmp_path / "heard")[: len(own) + 1] == [*own, 0]
    play(signal, Cue.OUT)
    assert heard(tmp_path / "heard")[: len(render(Cue.OUT))] == render(Cue.OUT)


def test_a_voice_speaks_after_the_tone_the_first_there_is(tmp_path: Path) -> None:
    voices = tmp_path / "voices"
    voices.mkdir()
    spoken = [12_345, -12_345] * RATE_HZ
    (voices / "in.wav").write_bytes(to_wav(spoken))
    (voices / "out.wav").write_bytes(to_wav([1]))

    def manner(cue: Cue) -> Manner:
        return Manner(voices=("in_morning", "in", "out") if cue is Cue.IN else ("nobody",))

    signal = SoundSignal("voice", voice_directory=voices, device=to_file(tmp_path / "heard"), manner=manner)
    play(signal, Cue.IN)
    played = heard(tmp_path / "heard")
    tone = render(Cue.IN)
    assert played[: len(tone)] == tone
    assert played.count(12_345) == RATE_HZ
    play(signal, Cue.BROKEN)
    assert not {12_345, 1} & set(heard(tmp_path / "heard")) - set(render(Cue.BROKEN))


def test_a_long_voice_never_holds_up_the_door_and_the_next_cue_cuts_it(tmp_path: Path) -> None:
    # On a sound card that takes nothing: whatever waited for it would wait for ever.
    fifo = tmp_path / "stuck"
    os.mkfifo(fifo)
    longest = Recording(bytes(round(LONGEST_S * 48_000) * 2 * 2), 48_000, 2)
    (tmp_path / "in.wav").write_bytes(longest.wav())
    signal = SoundSignal("voice", voice_directory=tmp_path, device="null", manner=lambda cue: Manner(voices=(cue,)))
    signal.open()
    signal._device = to_file(fifo)
    signal.play(Cue.IN)
    first = signal._running
    assert first is not None
    assert first.poll() is None
    signal.play(Cue.IN)
    assert first.returncode == -signal_numbers.SIGKILL
    signal.close()


def test_a_sound_that_failed_is_told_at_the_next() -> None:
    signal = SoundSignal("voice", device="null")
    signal.open()
    signal._device = "no-such-device"
    signal.play(Cue.IN)
    assert signal._running is not None
    signal._running.wait(10)
    with pytest.raises(SignalLost, match="aplay failed"):
        signal.play(Cue.IN)
    signal.close()


def test_a_machine_without_aplay_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DriverMissing, match="alsa-utils"):
        SoundSignal("voice", device="null").open()


def test_own_sounds_that_are_wrong_or_missing_make_way_for_those_of_tadaima_and_are_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for cue in set(Cue) - {Cue.ASK}:
        shutil.copy(SOUNDS / f"{cue}.wav", tmp_path)
    (tmp_path / "in.wav").write_bytes(b"an MP3 that was only renamed")
    signal = SoundSignal("voice", directory=tmp_path, voice_directory=tmp_path / "none", device="null")
    for _ in range(3):
        play(signal, Cue.IN)
        play(signal, Cue.ASK)
    faults = load_sounds(tmp_path, tmp_path / "none").faults
    assert [fault.split(":")[0] for fault in faults] == ["in.wav", "ask.wav", str(tmp_path / "none")]
    assert caplog.text.count("left out") == 1


@pytest.mark.parametrize("volume", [-0.1, 1.1])
def test_a_volume_out_of_range_is_refused(volume: float) -> None:
    with pytest.raises(ValueError, match="volume"):
        Manner(volume)
