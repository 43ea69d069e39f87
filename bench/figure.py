"""A measured figure beside the bar it must meet: the rows of every area, as JSON for machines, tables for people.

A proof is a figure too: how often a fault did harm, brought about again and again; its bar is 0.

A control is a deliberately broken variant, measured beside the real one. It must miss its bar: a control that meets it
shows that the measurement cannot tell good from bad.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Literal

Better = Literal["lower", "higher"]


@dataclass(frozen=True, slots=True)
class Counts:
    """What came of a fault that was brought about again and again."""

    cycles: int
    acknowledged: int
    lost: int
    doubled: int
    wrong: int

    @property
    def harm(self) -> int:
        """All that must not be."""
        return self.lost + self.doubled + self.wrong


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one run; `measured` fills in `holds`. Raises: ValueError when `holds` contradicts value and bar."""

    figure: str
    value: float | None
    """None: it could not be measured on this machine."""
    unit: str
    bar: float | None
    """None: told for information, or as what another row is compared to."""
    better: Better
    holds: bool | None
    """None: there is no value or no bar."""
    control: bool = False
    counts: Counts | None = None
    """Of a proof, whose value is their harm."""

    def __post_init__(self) -> None:
        if self.holds is not holds(self.value, self.bar, self.better):
            raise ValueError(f"{self.figure}: holds={self.holds} contradicts value {self.value} and bar {self.bar}")


def holds(value: float | None, bar: float | None, better: Better) -> bool | None:
    """Whether the value is on the good side of the bar or just on it. Raises: ValueError for a number not finite."""
    if not all(math.isfinite(number) for number in (value, bar) if number is not None):
        raise ValueError(f"value {value} and bar {bar} must be finite numbers")
    if value is None or bar is None:
        return None
    return value <= bar if better == "lower" else value >= bar


def measured(
    figure: str,
    value: float | None,
    unit: str,
    *,
    bar: float | None = None,
    better: Better = "lower",
    control: bool = False,
) -> Row:
    """The row of a value just measured, judged against its bar."""
    return Row(figure, value, unit, bar, better, holds(value, bar, better), control)


def proved(fault: str, counts: Counts, *, control: bool = False) -> Row:
    """The row of a proof; the controls of a proof follow it."""
    return Row(fault, counts.harm, "", 0, "lower", counts.harm == 0, control, counts)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values does not exceed (nearest rank); 0.5 is the median."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def wrong(rows: Sequence[Row]) -> list[Row]:
    """The rows that make a run fail: a figure that misses its bar, a control that meets it."""
    return [row for row in rows if row.holds is row.control]


def encode(rows: Sequence[Row]) -> str:
    """The rows as a JSON list of objects, in order."""
    return json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def progress(row: Row) -> str:
    """The row as a line for whoever waits for the rest."""
    of = "" if row.counts is None else f" of {_number(row.counts.cycles)}"
    return f"{'control: ' if row.control else ''}{row.figure}: {_number(row.value)}{of}"


def table(rows: Sequence[Row]) -> str:
    """The rows as aligned columns, with a verdict a person can read; proofs in a table of their own."""
    figures = [row for row in rows if row.counts is None]
    proofs = [(row, row.counts) for row in rows if row.counts is not None]
    tables = []
    if figures or not proofs:
        cells: list[tuple[str, ...]] = [("figure", "value", "unit", "bar", "verdict")]
        cells += [(row.figure, _number(row.value), row.unit, _bar(row), _verdict(row)) for row in figures]
        tables.append(_aligned(cells, "<><><"))
    if proofs:
        cells = [("fault", "cycles", "acknowledged", "lost", "doubled", "wrong", "control", "verdict")]
        for row, counts in proofs:
            numbers = (counts.cycles, counts.acknowledged, counts.lost, counts.doubled, counts.wrong)
            cells.append((row.figure, *map(_number, numbers), _harm_of_controls(row, rows), _verdict(row)))
        tables.append(_aligned(cells, "<>>>>>><"))
    return "\n\n".join(tables)


def _aligned(cells: Sequence[tuple[str, ...]], sides: str) -> str:
    """Columns that are as wide as they must be, the last one excepted."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    widths[-1] = 0
    return "\n".join(
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(line, sides, widths, strict=True))
        for line in cells
    )


def _harm_of_controls(proof: Row, rows: Sequence[Row]) -> str:
    """What the controls that follow a proof came to."""
    after = rows[rows.index(proof) + 1 :]
    return "" if proof.control else ", ".join(_number(row.value) for row in takewhile(lambda row: row.control, after))


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"


def _bar(row: Row) -> str:
    if row.bar is None:
        return ""
    return f"{'<=' if row.better == 'lower' else '>='} {_number(row.bar)}"


def _verdict(row: Row) -> str:
    if row.bar is None:
        return ""
    if row.holds is None:
        return "not measured"
    if row.control:
        return "CONTROL MEETS ITS BAR" if row.holds else "misses, as a control must"
    return "holds" if row.holds else "MISSED"
