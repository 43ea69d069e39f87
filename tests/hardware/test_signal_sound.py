"""Sounds: what the files hold, and how aplay is used."""

import array
import io
import itertools
import shutil
import wave
from pathlib import Path

import pytest

from hardware.errors import DriverMissing, SignalLost
from hardware.signal import Cue
from hardware.sound import LARGEST_WAV_BYTES, SOUNDS, SoundSignal, load_wav
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


def test_no_two_cues_share_their_notes() -> None:
    assert len({score(cue) for cue in Cue}) == len(Cue)


def test_volume_scales_every_sample() -> None:
    loud = samples_of(load_wav(SOUNDS / "in.wav", volume=1.0))
    quiet = samples_of(load_wav(SOUNDS / "in.wav", volume=0.5))
    assert loud == render(Cue.IN)
    assert all(abs(low - high / 2) <= 0.5 for low, high in zip(quiet, loud, strict=True))
    assert not any(samples_of(load_wav(SOUNDS / "in.wav", volume=0.0)))


def test_aplay_is_given_the_sound_of_the_cue(tmp_path: Path) -> None:
    # ALSA's file plugin writes what is played to a file, on its way to the null device.
    heard = tmp_path / "heard.raw"
    signal = SoundSignal("voice", device=f"file:{heard},raw")
    signal.open()
    signal.play(Cue.UNDONE)
    assert signal._running is not None
    signal._running.wait(10)
    signal.close()
    played = array.array("h", heard.read_bytes()).tolist()
    assert played[: len(render(Cue.UNDONE))] == render(Cue.UNDONE)


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


@pytest.mark.parametrize("wrong", [b"", b"RIFF", b"not a sound at all", to_wav([0] * LARGEST_WAV_BYTES)])
def test_a_file_that_is_no_short_sound_is_a_lost_signal(wrong: bytes, tmp_path: Path) -> None:
    shutil.copytree(SOUNDS, tmp_path, dirs_exist_ok=True)
    (tmp_path / "ask.wav").write_bytes(wrong)
    with pytest.raises(SignalLost, match="sound file"):
        SoundSignal("voice", directory=tmp_path, device="null").open()


@pytest.mark.parametrize("volume", [-0.1, 1.1])
def test_a_volume_out_of_range_is_refused(volume: float) -> None:
    with pytest.raises(ValueError, match="volume"):
        SoundSignal("voice", volume=volume)
