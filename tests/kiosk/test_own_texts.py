"""Texts of a site's own: which are taken, and that none of those breaks an answer or leaves the page."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, expect

from attendance.catalogue import Catalogue, Language
from attendance.clock import ManualClock
from attendance.errors import SettingsError
from attendance.settings import show
from kiosk.answer import AnswerKind
from kiosk.catalogues import catalogues, with_own_texts
from kiosk.config import KioskSettings, load
from kiosk.own_texts import SCREEN, problems, room, width
from kiosk.screen import Screen
from tests.kiosk.screen_parts import AFTERNOON, RememberedPresses, answer, door_status
from tests.kiosk.test_screen_browser import BADLY_PLACED, SIZES, opened, see, serving

JA = catalogues()[Language.JA]
DOCUMENT = Path(__file__).parents[2] / "docs" / "kiosk-settings.md"
IDS = sorted(message for message in JA.ids if message.startswith(SCREEN))


def wrong(message: str, text: str, words: Catalogue = JA) -> str:
    return "\n".join(problems(words, {message: text}))


@pytest.mark.parametrize(
    ("message", "text", "told"),
    [
        ("screen.in.titel", "おかえり", "did you mean 'screen.in.title'?"),
        ("doctor.well", "だいじょうぶ", "no such text"),
        ("", "おかえり", "docs/kiosk-settings.md"),
        ("screen.name", "さん", "must hold {kana}"),
        ("screen.name", "{kanji} さん", "must hold {kana}"),
        ("screen.name", "{kana!r} さん", "must hold {kana}"),
        ("screen.name", "{kana:>99}", "must hold {kana}"),
        ("screen.name", "{kana.__class__}", "must hold {kana}"),
        ("screen.name", "{} さん", "must hold {kana}"),
        ("screen.name", "{kana さん", "a brace that is to be read"),
        ("screen.present", "いま なんにん？", "must hold {n}"),
        ("screen.in.title", "おかえり {kana}", "has no place for {kana}"),
        ("screen.in.title", "おかえり }", "a brace that is to be read"),
        ("screen.in.title", "", "one line of letters"),
        ("screen.in.title", " ", "one line of letters"),
        ("screen.in.title", "おかえり\nなさい", "one line of letters"),
        ("screen.in.title", "おかえり なさい みんな まって いたよ", "too long by 6"),
        ("screen.in.title", "おかえりなさいみんなね", "set spaces"),
        ("screen.choose.entry", "いま きたところだよ", "too long"),
    ],
)
def test_a_text_that_could_break_an_answer_is_told(message: str, text: str, told: str) -> None:
    assert told in wrong(message, text)


@pytest.mark.parametrize("language", list(Language))
def test_the_texts_that_ship_would_be_taken(language: Language) -> None:
    words = catalogues()[language]
    single = {each: words.forms(each)[0] for each in IDS if len(words.forms(each)) == 1}
    assert list(problems(words, single)) == []


def test_the_space_of_a_japanese_keyboard_is_a_space() -> None:
    assert wrong("screen.in.title", "おかえり\u3000なさい\u3000みんな") == ""
    assert "one line of letters" in wrong("screen.in.title", "\u3000")


def test_a_brace_may_be_read() -> None:
    assert wrong("screen.in.title", "{{おかえり}}") == ""
    assert JA.saying({"screen.in.title": "{{おかえり}}"}).text("screen.in.title") == "{おかえり}"


@given(st.sampled_from(IDS), st.text("おか{}{kana}{n}{0}!:. あx\\%", max_size=12))
def test_a_text_that_is_taken_can_always_be_said(message: str, text: str) -> None:
    if wrong(message, text):
        return
    words = JA.saying({message: text})
    values = dict.fromkeys(("kana", "colour", "animal", "month", "day", "weekday", "names"), "x")
    assert words.counted(message, 3) if "{n}" in JA.forms(message)[0] else words.text(message, **values)


def test_a_text_of_ones_own_is_said_and_the_others_stay() -> None:
    words = with_own_texts(Language.JA, {"screen.in.title": "やあ！", "screen.present": "{n}にん いるよ"})[Language.JA]
    assert words.text("screen.in.title") == "やあ！"
    assert words.counted("screen.present", 3) == "3にん いるよ"
    assert words.text("screen.out.title") == JA.text("screen.out.title")
    assert JA.text("screen.in.title") == "おかえり！"


@pytest.mark.parametrize("toml", ['"screen.in.title" = "やあ！"', 'screen.in.title = "やあ！"'])
def test_ids_are_written_with_quotes_or_without_and_are_shown(tmp_path: Path, toml: str) -> None:
    file = tmp_path / "kiosk.toml"
    file.write_text(f"[texts]\n{toml}\n", encoding="utf-8")
    settings = load(file, environ={}, flags={})
    assert settings.texts == {"screen.in.title": "やあ！"}
    assert '* texts."screen.in.title" = "やあ！"' in list(show(settings))


def test_texts_are_those_of_the_language_that_is_set() -> None:
    flags = {"texts.screen.present": "{n} in, all well and fine", "language": "en"}
    assert load(None, environ={}, flags=flags).language is Language.EN
    with pytest.raises(SettingsError, match="too long"):
        load(None, environ={}, flags=flags | {"texts.screen.present": "{n} in, all of them well and fine, thank you"})
    assert load(None, environ={}, flags={}) == KioskSettings()


def test_the_document_lists_every_text_as_it_is() -> None:
    rows = re.findall(r"^\| (.+) \| `(screen\.[a-z_.]+)` \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    groups = ("screen.animal.", "screen.colour.", "screen.weekday.")
    assert {each: text for text, each in rows} == {
        each: " / ".join(JA.forms(each)) for each in IDS if not each.startswith(groups)
    }


def longest(message: str) -> str:
    """A text as long as one may be, in the widest letter and the longest pieces."""
    letters, piece = room(JA, message)
    line = ("ぬ" * int(piece) + " ") * int(letters)
    while width(line) > letters:
        line = line[:-1]
    text = "".join(re.findall(r"\{\w+\}", JA.forms(message)[0])) + line
    assert wrong(message, text) == ""
    return text


@pytest.mark.parametrize("size", SIZES)
def test_the_longest_texts_that_are_taken_stay_on_the_page(browser: Browser, size: str, tmp_path: Path) -> None:
    said = ("title", "note", "staff", "entry", "exit", "undo", "present")
    texts = {message: longest(message) for message in IDS if message.rpartition(".")[2] in said}
    shown = Screen(
        RememberedPresses(), with_own_texts(Language.JA, texts), ManualClock(AFTERNOON), language=Language.JA
    )
    shown.status(door_status())
    badly = {}
    with serving(shown) as server, opened(browser, server, size) as page:
        expect(page.locator("#signs li")).to_have_count(1)
        badly["idle"] = page.evaluate(BADLY_PLACED)
        for number, kind in enumerate(AnswerKind):
            shown.show(answer(number, kind, undo_s=8 if kind in {AnswerKind.IN, AnswerKind.OUT} else 0))
            see(page, kind)
            page.screenshot(path=tmp_path / f"{kind}.png")
            badly[kind] = page.evaluate(BADLY_PLACED)
    assert {kind: found for kind, found in badly.items() if found} == {}
