"""What the readers' view makes of a read, and how little of it it shows."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.cards import CardForm, CardToken, Trust, uid_card
from attendance.roster import Animal, Colour, Holder, Mark
from hardware.reader import Medium
from kiosk.live.standing import CardBook, Judgement, Standing, start_of
from kiosk.roster_cache import RosterCache
from tests.kiosk.door_parts import HANAS_TOKEN, STRANGE_TOKEN, UID_KEY, roster, state
from tests.kiosk.live_parts import book, raw

UID = bytes.fromhex("04A1B2C3D4E5F6")


@pytest.mark.parametrize("medium", [Medium.QR, Medium.NFC_TEXT, Medium.KEYS])
def test_a_token_is_looked_up_and_trusted_however_it_came(tmp_path: Path, medium: Medium) -> None:
    with book(tmp_path) as known:
        assert known.judge(raw(HANAS_TOKEN.text.encode(), medium)) == Judgement(Standing.KNOWN, Trust.T1)
        assert known.judge(raw(STRANGE_TOKEN.text.encode(), medium)) == Judgement(Standing.UNKNOWN, Trust.T1)
        assert known.judge(raw(b"https://example", medium)) == Judgement(Standing.FOREIGN, None)


@pytest.mark.parametrize(("medium", "form"), [(Medium.NFC_UID, CardForm.UID), (Medium.FELICA_IDM, CardForm.IDM)])
def test_a_number_is_looked_up_and_hardly_trusted(tmp_path: Path, medium: Medium, form: CardForm) -> None:
    card = uid_card(form, UID, UID_KEY)
    holder = Holder(child="child-hana", mark=Mark(Animal.CAT, Colour.RED), cards=(card.card_hash,))
    cache = RosterCache.open(tmp_path / "cache.db")
    cache.store_state(state(roster_part=roster(holders=(holder,))))
    known = CardBook(cache, UID_KEY)
    assert known.judge(raw(UID, medium)) == Judgement(Standing.KNOWN, Trust.T0)
    assert known.judge(raw(UID[::-1], medium)) == Judgement(Standing.UNKNOWN, Trust.T0)
    assert CardBook(cache, None).judge(raw(UID, medium)).standing is Standing.NO_ROSTER
    cache.close()


def test_a_number_that_changes_is_no_card(tmp_path: Path) -> None:
    with book(tmp_path) as known:
        assert known.judge(raw(b"", Medium.NFC_RANDOM_UID)) == Judgement(Standing.RANDOM, None)


def test_without_a_roster_nobody_is_called_unknown(tmp_path: Path) -> None:
    with book(tmp_path, synced=False) as known:
        assert known.judge_code(HANAS_TOKEN.text.encode()) is Standing.NO_ROSTER
        assert known.judge_code(b"poster") is Standing.FOREIGN
    assert CardBook(None, None).judge(raw(HANAS_TOKEN.text.encode())).standing is Standing.NO_ROSTER


def test_a_cache_that_breaks_meanwhile_is_no_roster(tmp_path: Path) -> None:
    with book(tmp_path) as known:
        for path in tmp_path.glob("cache.db*"):
            path.unlink()
        (tmp_path / "cache.db").write_bytes(b"spoilt" * 1000)
        assert known.judge_code(HANAS_TOKEN.text.encode()) is Standing.NO_ROSTER


def test_only_the_start_of_a_token_and_of_a_number_is_shown() -> None:
    assert start_of(raw(HANAS_TOKEN.text.encode())) == HANAS_TOKEN.text[:4] + "…"
    assert start_of(raw(UID, Medium.NFC_UID)) == "04A1…"
    assert start_of(raw(UID[:2], Medium.NFC_UID)) == "04…"
    assert start_of(raw(bytes.fromhex("12FC0123456789ABCDEF"), Medium.FELICA_IDM)) == "0123…"
    assert start_of(raw(b"", Medium.NFC_RANDOM_UID)) == ""


@pytest.mark.parametrize(
    "hostile",
    ["<script>alert(1)</script>", "\u202egnp.txt", "\x1b[2Jgone\x07", "\r\n\r\nX: y", "ただいま" * 1000, "A" * 4096],
)
def test_a_hostile_text_is_cut_and_made_harmless(hostile: str) -> None:
    start = start_of(raw(hostile.encode(), Medium.NFC_TEXT))
    assert len(start) == 5
    assert all(letter.isascii() and letter.isprintable() for letter in start.replace("·", "").rstrip("…"))


@given(payload=st.binary(max_size=40), medium=st.sampled_from(Medium))
def test_no_read_is_shown_whole_or_makes_the_view_fail(payload: bytes, medium: Medium) -> None:
    start = start_of(raw(payload, medium)).rstrip("…")
    whole = payload.hex().upper() if medium in (Medium.NFC_UID, Medium.FELICA_IDM) else payload.decode("latin-1")
    assert len(start) <= min(4, len(whole) // 2)
    CardBook(None, UID_KEY).judge(raw(payload, medium))


def test_a_token_in_the_wrong_case_is_no_card() -> None:
    assert CardBook(None, None).judge_code(CardToken.new().text.lower().encode()) is Standing.FOREIGN
