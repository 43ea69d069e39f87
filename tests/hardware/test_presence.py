"""When a card arrives, when it is still there, and when it has gone."""

from hypothesis import given
from hypothesis import strategies as st

from hardware.presence import Presence

ABSENCE_S = 0.5


def test_a_card_arrives_once_while_it_stays() -> None:
    presence = Presence(ABSENCE_S)
    assert [presence.observe(["a"], now_s) for now_s in (0.0, 0.1, 60.0)] == [["a"], [], []]


def test_a_card_arrives_again_after_it_was_missed_for_long_enough() -> None:
    presence = Presence(ABSENCE_S)
    presence.observe(["a"], 0.0)
    presence.observe([], 0.1)
    assert presence.observe([], 0.5) == []
    assert presence.observe(["a"], 0.55) == []
    presence.observe([], 0.6)
    presence.observe([], 1.1)
    assert presence.observe(["a"], 1.2) == ["a"]


def test_not_looking_is_not_absence() -> None:
    presence = Presence(ABSENCE_S)
    presence.observe(["a"], 0.0)
    presence.observe([], 1.0)
    assert presence.observe(["a"], 1.1) == []


def test_a_forgotten_card_arrives_at_the_next_look() -> None:
    presence = Presence(ABSENCE_S)
    presence.observe(["a"], 0.0)
    presence.forget("a")
    presence.forget("b")
    assert presence.observe(["a"], 0.1) == ["a"]


@given(st.lists(st.tuples(st.sets(st.sampled_from("abc")), st.floats(0.01, 0.3)), max_size=60))
def test_between_two_arrivals_a_card_was_always_missing_for_the_whole_hold_off(
    looks: list[tuple[set[str], float]],
) -> None:
    presence = Presence(ABSENCE_S)
    now_s = 0.0
    seen_at_s: dict[str, float] = {}
    for seen, step_s in looks:
        now_s += step_s
        for card in presence.observe(seen, now_s):
            assert isinstance(card, str)
            assert card not in seen_at_s or now_s - seen_at_s[card] >= ABSENCE_S
        seen_at_s.update(dict.fromkeys(seen, now_s))
