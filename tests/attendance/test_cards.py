"""Cards: the textual form, what is refused, and what never shows."""

import random
from string import ascii_lowercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.cards import (
    TEXT_LENGTH,
    TOKEN_BYTES,
    CardForm,
    CardToken,
    Trust,
    looks_like_card,
    parse_card,
    trust_of,
    uid_card,
)
from attendance.errors import CardFormatError

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
QR_ALPHANUMERIC = set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")
TEXT = CardToken(bytes(range(16))).text
UID_KEY = bytes(range(32))
tokens = st.binary(min_size=TOKEN_BYTES, max_size=TOKEN_BYTES).map(CardToken)


def single_changes(text: str) -> list[str]:
    return [
        text[:place] + letter + text[place + 1 :]
        for place in range(len(text))
        for letter in ALPHABET
        if letter != text[place]
    ]


@given(tokens)
def test_a_token_survives_being_printed_and_read(token: CardToken) -> None:
    assert CardToken.from_text(token.text) == token
    assert parse_card(token.text.encode()) == token.ref


@given(tokens)
def test_every_text_fits_a_small_qr_code_in_alphanumeric_mode(token: CardToken) -> None:
    assert len(token.text) == TEXT_LENGTH
    assert set(token.text) <= QR_ALPHANUMERIC


def test_the_form_of_a_card_in_circulation_never_changes() -> None:
    assert TEXT == "TAAAQEAYEAUDAOCAJBIFQYDIOB6W7"
    assert CardToken.from_text(TEXT).ref.card_hash == "d39c28c298f7f7d21f669ab11ffc8f0563deca63ce1bb93fe86bc067a28fbe6b"


def test_one_misread_letter_gets_through_in_fewer_than_one_of_a_thousand_cases() -> None:
    """A 12-bit check lets 1 of 4,096 pass by chance; the sample is fixed, so the figure does not move."""
    draw = random.Random(20260401)
    changed = [each for _ in range(60) for each in single_changes(CardToken(draw.randbytes(TOKEN_BYTES)).text)]
    assert len(changed) > 50_000
    passed = sum(looks_like_card(text.encode()) for text in changed)
    assert passed / len(changed) < 1 / 1000


def test_no_misread_letter_turns_a_card_into_itself() -> None:
    for text in single_changes(TEXT):
        try:
            assert CardToken.from_text(text).ref != CardToken.from_text(TEXT).ref
        except CardFormatError:
            continue


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"T",
        TEXT.lower().encode(),
        TEXT[:-1].encode(),
        TEXT.encode() + b"\n",
        TEXT.encode() + b"A",
        b" " + TEXT.encode(),
        b"U" + TEXT[1:].encode(),
        TEXT.replace("A", "1").encode(),
        TEXT.encode("utf-16"),
        b"https://example.jp/menu",
        "やまだ たろう".encode(),
        "T" + "\uff21" * 28,
        b"\xff\x00" * 14,
        b"WIFI:S:guest;T:WPA;P:secret;;",
        b"9" * 4296,
    ],
    ids=repr,
)
def test_anything_else_is_refused_without_being_repeated(payload: bytes | str) -> None:
    raw = payload.encode() if isinstance(payload, str) else payload
    assert not looks_like_card(raw)
    with pytest.raises(CardFormatError) as refused:
        parse_card(raw)
    assert len(raw) < 4 or raw.decode(errors="replace").strip() not in str(refused.value)


@given(st.binary(max_size=200))
def test_no_payload_makes_the_parser_fail_in_another_way(payload: bytes) -> None:
    looks_like_card(payload)


@pytest.mark.parametrize("place", range(TEXT_LENGTH))
def test_one_lower_case_letter_is_refused(place: int) -> None:
    text = TEXT[:place] + TEXT[place].lower() + TEXT[place + 1 :]
    assert looks_like_card(text.encode()) == (TEXT[place] not in ascii_lowercase.upper())


@given(tokens)
def test_a_token_never_shows_itself(token: CardToken) -> None:
    shown = f"{token!r} {token} {[token]} {token.ref!r} {token.ref}"
    assert token.text not in shown
    assert token.ref.card_hash not in shown
    assert token.ref.short in shown


@given(tokens, tokens)
def test_tokens_are_equal_when_their_bits_are(one: CardToken, other: CardToken) -> None:
    assert (one == other) == (one.text == other.text)
    assert one != one.text
    assert len({one, CardToken.from_text(one.text)}) == 1


def test_fresh_tokens_differ() -> None:
    assert len({CardToken.new() for _ in range(100)}) == 100


@pytest.mark.parametrize("size", [0, 15, 17])
def test_a_token_of_another_size_is_a_mistake_in_the_program(size: int) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        CardToken(bytes(size))


def test_a_uid_is_known_only_by_a_hash_under_the_key_of_the_municipality() -> None:
    uid = bytes.fromhex("04a1b2c3d4e5f6")
    card = uid_card(CardForm.UID, uid, UID_KEY)
    assert card.form is CardForm.UID
    assert card == uid_card(CardForm.UID, uid, UID_KEY)
    assert card.card_hash != uid_card(CardForm.UID, uid, bytes(32)).card_hash
    assert card.card_hash != uid_card(CardForm.IDM, uid, UID_KEY).card_hash


@pytest.mark.parametrize(("form", "uid"), [(CardForm.TOKEN, b"1234"), (CardForm.UID, b""), (CardForm.IDM, b"")])
def test_what_has_no_uid_gives_no_card(form: CardForm, uid: bytes) -> None:
    with pytest.raises(CardFormatError):
        uid_card(form, uid, UID_KEY)


def test_only_a_token_of_ours_is_believed_to_be_no_forgery() -> None:
    assert {form: trust_of(form) for form in CardForm} == {
        CardForm.TOKEN: Trust.T1, CardForm.UID: Trust.T0, CardForm.IDM: Trust.T0,
    }  # fmt: skip
