"""The view: the stage in words and marks, in every language."""

import re
from dataclasses import replace
from datetime import datetime

import pytest

from attendance.catalogue import Language
from attendance.clock import JST, ClockState, ManualClock
from attendance.roster import all_marks
from kiosk.answer import AnswerKind
from kiosk.catalogues import catalogues
from kiosk.config import GreetingSettings
from kiosk.screen.stage import Stage, enter
from kiosk.screen.view import View, view
from tests.kiosk.screen_parts import AFTERNOON, CAT, OWL, answer, door_status

KANJI = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
FOR_CHILDREN = ("title", "name", "note", "present", "date")


def seen(stage: Stage, clock: ManualClock | None = None, language: Language = Language.JA) -> View:
    reading = (clock or ManualClock(AFTERNOON, boot_ns=0)).read()
    return view(stage, reading, catalogues()[language], process="p", greetings=GreetingSettings())


@pytest.mark.parametrize("kind", AnswerKind)
@pytest.mark.parametrize("language", [Language.JA, Language.JA_EASY])
def test_children_read_no_kanji(kind: AnswerKind, language: Language) -> None:
    stage = enter(replace(Stage(), status=door_status()), answer(1, kind), 0)
    shown = seen(stage, language=language)
    texts = [getattr(shown, field) for field in FOR_CHILDREN] + [shown.mark.label if shown.mark else ""]
    assert [text for text in texts if KANJI.search(text)] == []


@pytest.mark.parametrize("language", list(Language))
def test_every_answer_has_a_sentence_of_its_own(language: Language) -> None:
    said = {(v := seen(enter(Stage(), answer(1, kind), 0), language=language)).title + v.note for kind in AnswerKind}
    assert len(said) == len(AnswerKind)


@pytest.mark.parametrize(
    ("hour", "minute", "kind", "title"),
    [
        (7, 55, AnswerKind.IN, "おはよう！"),
        (10, 59, AnswerKind.IN, "おはよう！"),
        (11, 0, AnswerKind.IN, "おかえり！"),
        (17, 0, AnswerKind.IN, "おかえり！"),
        (9, 0, AnswerKind.OUT, "いってらっしゃい！"),
        (15, 59, AnswerKind.OUT, "いってらっしゃい！"),
        (16, 0, AnswerKind.OUT, "さようなら！"),
        (18, 59, AnswerKind.OUT, "さようなら！"),
    ],
)
def test_a_child_is_greeted_by_the_time_of_day(hour: int, minute: int, kind: AnswerKind, title: str) -> None:
    clock = ManualClock(datetime(2026, 7, 28, hour, minute, 30, tzinfo=JST), boot_ns=0)
    assert seen(enter(Stage(), answer(1, kind), 0), clock).title == title


def test_the_hour_that_strikes_does_not_change_a_greeting_that_stands() -> None:
    clock = ManualClock(datetime(2026, 7, 28, 10, 59, 58, tzinfo=JST), boot_ns=0)
    stage = enter(Stage(), answer(), 0)
    clock.advance(3)
    assert (seen(stage, clock).title, seen(stage, clock).time) == ("おはよう！", "11:00")


@pytest.mark.parametrize(("kind", "title"), [(AnswerKind.IN, "おかえり！"), (AnswerKind.OUT, "さようなら！")])
def test_without_a_time_the_greeting_is_one_that_is_never_wrong(kind: AnswerKind, title: str) -> None:
    clock = ManualClock(datetime(2026, 7, 28, 9, 0, tzinfo=JST), boot_ns=0, state=ClockState.NONE)
    assert seen(enter(Stage(), answer(1, kind), 0), clock).title == title


def test_a_movement_taken_back_is_not_greeted() -> None:
    assert seen(enter(Stage(), answer(1, AnswerKind.UNDONE), 0)).title == "とりけしたよ"


