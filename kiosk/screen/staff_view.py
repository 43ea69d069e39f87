"""What the staff panel is told: the children in an order staff can find them in, in words and marks. Pure."""

from collections.abc import Iterable, Sequence

import msgspec

from attendance.catalogue import Catalogue
from attendance.kana import KANA_ROWS, WordKey, kana_key, kana_row
from attendance.records import Direction
from attendance.roster import Animal, Colour
from kiosk.answer import ChildNow, Whereabouts
from kiosk.screen.view import MarkView, mark_view

UNGROUPED_MAX = 20
"""As many children are found at a glance; more are parted into groups to choose from."""
_OTHER = "other"


class ChildView(msgspec.Struct, frozen=True):
    """A tile."""

    child: str
    mark: MarkView
    name: str
    whereabouts: str
    said: str
    """The whereabouts in words."""
    likely: str
    """The way the child most likely goes."""
    group: str


class GroupView(msgspec.Struct, frozen=True):
    """A choice of children: a row of the kana table, or a colour where names are not known."""

    key: str
    label: str
    colour: str
    """Of a mark; empty for a row."""


class PanelView(msgspec.Struct, frozen=True):
    """Every child, in order, and the groups if there are many."""

    children: tuple[ChildView, ...]
    groups: tuple[GroupView, ...]


def panel_view(children: Sequence[ChildNow], words: Catalogue) -> PanelView:
    """Return the panel: by kana as in a register; children whose name is not known come last, by their marks."""
    named = any(each.name is not None for each in children)
    views = tuple(_child(each, words, by_row=named) for each in sorted(children, key=_order))
    if len(views) <= UNGROUPED_MAX:
        return PanelView(views, ())
    present = {each.group for each in views}
    groups = _rows(words) if named else _colours(words)
    return PanelView(views, tuple(group for group in groups if group.key in present))


def _order(each: ChildNow) -> tuple[bool, tuple[WordKey, ...], str, int, int]:
    kana, name = (kana_key(each.name.kana), each.name.name) if each.name else ((), "")
    colour, animal = list(Colour).index(each.mark.colour), list(Animal).index(each.mark.animal)
    return each.name is None, kana, name, colour, animal


def _child(each: ChildNow, words: Catalogue, *, by_row: bool) -> ChildView:
    mark = mark_view(each.mark, words)
    row = kana_row(each.name.kana) if each.name else ""
    return ChildView(
        child=each.child,
        mark=mark,
        name=each.name.kana if each.name else mark.label,
        whereabouts=each.whereabouts,
        said=words.text(f"panel.{each.whereabouts}"),
        likely=Direction.EXIT if each.whereabouts is Whereabouts.IN else Direction.ENTRY,
        group=(row or _OTHER) if by_row else each.mark.colour,
    )


def _rows(words: Catalogue) -> Iterable[GroupView]:
    yield from (GroupView(row, row, "") for row in KANA_ROWS)
    yield GroupView(_OTHER, words.text("panel.group.other"), "")


def _colours(words: Catalogue) -> Iterable[GroupView]:
    return (GroupView(colour, words.text(f"screen.colour.{colour}"), colour) for colour in Colour)
