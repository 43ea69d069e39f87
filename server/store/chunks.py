"""Long lists in parts: a statement takes only so many parameters, on either database."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

_Item = TypeVar("_Item")

MOST = 500


def chunks(items: Sequence[_Item], most: int = MOST) -> Iterator[Sequence[_Item]]:
    """Yield the items in order, as many together as fit into one statement."""
    for start in range(0, len(items), most):
        yield items[start : start + most]