def test_every_mark_there_is_can_be_drawn_and_named() -> None:
    labels = {mark.label for each in all_marks() if (mark := seen(enter(Stage(), answer(mark=each), 0)).mark)}
    assert len(labels) == len(all_marks())


def test_the_name_is_the_kana() -> None:
    assert seen(enter(Stage(), answer(), 0)).name == "たなか はな さん"


def test_without_names_since_the_boot_the_mark_is_named() -> None:
    assert seen(enter(Stage(), answer(name=None), 0)).name == "オレンジの ねこ"


def test_a_card_without_a_child_shows_neither_mark_nor_name() -> None:
    shown = seen(enter(Stage(), answer(1, AnswerKind.UNKNOWN), 0))
    assert (shown.mark, shown.name) == (None, "")


def test_the_undo_window_counts_down() -> None:
    clock = ManualClock(AFTERNOON, boot_ns=0)
    stage = enter(Stage(), answer(undo_s=8), 0)
    clock.advance(2.5)
    shown = seen(stage, clock)
    assert (shown.undo_ms, shown.undo_of_ms) == (5500, 8000)


def test_an_undo_window_that_is_over_offers_nothing() -> None:
    clock = ManualClock(AFTERNOON, boot_ns=0)
    stage = enter(Stage(), answer(undo_s=2), 0)
    clock.advance(3)
    assert seen(stage, clock).undo_ms == 0


def test_who_just_passed_is_seen_by_mark_and_way() -> None:
    stage = enter(enter(Stage(), answer(1, AnswerKind.OUT), 0), answer(2, mark=OWL), 1)
    assert [(recent.id, recent.mark.label, recent.way) for recent in seen(stage).recent] == [
        (1, "オレンジの ねこ", "out")
    ]
    assert CAT != OWL


def test_the_time_is_that_of_the_wall_in_japan() -> None:
    clock = ManualClock(datetime(2026, 11, 24, 0, 7, tzinfo=JST))
    shown = seen(Stage(), clock)
    assert (shown.time, shown.date) == ("00:07", "11がつ 24にち かようび")


def test_a_clock_that_was_never_set_shows_no_time_and_tells_staff() -> None:
    shown = seen(Stage(), ManualClock(AFTERNOON, state=ClockState.NONE))
    assert (shown.time, shown.date) == ("", "")
    assert [sign.icon for sign in shown.signs if sign.trouble] == ["clock"]


def test_a_connected_kiosk_has_one_calm_sign() -> None:
    signs = seen(replace(Stage(), status=door_status())).signs
    assert [(sign.icon, sign.trouble) for sign in signs] == [("online", False)]


def test_records_on_their_way_are_no_trouble_while_connected() -> None:
    signs = seen(replace(Stage(), status=door_status(unsent=2))).signs
    assert [(sign.icon, sign.trouble) for sign in signs] == [("online", False), ("unsent", False)]


def test_a_kiosk_in_trouble_says_each_trouble() -> None:
    status = door_status(connected=False, unsent=37, readers_down=("nfc", "qr"))
    signs = seen(replace(Stage(), status=status)).signs
    assert [sign.icon for sign in signs if sign.trouble] == ["offline", "unsent", "reader"]
    assert "37" in signs[1].text
    assert "nfc、qr" in signs[2].text


def test_a_disk_that_is_nearly_full_is_a_sign_for_staff() -> None:
    signs = seen(replace(Stage(), status=door_status(short_of_space=True))).signs
    assert [(sign.icon, sign.trouble) for sign in signs] == [("online", False), ("disk", True)]


def test_a_broken_journal_is_red_with_nobody_there() -> None:
    assert seen(replace(Stage(), status=door_status(broken=True))).kind == AnswerKind.BROKEN


def test_one_child_is_counted_as_one_in_english() -> None:
    one = seen(replace(Stage(), status=door_status(present=1)), language=Language.EN)
    two = seen(replace(Stage(), status=door_status(present=2)), language=Language.EN)
    assert (one.present, two.present) == ("1 child is in", "2 children are in")
