"""What the doctor says of the ways in which the door answers."""

import shutil
from pathlib import Path

import pytest

from attendance.catalogue import Language
from attendance.policy import Policy, WayMode
from hardware.sound import SOUNDS
from kiosk.catalogues import catalogues
from kiosk.config import KioskSettings, ScreenSettings, SignalKind, SignalSettings
from kiosk.doctor.answers import check_answers, check_asking

NO_SCREEN = ScreenSettings(enabled=False)


def speaker(*, directory: str = "", voice_directory: str = "") -> KioskSettings:
    signal = SignalSettings(name="speaker", kind=SignalKind.SOUND, directory=directory, voice_directory=voice_directory)
    return KioskSettings(signals=(signal,))


def codes(settings: KioskSettings) -> list[str]:
    return [finding.code for finding in check_answers(settings)]


def test_a_door_that_could_answer_nothing_is_told() -> None:
    assert codes(KioskSettings(screen=NO_SCREEN)) == ["answers_none"]
    assert codes(KioskSettings()) == []
    lights = SignalSettings(name="lights", kind=SignalKind.GPIO)
    assert codes(KioskSettings(screen=NO_SCREEN, signals=(lights,))) == []


@pytest.mark.parametrize("way", WayMode)
def test_a_door_that_is_to_ask_needs_a_screen(way: WayMode) -> None:
    found = list(check_asking(KioskSettings(screen=NO_SCREEN), Policy(way=way)))
    assert [finding.code for finding in found] == (["ask_without_screen"] if way is WayMode.ASK else [])
    assert list(check_asking(KioskSettings(), Policy(way=way))) == []


def test_own_sounds_that_are_right_are_no_finding(tmp_path: Path) -> None:
    voices = tmp_path / "voices"
    voices.mkdir()
    shutil.copy(SOUNDS / "in.wav", voices / "in_morning.wav")
    assert codes(speaker(directory=str(SOUNDS), voice_directory=str(voices))) == []
    assert codes(speaker()) == []


@pytest.mark.parametrize("language", list(Language))
def test_own_sounds_that_are_never_played_are_told_by_their_names(tmp_path: Path, language: Language) -> None:
    shutil.copy(SOUNDS / "in.wav", tmp_path / "good_morning.wav")
    (tmp_path / "out.wav").write_bytes(b"an MP3 that was only renamed")
    (finding,) = check_answers(speaker(voice_directory=str(tmp_path)))
    told, _ = finding.sentences(catalogues()[language])
    assert "speaker" in told
    assert "out.wav: not a WAV file" in told
    assert "good_morning.wav" in told
