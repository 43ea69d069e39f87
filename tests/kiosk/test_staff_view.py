"""What the staff panel shows: children where staff look for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.catalogue import Language
from attendance.roster import Animal, Colour, DisplayName, Mark
from kiosk.answer import ChildNow, Whereabouts
from kiosk.catalogues import catalogues
from kiosk.screen.staff_view import UNGROUPED_MAX, PanelView, panel_view
from tests.kiosk.staff_parts import children

WORDS = catalogues()[Language.JA]


def child(kana: str | None = "たなか はな", *, id: str = "c", mark: Mark | None = None) -> ChildNow:  # noqa: A002
    name = None if kana is None else DisplayName(kana, kana)
    return ChildNow(id, mark or Mark(Animal.CAT, Colour.RED), name, Whereabouts.NOT_YET)


def shown(*there: ChildNow) -> PanelView:
    return panel_view(there, WORDS)


def test_children_are_in_the_order_of_a_register() -> None:
    names = ["かとう れん", "がとう あい", "かな", "あおき ゆい"]
    assert [each.name for each in shown(*map(child, names)).children] == [
        "あおき ゆい",
        "かとう れん",
        "がとう あい",
        "かな",
    ]


def test_where_names_are_not_known_the_marks_are_and_in_their_order() -> None:
    marks = [Mark(Animal.OWL, Colour.PINK), Mark(Animal.TIGER, Colour.RED), Mark(Animal.CAT, Colour.RED)]
    found = shown(*(child(None, mark=mark) for mark in marks)).children
    assert (
        [each.name for each in found]
        == [each.mark.label for each in found]
        == ["あかい ねこ", "あかい とら", "ピンクの ふくろう"]
    )


def test_a_child_whose_name_is_not_known_comes_after_the_others() -> None:
    assert [each.name for each in shown(child(None), child("わたなべ")).children] == ["わたなべ", "あかい ねこ"]


@pytest.mark.parametrize(
    ("whereabouts", "said", "likely"),
    [(Whereabouts.NOT_YET, "まだ", "entry"), (Whereabouts.IN, "いる", "exit"), (Whereabouts.LEFT, "帰った", "entry")],
)
def test_a_tile_says_where_the_child_is_and_where_it_likely_goes(
    whereabouts: Whereabouts, said: str, likely: str
) -> None:
    (found,) = shown(ChildNow("c", Mark(Animal.CAT, Colour.RED), None, whereabouts)).children
    assert (found.whereabouts, found.said, found.likely) == (whereabouts, said, likely)


def test_few_children_need_no_groups() -> None:
    assert shown(*children(UNGROUPED_MAX)).groups == ()


def test_many_are_parted_by_the_rows_of_the_kana_table_that_there_are() -> None:
    found = shown(*children(120))
    assert [group.label for group in found.groups] == list("あかさたなはまやわ")
    assert {each.group for each in found.children} == {group.key for group in found.groups}
    assert all(each.name[0] in "たちつてとだぢづでど" for each in found.children if each.group == "た")


def test_names_outside_the_table_have_a_group_of_their_own_at_the_end() -> None:
    found = shown(*children(21), child("Anna"), child(None))
    assert [(group.key, group.label) for group in found.groups][-1] == ("other", "ほか")
    assert [each.name for each in found.children if each.group == "other"] == ["Anna", "あかい ねこ"]


def test_many_marks_are_parted_by_colour() -> None:
    found = shown(*children(60, named=False))
    assert [group.colour for group in found.groups] == list(Colour)
    assert {each.group for each in found.children} == set(Colour)
    assert all(each.mark.colour == each.group for each in found.children)


@given(st.permutations(children(30)))
def test_the_order_does_not_hang_on_how_the_roster_came(there: list[ChildNow]) -> None:
    assert shown(*there) == shown(*children(30))


@pytest.mark.parametrize("language", list(Language))
def test_every_language_names_every_tile(language: Language) -> None:
    found = panel_view(children(40, named=False), catalogues()[language])
    assert all(each.name and each.said for each in found.children)
    assert all(group.label for group in found.groups)
