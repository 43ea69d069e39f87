"""Which card is to be read, and whether it may be told of, without any reader."""

from hypothesis import given
from hypothesis import strategies as st

from hardware.nfc_identity import CardIdentity
from hardware.nfc_turns import Turns, Unread
from hardware.reader import Medium

TOKEN = CardIdentity(Medium.NFC_UID, b"\x01")
OTHER = CardIdentity(Medium.NFC_UID, b"\x02")
TRAIN_PASS = CardIdentity(Medium.FELICA_IDM, b"\x03")


def test_a_card_that_arrived_is_to_be_read_until_it_was_told_of() -> None:
    turns = Turns(0.5)
    assert turns.look(TOKEN, 0.0)
    assert not turns.look(TOKEN, 0.1)
    assert [turns.unread] == [Unread(TOKEN)]
    assert turns.tell(Medium.NFC_TEXT)
    assert [turns.unread] == [None]
    assert not turns.look(TOKEN, 0.2)
    assert not turns.tell(Medium.NFC_TEXT)


def test_a_card_torn_away_unread_arrives_anew_at_once() -> None:
    turns = Turns(0.5)
    turns.look(TOKEN, 0.0)
    turns.look(None, 0.1)
    assert turns.unread is None
    assert turns.look(TOKEN, 0.2)


def test_a_card_without_text_waits_while_one_of_another_kind_has_hardly_gone() -> None:
    turns = Turns(0.5)
    turns.look(TOKEN, 0.0)
    turns.tell(Medium.NFC_TEXT)
    assert turns.look(TRAIN_PASS, 0.1)
    assert not turns.tell(Medium.FELICA_IDM)
    turns.look(TRAIN_PASS, 0.4)
    assert not turns.tell(Medium.FELICA_IDM)
    turns.look(TRAIN_PASS, 0.7)
    assert turns.tell(Medium.FELICA_IDM)


def test_cards_of_one_kind_and_cards_with_a_text_do_not_wait_for_each_other() -> None:
    turns = Turns(0.5)
    for card, medium in ((TOKEN, Medium.NFC_UID), (OTHER, Medium.NFC_UID), (TRAIN_PASS, Medium.NFC_TEXT)):
        turns.look(card, 0.0)
        assert turns.tell(medium)


@given(st.lists(st.tuples(st.sampled_from([None, TOKEN, OTHER, TRAIN_PASS]), st.booleans()), max_size=40))
def test_however_cards_come_and_go_none_is_told_of_twice_without_arriving_twice(
    looks: list[tuple[CardIdentity | None, bool]],
) -> None:
    turns = Turns(0.25)
    arrivals = told = 0
    for step, (card, read) in enumerate(looks):
        arrivals += turns.look(card, step * 0.1)
        assert turns.unread is None or turns.unread.identity == card
        if read and turns.unread is not None:
            told += turns.tell(turns.unread.identity.medium)
    assert told <= arrivals
