"""The words of a notice: in the guardian's language alone, at the site's time, late and unsettled when it is so."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.catalogue import Language
from attendance.clock import JST, from_ms
from attendance.records import Direction
from server.catalogues import catalogues
from server.notify.messages import Notice, render
from server.notify.transport import Message
from tests.server import factories as make

LATE_AFTER_S = 300
NOTICE = Notice(
    delivery_id="one",
    topic="moved",
    direction=Direction.ENTRY,
    at_ms=make.NOON_MS,
    settled=True,
    site_name="Hikari",
    child_name="Aoki Sakura",
    address="g@example.jp",
)
KANA = re.compile("[\N{HIRAGANA LETTER SMALL A}-\N{KATAKANA LETTER SMALL KE}]")
ALL = st.sampled_from(list(Language))


def said(notice: Notice = NOTICE, language: Language = Language.EN, *, after_s: float = 10) -> Message:
    return render(
        notice, catalogues()[language], now_ms=notice.at_ms + round(after_s * 1000), late_after_s=LATE_AFTER_S
    )


def sentence(language: Language, message: str) -> str:
    return catalogues()[language].text(message)


def test_an_entry_is_told_with_child_site_day_and_time() -> None:
    message = said()
    assert message.subject == "Aoki Sakura arrived at 12:00 (Hikari)"
    assert message.body.startswith("Aoki Sakura arrived at Hikari on Wed, Apr 15 at 12:00.\n")


def test_an_exit_is_told_as_an_exit() -> None:
    assert said(replace(NOTICE, direction=Direction.EXIT)).subject == "Aoki Sakura left at 12:00 (Hikari)"


@pytest.mark.parametrize(("direction", "what"), [(Direction.ENTRY, "arrived at"), (Direction.EXIT, "left")])
def test_a_correction_says_which_notice_was_wrong(direction: Direction, what: str) -> None:
    message = said(replace(NOTICE, topic="undone", direction=direction))
    assert message.subject == "Correction: Aoki Sakura at 12:00 (Hikari)"
    first = f"The notice that Aoki Sakura {what} Hikari on Wed, Apr 15 at 12:00 was a mistake."
    assert message.body.startswith(first)


@pytest.mark.parametrize("language", list(Language))
def test_a_correction_makes_no_words_about_the_clock(language: Language) -> None:
    body = said(replace(NOTICE, topic="undone", settled=False), language, after_s=LATE_AFTER_S + 1).body
    assert sentence(language, "mail.late") not in body
    assert sentence(language, "mail.unsettled") not in body


def test_japanese_notices_write_day_and_time_as_their_readers_do() -> None:
    afternoon = replace(NOTICE, at_ms=make.NOON_MS + (3 * 60 + 4) * 60_000)
    assert "4月15日(水) 15:04" in said(afternoon, Language.JA).body
    assert "4月15日（水曜日） 午後3時4分" in said(afternoon, Language.JA_EASY).body


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize(("after_s", "late"), [(0, False), (LATE_AFTER_S, False), (LATE_AFTER_S + 1, True)])
def test_a_notice_says_that_it_is_late_when_it_is_and_only_then(language: Language, after_s: int, late: bool) -> None:
    message = said(language=language, after_s=after_s)
    assert (sentence(language, "mail.late") in message.body) is late


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("settled", [True, False])
def test_a_time_that_nothing_vouches_for_is_told_as_approximate(language: Language, settled: bool) -> None:
    message = said(replace(NOTICE, settled=settled), language)
    assert (sentence(language, "mail.unsettled") in message.body) is not settled


@pytest.mark.parametrize("language", list(Language))
def test_every_notice_says_how_to_stop_it(language: Language) -> None:
    footer = catalogues()[language].text("mail.footer", site="Hikari")
    assert said(language=language).body.endswith(footer + "\n")


@given(
    language=ALL,
    child_name=st.text(),
    site_name=st.text(),
    at_ms=st.integers(0, 253_370_764_800_000),
    after_s=st.integers(-10_000, 1_000_000),
    settled=st.booleans(),
    topic=st.sampled_from(["moved", "undone"]),
    direction=st.sampled_from(list(Direction)),
)
def test_any_name_at_any_time_can_be_told(
    language: Language,
    child_name: str,
    site_name: str,
    at_ms: int,
    after_s: int,
    settled: bool,
    topic: str,
    direction: Direction,
) -> None:
    notice = replace(
        NOTICE,
        child_name=child_name,
        site_name=site_name,
        at_ms=at_ms,
        settled=settled,
        topic=topic,
        direction=direction,
    )
    message = said(notice, language, after_s=after_s)
    at = from_ms(at_ms).astimezone(JST)
    assert child_name in message.subject
    assert f"{at.day}" in message.body
    assert f"{at.minute:02}" in message.body or f"{at.minute}分" in message.body


@given(language=ALL, after_s=st.integers(0, 100_000), settled=st.booleans(), topic=st.sampled_from(["moved", "undone"]))
def test_a_notice_is_never_in_two_languages(language: Language, after_s: int, settled: bool, topic: str) -> None:
    message = said(replace(NOTICE, settled=settled, topic=topic), language, after_s=after_s)
    for text in (message.subject, message.body):
        assert (KANA.search(text) is None) is (language is Language.EN)
    if language is not Language.EN:
        latin = re.sub("Aoki Sakura|Hikari", "", message.subject + message.body)
        assert re.search("[A-Za-z]", latin) is None
