"""The headcount: who is in, who left, who is expected."""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Row

from attendance.presence import Movement
from attendance.records import Direction
from server.headcount import Headcount, expected_children, headcount, movements_of_day
from server.store.engine import Store
from tests.server import factories as make
from tests.server.factories import DAY, NOON_MS

HOUR_MS = 3_600_000


@pytest.fixture
def site(store: Store) -> Row[Any]:
    return make.site(store, expected_by="15:30")


def count(store: Store, site: Row[Any], at_ms: int = NOON_MS) -> Headcount:
    with store.read() as conn:
        return headcount(conn, site.id, at_ms)


def names(people: Any) -> list[str]:
    return [each.person.name for each in people]


def test_nobody_is_in_at_an_empty_site(store: Store, site: Row[Any]) -> None:
    assert count(store, site) == Headcount(DAY, (), (), (), (), ())


def test_a_child_is_expected_then_in_then_gone(store: Store, site: Row[Any]) -> None:
    aoi = make.child(store, name="Aoi", at=site.id)
    assert names(count(store, site).expected) == ["Aoi"]
    make.movement(store, site_id=site.id, child_id=aoi.id, at_ms=NOON_MS)
    here = count(store, site)
    assert (names(here.present), names(here.expected), names(here.left)) == (["Aoi"], [], [])
    assert here.present[0].since.at_ms == NOON_MS
    make.movement(store, site_id=site.id, child_id=aoi.id, direction="exit", at_ms=NOON_MS + HOUR_MS)
    gone = count(store, site)
    assert (names(gone.present), names(gone.expected), names(gone.left)) == ([], [], ["Aoi"])


def test_a_movement_that_was_taken_back_does_not_count(store: Store, site: Row[Any]) -> None:
    aoi = make.child(store, name="Aoi", at=site.id)
    make.movement(store, site_id=site.id, child_id=aoi.id, undone_at_ms=NOON_MS)
    assert names(count(store, site).expected) == ["Aoi"]


def test_people_are_in_the_order_of_their_kana(store: Store, site: Row[Any]) -> None:
    for name, kana in (("C", "かさい"), ("A", "がいと"), ("B", "あおき")):
        child = make.child(store, name=name, kana=kana, at=site.id)
        make.movement(store, site_id=site.id, child_id=child.id)
    assert names(count(store, site).present) == ["B", "A", "C"]


def test_a_child_who_is_not_enrolled_any_more_is_counted_when_it_came(store: Store, site: Row[Any]) -> None:
    child = make.child(store, name="Aoi")
    make.movement(store, site_id=site.id, child_id=child.id)
    assert names(count(store, site).present) == ["Aoi"]


def test_a_time_nothing_vouches_for_is_marked(store: Store, site: Row[Any]) -> None:
    for name, source in (("A", "unsettled"), ("B", "anchor")):
        child = make.child(store, name=name, at=site.id)
        make.movement(store, site_id=site.id, child_id=child.id, at_source=source)
    assert {each.person.name: each.since.source for each in count(store, site).present} == {
        "A": "unsettled",
        "B": "anchor",
    }


@pytest.mark.parametrize(("minutes", "late"), [(209, False), (210, True)])
def test_an_expected_child_is_late_from_the_sites_time_on(
    store: Store, site: Row[Any], minutes: int, *, late: bool
) -> None:
    make.child(store, at=site.id)
    assert [each.late for each in count(store, site, NOON_MS + minutes * 60_000).expected] == [late]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, True),
        ({"weekdays": "1101111"}, False),
        ({"from_day": date(2026, 4, 16)}, False),
        ({"from_day": DAY, "until_day": DAY}, True),
        ({"until_day": date(2026, 4, 14)}, False),
    ],
)
def test_enrolment_says_who_is_expected(store: Store, site: Row[Any], values: Any, *, expected: bool) -> None:
    child = make.child(store)
    make.enrolment(store, child_id=child.id, site_id=site.id, **values)
    with store.read() as conn:
        assert (child.id in expected_children(conn, site.id, DAY)) is expected


def test_a_child_told_to_be_absent_is_not_expected(store: Store, site: Row[Any]) -> None:
    child = make.child(store, at=site.id)
    make.absence(store, child_id=child.id, day=date(2026, 4, 14))
    assert len(count(store, site).expected) == 1
    make.absence(store, child_id=child.id)
    assert count(store, site).expected == ()


def test_other_sites_and_days_are_left_out(store: Store, site: Row[Any]) -> None:
    child = make.child(store, at=site.id)
    make.movement(store, site_id=make.site(store).id, child_id=child.id)
    make.movement(store, site_id=site.id, child_id=child.id, at_ms=NOON_MS - 24 * HOUR_MS)
    make.unknown_card(store, site_id=site.id, at_ms=NOON_MS - 24 * HOUR_MS)
    assert count(store, site).present == ()
    assert count(store, site).unknown_cards == ()


def test_unknown_cards_of_the_day_are_told_shortly(store: Store, site: Row[Any]) -> None:
    card = make.unknown_card(store, site_id=site.id)
    assert [each.short for each in count(store, site).unknown_cards] == [card.card_hash[:8]]


def test_movements_come_in_the_order_they_are_folded(store: Store, site: Row[Any]) -> None:
    child = make.child(store)
    second = make.movement(store, site_id=site.id, child_id=child.id, direction="exit", at_ms=NOON_MS + 1)
    first = make.movement(store, site_id=site.id, child_id=child.id)
    with store.read() as conn:
        assert movements_of_day(conn, site.id, DAY) == [
            Movement(id=first.id, child=child.id, direction=Direction.ENTRY, at_ms=NOON_MS),
            Movement(id=second.id, child=child.id, direction=Direction.EXIT, at_ms=NOON_MS + 1),
        ]
