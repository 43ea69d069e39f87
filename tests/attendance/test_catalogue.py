"""Catalogues: a sentence that is there is said, one that is not is an error."""

import io

import pytest

from attendance.catalogue import Catalogue, Language
from attendance.errors import WireError

PO = """
msgid ""
msgstr ""
"Language: en\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "screen.entry"
msgstr "お帰り, {name}!"

msgid "screen.present"
msgid_plural "screen.present"
msgstr[0] "{n} child in {room}"
msgstr[1] "{n} children in {room}"

#, fuzzy
msgid "screen.doubtful"
msgstr "perhaps"

msgid "screen.empty"
msgstr ""
"""


def catalogue(po: str = PO, language: Language = Language.EN) -> Catalogue:
    return Catalogue(language, io.BytesIO(po.encode()))


def test_a_sentence_is_said_with_its_values() -> None:
    assert catalogue().text("screen.entry", name="はな") == "お帰り, はな!"


@pytest.mark.parametrize(("number", "said"), [(0, "0 children"), (1, "1 child"), (2, "2 children")])
def test_a_counted_sentence_takes_the_form_that_fits(number: int, said: str) -> None:
    assert catalogue().counted("screen.present", number, room="A") == f"{said} in A"


@pytest.mark.parametrize("message", ["screen.nothing", "screen.doubtful", "screen.empty", ""])
def test_a_sentence_that_is_not_there_empty_or_doubtful_is_an_error(message: str) -> None:
    with pytest.raises(KeyError):
        catalogue().text(message)
    with pytest.raises(KeyError):
        catalogue().counted(message, 1)


def test_a_sentence_without_number_forms_cannot_be_counted() -> None:
    with pytest.raises(KeyError):
        catalogue().counted("screen.entry", 1, name="x")


def test_a_value_that_a_sentence_wants_and_does_not_get_is_an_error() -> None:
    with pytest.raises(KeyError):
        catalogue().text("screen.entry")


def test_the_ids_are_those_that_can_be_said() -> None:
    assert catalogue().ids == {"screen.entry", "screen.present"}


@pytest.mark.parametrize("po", ["nonsense", 'msgid "a'])
def test_a_file_that_is_no_catalogue_is_a_wire_error(po: str) -> None:
    with pytest.raises(WireError, match="catalogue en"):
        catalogue(po)


def test_a_file_that_is_not_utf8_is_a_wire_error() -> None:
    with pytest.raises(WireError):
        Catalogue(Language.JA, io.BytesIO(PO.encode("cp932")))


def test_easy_japanese_is_japanese_to_a_screen_reader() -> None:
    assert [language.html for language in Language] == ["ja", "ja", "en"]


def test_a_sentence_can_be_said_in_other_words_and_the_catalogue_stays_as_it_is() -> None:
    shipped = catalogue()
    own = shipped.saying({"screen.entry": "Hi {name}", "screen.present": "{n} in {room}"})
    assert own.text("screen.entry", name="はな") == "Hi はな"
    assert own.counted("screen.present", 1, room="A") == "1 in A"
    assert own.saying({"screen.entry": "Hello {name}"}).counted("screen.present", 2, room="A") == "2 in A"
    assert shipped.text("screen.entry", name="はな") == "お帰り, はな!"


def test_the_forms_of_a_sentence_are_as_the_file_has_them() -> None:
    assert catalogue().forms("screen.entry") == ("お帰り, {name}!",)
    assert catalogue().forms("screen.present") == ("{n} child in {room}", "{n} children in {room}")
    with pytest.raises(KeyError):
        catalogue().forms("screen.doubtful")
