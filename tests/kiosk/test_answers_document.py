"""docs/answers.md against what there is: every picture, every recording, the hours."""

import re
from pathlib import Path

from attendance.catalogue import Language
from hardware.recording import LONGEST_S
from hardware.signal import Cue
from kiosk.answer import AnswerKind
from kiosk.catalogues import catalogues
from kiosk.config import GreetingSettings
from kiosk.greetings import Greeting
from kiosk.screen.view import IDLE

DOCUMENT = Path(__file__).parents[2] / "docs" / "answers.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
SHOWN = {IDLE, "trouble", "rush", "stale", *AnswerKind, *Greeting}
ENDINGS = ("", "-1280x800", "-ja_easy", "-1280x800-ja_easy")


def test_every_answer_is_pictured_in_both_sizes_and_the_pictures_are_there() -> None:
    pictured = re.findall(r"screens/(kiosk-[a-z_]+[a-z0-9_-]*\.png)", TEXT)
    assert sorted(pictured) == sorted(f"kiosk-{shown}{ending}.png" for shown in SHOWN for ending in ENDINGS)
    assert [name for name in pictured if not (DOCUMENT.parent / "screens" / name).is_file()] == []


def test_every_answer_is_told_in_the_words_of_the_screen() -> None:
    words = catalogues()[Language.JA]
    titles = {words.text(f"screen.{each}.title") for each in {*AnswerKind, *Greeting}}
    assert {title for title in titles if title not in TEXT} == set()


def test_every_recording_that_is_played_is_named() -> None:
    assert {f"{each}.wav" for each in {*Cue, *Greeting} if f"`{each}.wav`" not in TEXT} == set()
    assert f"-t {LONGEST_S:g} " in TEXT


def test_the_hours_are_those_of_the_settings() -> None:
    hours = GreetingSettings()
    assert f"before {hours.morning_until} " in TEXT
    assert f"before {hours.going_out_until} " in TEXT
