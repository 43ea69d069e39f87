import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.figure import Better, Counts, Row, encode, holds, measured, percentile, proved, table, wrong

numbers = st.floats(allow_nan=False, allow_infinity=False)
rows = st.builds(
    lambda value, bar, better, control: measured("tap", value, "ms", bar=bar, better=better, control=control),
    st.none() | numbers,
    st.none() | numbers,
    st.sampled_from(["lower", "higher"]),
    st.booleans(),
)


def make_row(**overrides: Any) -> Row:
    fields: dict[str, Any] = {
        "figure": "tap to commit p99",
        "value": 16.0,
        "unit": "ms",
        "bar": 50.0,
        "better": "lower",
    }
    fields |= overrides
    return measured(fields.pop("figure"), fields.pop("value"), fields.pop("unit"), **fields)


@pytest.mark.parametrize(
    ("value", "bar", "better", "expected"),
    [
        (49.9, 50.0, "lower", True),
        (50.0, 50.0, "lower", True),
        (50.1, 50.0, "lower", False),
        (0.98, 0.99, "higher", False),
        (0.99, 0.99, "higher", True),
        (None, 50.0, "lower", None),
        (50.0, None, "higher", None),
    ],
)
def test_a_value_holds_on_the_good_side_of_its_bar(
    value: float | None, bar: float | None, better: Better, expected: bool | None
) -> None:
    assert holds(value, bar, better) is expected


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_cannot_carry_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        make_row(value=number)
    with pytest.raises(ValueError, match="finite"):
        make_row(bar=number)


def test_a_row_cannot_claim_a_verdict_its_value_does_not_give() -> None:
    with pytest.raises(ValueError, match="contradicts"):
        Row("tap", 60.0, "ms", 50.0, "lower", holds=True)


def test_a_run_is_wrong_by_a_missed_bar_and_by_a_control_that_meets_its_own() -> None:
    missed = make_row(value=60.0)
    blind = make_row(control=True)
    good = [make_row(), make_row(value=60.0, control=True), make_row(bar=None), make_row(value=None)]
    assert wrong(good) == []
    assert wrong([*good, missed, blind]) == [missed, blind]


@given(st.lists(rows))
def test_json_gives_the_rows_back(written: list[Row]) -> None:
    assert [Row(**fields) for fields in json.loads(encode(written))] == written


def test_json_names_every_field_a_reader_is_promised() -> None:
    assert json.loads(encode([make_row()])) == [
        {
            "figure": "tap to commit p99",
            "value": 16.0,
            "unit": "ms",
            "bar": 50.0,
            "better": "lower",
            "holds": True,
            "control": False,
            "counts": None,
        }
    ]


@given(st.lists(rows))
def test_the_table_keeps_its_columns_aligned(shown: list[Row]) -> None:
    lines = table(shown).splitlines()
    assert len(lines) == len(shown) + 1
    unit = lines[0].index("unit")
    assert {line[unit : unit + 2] for line in lines[1:]} <= {"ms"}


def test_the_table_says_in_words_how_each_row_stands() -> None:
    shown = table(
        [
            make_row(),
            make_row(value=60.0),
            make_row(value=60.0, control=True),
            make_row(control=True),
            make_row(value=None),
            make_row(bar=None, value=12345.6),
        ]
    )
    verdicts = [line.split("50  ")[-1] for line in shown.splitlines()[1:6]]
    assert verdicts == ["holds", "MISSED", "misses, as a control must", "CONTROL MEETS ITS BAR", "not measured"]
    assert shown.splitlines()[6].split() == ["tap", "to", "commit", "p99", "12,346", "ms"]


@given(st.lists(numbers, min_size=1), st.floats(min_value=0.01, max_value=1))
def test_a_percentile_is_the_first_value_that_the_share_of_all_does_not_exceed(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) > sum(value < found for value in values)


def test_proofs_stand_in_a_table_of_their_own_with_the_harm_of_their_controls() -> None:
    lines = table(
        [
            make_row(),
            proved("power cut", Counts(cycles=6000, acknowledged=200, lost=0, doubled=0, wrong=0)),
            proved("power cut, unsynced", Counts(6000, 200, lost=40, doubled=1, wrong=2), control=True),
        ]
    ).splitlines()
    assert [line.split() for line in lines[3:]] == [
        ["fault", "cycles", "acknowledged", "lost", "doubled", "wrong", "control", "verdict"],
        ["power", "cut", "6,000", "200", "0", "0", "0", "43", "holds"],
        ["power", "cut,", "unsynced", "6,000", "200", "40", "1", "2", "misses,", "as", "a", "control", "must"],
    ]


@pytest.mark.parametrize(("lost", "control"), [(1, False), (0, True)])
def test_a_proof_with_harm_is_wrong_and_a_control_without(lost: int, control: bool) -> None:
    rows = [proved("power cut", Counts(6000, 200, lost, doubled=0, wrong=0), control=control)]
    assert wrong(rows) == rows
