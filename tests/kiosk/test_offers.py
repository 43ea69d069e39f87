"""Offers go round all sessions in parts that fit a request, and what the server lacks comes before what it holds."""

from collections.abc import Callable, Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from attendance.records import Head
from attendance.wire import ErrorCode
from kiosk.errors import Trouble, UplinkError
from kiosk.offers import ALL_HEADS_S, HEADS_AN_OFFER, Offers

TOO_LARGE = UplinkError(Trouble.REFUSED, "", permanent=True, code=ErrorCode.TOO_LARGE)
LOST = UplinkError(Trouble.TIMEOUT, "")


def sessions(number: int) -> list[Head]:
    return [Head(f"s{each}", 0, f"{each:064}") for each in range(number)]


def never(_: str) -> int:
    return 0


def chosen(
    offers: Offers,
    held: list[Head],
    acks: Iterable[Head] = (),
    *,
    at_s: float = 0.0,
    stuck: Callable[[str], int] = never,
) -> list[Head]:
    return offers.choose(held, set(acks), held[-1].session, round(at_s * 1e9), stuck)


def test_few_sessions_are_all_named_at_first_and_then_the_running_one() -> None:
    offers, held = Offers(), sessions(500)
    assert chosen(offers, held, held) == held
    offers.answered(held, ())
    assert chosen(offers, held, held, at_s=ALL_HEADS_S - 1) == [held[-1]]
    assert chosen(offers, held, held, at_s=ALL_HEADS_S) == held


def test_an_offer_that_was_not_heard_is_made_again() -> None:
    offers, held = Offers(), sessions(500)
    heads = chosen(offers, held, held)
    offers.failed(heads, LOST)
    assert chosen(offers, held, held, at_s=5) == held


def test_sessions_beyond_number_are_named_in_turn_and_the_running_one_in_each() -> None:
    offers, held = Offers(), sessions(25 * HEADS_AN_OFFER)
    named: set[Head] = set()
    for _ in range(27):
        heads = chosen(offers, held, held)
        assert len(heads) <= HEADS_AN_OFFER
        assert held[-1] in heads
        offers.answered(heads, ())
        named.update(heads)
    assert named == set(held)
    assert chosen(offers, held, held) == [held[-1]]


def test_what_the_server_lacks_is_named_before_what_it_holds_the_oldest_first() -> None:
    offers, held = Offers(), sessions(20 * HEADS_AN_OFFER)
    lacking = held[15 * HEADS_AN_OFFER : -1]
    heads = chosen(offers, held, set(held) - set(lacking))
    half = HEADS_AN_OFFER // 2
    assert set(lacking[: half - 1]) <= set(heads)
    assert set(held[: half - 1]) <= set(heads), "the others have their turn all the same"


def test_sessions_that_are_stuck_keep_none_that_would_go_from_being_named() -> None:
    offers, held = Offers(), sessions(20 * HEADS_AN_OFFER)
    going = held[-2]
    heads = chosen(offers, held, stuck=lambda session: int(session != going.session))
    assert going in heads


def test_a_cache_that_forgets_all_keeps_no_session_from_being_named() -> None:
    offers, held = Offers(), sessions(10 * HEADS_AN_OFFER)
    named: set[Head] = set()
    for _ in range(12):
        heads = chosen(offers, held, ())
        offers.answered(heads, ())
        named.update(heads)
    assert named == set(held)


def test_a_cache_that_was_thrown_away_learns_at_once_what_the_server_holds() -> None:
    offers, held = Offers(), sessions(500)
    offers.answered(chosen(offers, held, held), ())
    assert chosen(offers, held, ()) == held


def test_an_offer_too_large_is_followed_by_smaller_ones_until_one_goes() -> None:
    offers, held = Offers(), sessions(5 * HEADS_AN_OFFER)
    sizes = []
    for _ in range(3):
        heads = chosen(offers, held)
        sizes.append(len(heads))
        offers.failed(heads, TOO_LARGE)
    assert sizes == [HEADS_AN_OFFER, HEADS_AN_OFFER // 2, HEADS_AN_OFFER // 4]


def test_offers_that_time_out_again_and_again_become_smaller_but_no_less_than_some() -> None:
    offers, held = Offers(), sessions(5 * HEADS_AN_OFFER)
    for _ in range(20):
        offers.failed(chosen(offers, held), LOST)
    assert 10 < len(chosen(offers, held)) < 100


def test_a_server_that_lost_something_is_named_all_sessions_once_the_round_is_over() -> None:
    offers, held = Offers(), sessions(2 * HEADS_AN_OFFER)
    offers.answered(chosen(offers, held, held), ())
    offers.name_all()
    rest = chosen(offers, held, held, at_s=5)
    assert held[0] not in rest, "the round that is under way goes on"
    while len(heads := chosen(offers, held, held, at_s=5)) > 1:
        offers.answered(heads, ())
    offers.name_all()
    assert held[0] in chosen(offers, held, held, at_s=6)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_every_session_is_named_again_and_again_whatever_fails(data: st.DataObject) -> None:
    offers, held = Offers(), sessions(data.draw(st.integers(1, 3 * HEADS_AN_OFFER)))
    acks = set(data.draw(st.lists(st.sampled_from(held), max_size=50)))
    for _ in range(data.draw(st.integers(0, 10))):
        offers.failed(chosen(offers, held, acks), data.draw(st.sampled_from([TOO_LARGE, LOST])))
    named: set[Head] = set()
    for _ in range(2 * len(held) // 10 + 2):
        heads = chosen(offers, held, acks)
        named.update(heads)
        offers.answered(heads, ())
        acks.update(heads)
    assert named == set(held)
