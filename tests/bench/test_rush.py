import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import rush
from bench.practice_door import new_tokens
from hardware.nfc_nfcpy import NfcReader

queues = st.lists(st.sampled_from(["child-0", "child-1", "child-2"]))


@given(queues, queues)
def test_nothing_is_wrong_when_journal_and_queue_agree_and_only_then(came: list[str], recorded: list[str]) -> None:
    assert rush.count_wrong(came, came) == 0
    assert (rush.count_wrong(came, recorded) == 0) is (came == recorded)


@given(st.integers(0, 99))
def test_a_lost_read_is_one_wrong_and_a_doubled_one_and_a_foreign_one_in_place_of_another_two(at: int) -> None:
    queue = [f"child-{tap % 40}" for tap in range(100)]
    assert rush.count_wrong(queue, [*queue[:at], *queue[at + 1 :]]) == 1
    assert rush.count_wrong(queue, [*queue[:at], queue[at], *queue[at:]]) == 1
    assert rush.count_wrong(queue, [*queue[:at], "child-99", *queue[at + 1 :]]) == 2


def test_reads_out_of_order_are_wrong() -> None:
    assert rush.count_wrong(["a", "b", "c", "d"], ["a", "c", "b", "d"]) > 0


def test_a_schedule_lays_each_child_once_in_turn_and_the_card_of_a_wobbling_hand_again() -> None:
    tokens = new_tokens(4)
    taps = rush.schedule([0, 1, 2, 3] * 5, tokens, random.Random(1))
    assert len(taps) == 22
    turns = [text for text, _ in itertools.groupby(tap.text for tap in taps)]
    assert turns == [token.text for token in tokens] * 5
    assert all(earlier.at_s + earlier.hold_s < later.at_s for earlier, later in itertools.pairwise(taps))


def test_taps_that_never_came_are_all_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rush, "schedule", lambda queue, tokens, chance: [])
    assert rush.measure(4, (NfcReader, NfcReader)) == [2, 2]


def test_real_readers_lose_and_double_nothing_and_broken_ones_are_seen_to(monkeypatch: pytest.MonkeyPatch) -> None:
    # Children take their time here: other tests need the cores too, and a reader that has none for 0.3 s misses a card.
    monkeypatch.setattr(rush, "HOLD_S", (0.8, 1.0))
    monkeypatch.setattr(rush, "GAP_S", (0.2, 0.3))
    monkeypatch.setattr(rush, "FORGETS_EVERY", 10)
    rows = rush.rows(16, 24)
    assert [row.control for row in rows] == [False, True, True]
    assert all(row.holds is not row.control for row in rows), rows
