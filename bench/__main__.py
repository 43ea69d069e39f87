"""The bench command: measures areas, shows and writes their rows; fails on a missed bar or a control that meets one."""

import argparse
import importlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, cast

from bench import figure

AREAS = ("tap", "reading", "ingest", "years", "reliability")


class Area(Protocol):
    """What each module bench.AREA offers."""

    def run(self, *, quick: bool) -> Iterable[figure.Row]:
        """Measure, and give each row as soon as it is known; with `quick` fewer of the same kinds."""
        ...


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench command and return its exit status: 0, or 1 when a row is wrong."""
    parser = argparse.ArgumentParser(
        prog="script/bench",
        description="Measure figures against their bars.",
        epilog="A control is broken on purpose: it must miss.",
    )
    parser.add_argument("area", choices=[*AREAS, "all"], metavar="AREA", help=f"{', '.join(AREAS)} or all")
    parser.add_argument("--quick", action="store_true", help="fewer of the same kinds, in a minute or two an area")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")
    asked = parser.parse_args(arguments)
    rows: list[figure.Row] = []
    for name in AREAS if asked.area == "all" else [asked.area]:
        area = cast("Area", importlib.import_module(f"bench.{name}"))
        for row in area.run(quick=asked.quick):
            rows.append(row)
            print(figure.progress(row), file=sys.stderr, flush=True)
            if asked.json is not None:  # each time: a run that is cut short after an hour keeps what it measured
                asked.json.write_text(figure.encode(rows), encoding="utf-8")
    print(figure.table(rows))
    wrong = figure.wrong(rows)
    for row in wrong:
        print(f"wrong: {row.figure}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
