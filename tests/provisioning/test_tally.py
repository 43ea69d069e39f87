import pytest

from provisioning.demo import tally
from provisioning.demo.day import Door, Expected, Tap

TAPS = [
    Tap("a", Door.QR, 1.0, Expected.ENTRY),
    Tap("b", Door.NFC, 1.0, Expected.ENTRY),
    Tap("a", Door.QR, 4.0, Expected.AGAIN),
    Tap(None, Door.NFC, 9.0, Expected.UNKNOWN),
    Tap("a", Door.NFC, 20.0, Expected.EXIT),
]
WANTED = tally.Counted(
    taps_played={"qr": 2, "nfc": 3},
    journal_entries={"qr": 1, "nfc": 3},
    server_records=4,
    server_movements=3,
    children_present=1,
    mails_received=2,
)


def report(counted: tally.Counted) -> tally.Report:
    return tally.report(seconds=40, counted=counted, expected=WANTED, commit_ms=[], page_ms=[], mail_ms=[])


def test_what_a_play_must_give_follows_from_its_taps() -> None:
    assert tally.expected_counts(TAPS, mails_per_child={"a": 1, "b": 0}, present=1) == WANTED


def test_equal_counts_agree() -> None:
    assert report(WANTED).agrees


@pytest.mark.parametrize("name", tally.Counted.__struct_fields__)
def test_one_more_or_less_anywhere_is_a_difference_that_is_named(name: str) -> None:
    value = getattr(WANTED, name)
    off = {**value, "qr": value["qr"] + 1} if isinstance(value, dict) else value - 1

    differing = report(
        tally.Counted(**{**{field: getattr(WANTED, field) for field in WANTED.__struct_fields__}, name: off})
    )

    assert not differing.agrees
    assert [text.partition(":")[0] for text in differing.differences] == [name]


def ns(*seconds: float) -> list[int]:
    return [round(at_s * 1e9) for at_s in seconds]


def test_a_missed_tap_is_left_out_and_does_not_shift_the_others() -> None:
    assert tally.waits_ms(ns(10, 12, 14), ns(10.1, 14.3)) == pytest.approx([100, 300])


def test_what_happened_twice_or_before_the_first_tap_counts_for_nothing() -> None:
    assert tally.waits_ms(ns(10, 12), ns(9, 10.1, 10.2, 12.4)) == pytest.approx([100, 400])


def test_a_card_read_on_its_way_belongs_to_the_tap_that_follows() -> None:
    assert tally.waits_ms(ns(10, 12), ns(10.1, 11.8), early_s=0.3) == pytest.approx([100, -200])


def test_percentiles_are_by_nearest_rank() -> None:
    assert tally.latency(range(1, 101)) == tally.Latency(p50_ms=50, p99_ms=99, n=100)
    assert tally.latency([7.0]) == tally.Latency(p50_ms=7.0, p99_ms=7.0, n=1)
    assert tally.latency([]) == tally.Latency(p50_ms=None, p99_ms=None, n=0)
