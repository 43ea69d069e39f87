"""The staff PIN: what is one, what is too easy, and a hash that says nothing quickly."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance.staff_pin import draw_pin, hash_pin, is_easy, is_pin, is_understood, matches
from tests.attendance.wire_examples import STAFF_PIN

digits = st.text("0123456789", min_size=4, max_size=8)


@pytest.mark.parametrize("text", ["0007", "471108", "98765432"])
def test_four_to_eight_digits_are_a_pin(text: str) -> None:
    assert is_pin(text)


@pytest.mark.parametrize("text", ["", "123", "123456789", "12 4", "12a4", "-1234", "1234\n", "１２３４", "١٢٣٤"])
def test_anything_else_is_none_and_matches_nothing(text: str) -> None:
    assert not is_pin(text)
    assert not matches(text, STAFF_PIN)


@pytest.mark.parametrize("pin", ["0000", "99999999", "1234", "0123", "7890", "123456", "4321", "9876543", "0987"])
def test_what_children_try_first_is_easy(pin: str) -> None:
    assert is_easy(pin)


@pytest.mark.parametrize("pin", ["4711", "1235", "1122", "1357", "2468"])
def test_other_digits_are_not(pin: str) -> None:
    assert not is_easy(pin)


def test_a_drawn_pin_is_six_digits_none_too_easy_and_never_known_before(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [draw_pin() for _ in range(200)]
    assert all(is_pin(pin) and len(pin) == 6 and not is_easy(pin) for pin in drawn)
    assert len(set(drawn)) > 190
    chances = iter([0, 123_456, 42])
    monkeypatch.setattr("secrets.randbelow", lambda _: next(chances))
    assert draw_pin() == "000042"


@given(digits, digits)
@settings(max_examples=8)
def test_a_hash_knows_its_own_pin_only(pin: str, other: str) -> None:
    hashed = hash_pin(pin)
    assert matches(pin, hashed)
    assert matches(other, hashed) is (other == pin)
    assert pin not in hashed


def test_two_hashes_of_one_pin_differ() -> None:
    assert hash_pin("471108") != hash_pin("471108")


def test_the_hash_of_today_is_understood_for_good() -> None:
    assert is_understood(STAFF_PIN)
    assert matches("471108", STAFF_PIN)
    assert not matches("471109", STAFF_PIN)


@pytest.mark.parametrize(
    "hashed", ["", "471108", "$$", "argon2id$x$y", "scrypt-8192-8-1$!$AA==", "scrypt-8192-8-1$AA==", f"{STAFF_PIN}$"]
)
def test_a_hash_of_another_kind_is_not_understood_and_nothing_matches_it(hashed: str) -> None:
    assert not is_understood(hashed)
    assert not matches("471108", hashed)
