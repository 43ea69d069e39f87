"""A measured figure beside the bar it must meet: the rows of every area, as JSON for machines, a table for people.

A control is a deliberately broken variant, measured beside the real one. It must miss its bar: a control that meets it
shows that the measurement cannot tell good from bad.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

Better = Literal["lower", "higher"]


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


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values does not exceed (nearest rank); 0.5 is the median."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def wrong(rows: Sequence[Row]) -> list[Row]:
    """The rows that make a run fail: a figure that misses its bar, a control that meets it."""
    return [row for row in rows if row.holds is row.control]


def encode(rows: Sequence[Row]) -> str:
    """The rows as a JSON list of objects, in order."""
    return json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def table(rows: Sequence[Row]) -> str:
    """The rows as aligned columns, with a verdict a person can read."""
    cells = [("figure", "value", "unit", "bar", "verdict")]
    cells += [(row.figure, _number(row.value), row.unit, _bar(row), _verdict(row)) for row in rows]
    figure, value, unit, bar, _ = (max(len(line[column]) for line in cells) for column in range(5))
    return "\n".join(
        f"{line[0]:<{figure}}  {line[1]:>{value}}  {line[2]:<{unit}}  {line[3]:>{bar}}  {line[4]}" for line in cells
    )


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
