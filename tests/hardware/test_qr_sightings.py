"""When a code seen again and again is a new read."""

from hypothesis import given
from hypothesis import strategies as st

from hardware.qr_sightings import MOST_DOUBTED, Sightings

FRAME_NS = 66_000_000


def is_card(payload: bytes) -> bool:
    return payload.startswith(b"T")


def play(sightings: Sightings, frames: list[list[bytes]]) -> list[bytes]:
    return [read for number, frame in enumerate(frames) for read in sightings.reads(frame, number * FRAME_NS)]


def test_a_card_held_for_a_minute_is_read_once() -> None:
    assert play(Sightings(), [[b"T1"]] * 900) == [b"T1"]


def test_a_card_that_flickers_is_read_once() -> None:
    assert play(Sightings(), ([[b"T1"]] + [[]] * 10) * 40) == [b"T1"]


def test_a_card_that_was_gone_for_the_hold_off_is_read_again() -> None:
    assert play(Sightings(hold_off_s=1.0), [[b"T1"], *[[]] * 20, [b"T1"]]) == [b"T1", b"T1"]


def test_a_camera_that_stalls_does_not_make_a_held_card_new() -> None:
    sightings = Sightings(hold_off_s=1.0)
    reads = [sightings.reads([b"T1"], 0), sightings.reads([], 10_000_000_000), sightings.reads([b"T1"], 10_066_000_000)]
    assert reads == [[b"T1"], [], []]


def test_two_cards_at_once_are_both_read() -> None:
    assert play(Sightings(), [[b"T1", b"T2"]] * 5) == [b"T1", b"T2"]


def test_a_card_is_read_in_the_first_frame_that_shows_it() -> None:
    assert Sightings(accept=is_card).reads([b"T1"], 0) == [b"T1"]


def test_what_may_be_a_misread_is_told_when_seen_again() -> None:
    assert play(Sightings(accept=is_card), [[b"url"], [], [b"url"], [b"url"]]) == [b"url"]


def test_a_misread_seen_in_one_frame_only_is_never_told() -> None:
    assert play(Sightings(accept=is_card), [[b"T1"], [b"U1"], [b"T1"]]) == [b"T1"]


def test_a_screen_full_of_ever_new_codes_fills_no_memory_and_hides_no_card() -> None:
    sightings = Sightings(accept=is_card)
    flood = [[b"%d" % number] for number in range(10 * MOST_DOUBTED)]
    assert play(sightings, [*flood, [b"T1"]]) == [b"T1"]
    assert len(sightings._doubted) <= MOST_DOUBTED


@given(st.lists(st.lists(st.sampled_from([b"T1", b"T2", b"x"]), max_size=4), max_size=60))
def test_nothing_is_told_that_was_not_seen_and_nothing_twice_in_one_frame(frames: list[list[bytes]]) -> None:
    sightings = Sightings(accept=is_card)
    for number, frame in enumerate(frames):
        reads = sightings.reads(frame, number * FRAME_NS)
        assert set(reads) <= set(frame)
        assert len(reads) == len(set(reads))
