"""What staff are told of a kiosk's trouble: a sentence for every code that a kiosk sends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.catalogue import Language
from attendance.wire import DoorProblem, Health, SyncProblem
from kiosk.door_report import READER_DOWN
from server.catalogues import catalogues
from server.offer import trouble_of
from server.web.trouble import Trouble, troubles

DOWN = {"camera": READER_DOWN, "nfc": READER_DOWN}


def told(*problems: str, readers: dict[str, str] | None = None) -> tuple[Trouble, ...]:
    return troubles(trouble_of(Health(app="1", unsent=0, readers=readers or {}, problems=problems)))


def messages(*problems: str, readers: dict[str, str] | None = None) -> list[str]:
    return [each.message for each in told(*problems, readers=readers)]


def test_nothing_is_told_of_a_kiosk_that_is_well() -> None:
    assert told(readers={"camera": "up"}) == ()


def test_each_reader_that_is_down_is_told_by_its_name() -> None:
    assert [each.reader for each in told(readers=DOWN)] == ["camera", "nfc"]
    assert {each.message for each in told(readers=DOWN)} == {"web.trouble.reader"}


def test_the_name_of_a_reader_may_hold_a_colon() -> None:
    (only,) = told(readers={"nfc:usb": READER_DOWN})
    assert only.reader == "nfc:usb"


@pytest.mark.parametrize("code", [*DoorProblem, *SyncProblem])
def test_every_code_of_a_kiosk_has_a_sentence_of_its_own(code: str) -> None:
    (only,) = told(code)
    assert only.message != "web.trouble.other"
    assert only.code == code


def test_a_code_that_is_new_to_this_server_is_named_in_a_general_sentence() -> None:
    assert told("disk_low") == (Trouble("web.trouble.other", "disk_low"),)


def test_of_a_door_that_is_silent_no_reader_is_told() -> None:
    assert messages(DoorProblem.DOOR_SILENT, readers=DOWN) == ["web.trouble.door_silent"]


def test_two_codes_with_one_meaning_are_told_once() -> None:
    assert told(SyncProblem.CHAIN_DIFFERS, DoorProblem.JOURNAL_UNWRITABLE, SyncProblem.ENTRY_REFUSED) == (
        Trouble("web.trouble.records_held", SyncProblem.CHAIN_DIFFERS),
        Trouble("web.trouble.journal_unwritable", DoorProblem.JOURNAL_UNWRITABLE),
    )


@given(st.text(max_size=60))
def test_whatever_a_kiosk_sends_each_language_has_words_for_it(codes: str) -> None:
    for each in troubles(codes):
        for language in Language:
            words = catalogues()[language].text(each.message, kiosk="K", reader=each.reader, code=each.code)
            assert "K" in words
