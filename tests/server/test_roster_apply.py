"""What an import does to the store: children, enrolments, units, guardians, marks and cards."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Row, select, update

from attendance.catalogue import Language
from attendance.roster import all_marks
from server.cards import revoke_all
from server.catalogues import catalogues
from server.errors import RosterRefused
from server.roster.apply import GUARDIANS, Change, Changes, apply
from server.roster.check import RosterGuardian, RosterRow
from server.store.engine import Store
from server.store.tables import card, child, enrolment, guardian, guardianship, site, unit
from tests.server import factories as make

WORDS = catalogues()[Language.EN]
MASTER = bytes(range(32))
APRIL, JUNE, SEPTEMBER = date(2026, 4, 1), date(2026, 6, 1), date(2026, 9, 30)
MOTHER = RosterGuardian(name="Aoki", email="g@example.jp", language=Language.JA, consented_on=APRIL)
ROW = RosterRow(
    row=2,
    number="R8-1",
    name="青木 さくら",
    kana="あおき さくら",
    school_class="1-1",
    unit="",
    from_day=APRIL,
    until_day=None,
    weekdays="1111100",
    guardians=(),
)


@pytest.fixture
def here(store: Store) -> Row[Any]:
    return make.site(store, code="HARU")


def bring(store: Store, where: Row[Any], *rows: RosterRow, now_ms: int = make.NOON_MS) -> Changes:
    with store.write() as conn:
        return apply(conn, where.id, rows, WORDS, now_ms, master=MASTER)


def numbered(n: int, **values: Any) -> RosterRow:
    return replace(ROW, row=n + 1, number=f"R8-{n}", **values)


def version(store: Store, where: Row[Any]) -> int:
    with store.read() as conn:
        found: int = conn.execute(select(site.c.roster_version).where(site.c.id == where.id)).scalar_one()
        return found


def periods(store: Store) -> list[tuple[date, date | None]]:
    return sorted((row.from_day, row.until_day) for row in make.rows(store, enrolment))


def marks(store: Store) -> list[tuple[str, str]]:
    return [(row.animal, row.colour) for row in make.rows(store, child)]


def test_a_new_child_gets_an_enrolment_a_mark_and_a_card(store: Store, here: Row[Any]) -> None:
    changes = bring(store, here, replace(ROW, unit="ひまわり", weekdays="1010100", until_day=SEPTEMBER))
    assert changes == Changes(added=[2], cards_issued=1)
    (person,), (period,), (group,) = (make.rows(store, table) for table in (child, enrolment, unit))
    assert (person.number, person.name, person.kana, person.school_class) == ("R8-1", ROW.name, ROW.kana, "1-1")
    assert (period.child_id, period.site_id, period.unit_id) == (person.id, here.id, group.id)
    assert (period.from_day, period.until_day, period.weekdays) == (APRIL, SEPTEMBER, "1010100")
    assert len(make.rows(store, card)) == 1


def test_kiosks_learn_of_a_change_and_only_of_one(store: Store, here: Row[Any]) -> None:
    before = version(store, here)
    bring(store, here, ROW)
    after = version(store, here)
    bring(store, here, ROW)
    assert before != after == version(store, here)
    bring(store, here, replace(ROW, kana="あおき"))
    assert version(store, here) != after


def test_a_second_import_finds_everything_as_it_is(store: Store, here: Row[Any]) -> None:
    row = replace(ROW, unit="ひまわり", guardians=(MOTHER,))
    bring(store, here, row)
    tables = (child, enrolment, guardian, guardianship, card, unit, site)
    before = [make.rows(store, table) for table in tables]
    assert bring(store, here, row) == Changes(unchanged=1)
    assert [make.rows(store, table) for table in tables] == before


@pytest.mark.parametrize(
    ("values", "columns"),
    [
        ({"name": "青木 桜"}, ("name",)),
        ({"kana": "あおき"}, ("kana",)),
        ({"school_class": "2-1", "weekdays": "1000000"}, ("school_class", "weekdays")),
        ({"unit": "あさがお"}, ("unit",)),
        ({"until_day": SEPTEMBER}, ("until_day",)),
        ({"guardians": ()}, (GUARDIANS,)),
        ({"guardians": (replace(MOTHER, language=Language.EN),)}, (GUARDIANS,)),
        ({"guardians": (replace(MOTHER, email="new@example.jp"),)}, (GUARDIANS,)),
    ],
)
def test_a_change_is_told_by_the_columns_it_is_in(
    store: Store, here: Row[Any], values: dict[str, Any], columns: tuple[str, ...]
) -> None:
    row = replace(ROW, guardians=(MOTHER,))
    bring(store, here, row)
    assert bring(store, here, replace(row, **values)) == Changes(changed=[Change(2, "R8-1", columns)])


def test_a_child_who_is_not_in_the_file_is_left_alone_and_counted(store: Store, here: Row[Any]) -> None:
    bring(store, here, numbered(1), numbered(2), numbered(3, until_day=APRIL))
    assert bring(store, here, numbered(1)).absent_from_file == 1
    assert len(make.rows(store, enrolment)) == 3


def test_a_last_day_in_the_file_ends_an_enrolment(store: Store, here: Row[Any]) -> None:
    bring(store, here, ROW)
    bring(store, here, replace(ROW, until_day=SEPTEMBER))
    assert periods(store) == [(APRIL, SEPTEMBER)]


def test_a_first_day_that_was_wrong_leaves_no_second_enrolment_behind(store: Store, here: Row[Any]) -> None:
    bring(store, here, replace(ROW, from_day=JUNE))
    assert bring(store, here, ROW).changed == [Change(2, "R8-1", ("from_day",))]
    assert periods(store) == [(APRIL, None)]


def test_a_later_first_day_ends_the_enrolment_before_it(store: Store, here: Row[Any]) -> None:
    bring(store, here, ROW)
    bring(store, here, replace(ROW, from_day=JUNE))
    assert periods(store) == [(APRIL, date(2026, 5, 31)), (JUNE, None)]
    assert bring(store, here, replace(ROW, from_day=JUNE)).unchanged == 1


def test_an_enrolment_that_is_over_stays_as_it_was(store: Store, here: Row[Any]) -> None:
    bring(store, here, replace(ROW, until_day=date(2026, 5, 10)))
    bring(store, here, replace(ROW, from_day=JUNE))
    assert periods(store) == [(APRIL, date(2026, 5, 10)), (JUNE, None)]


def test_siblings_share_one_guardian(store: Store, here: Row[Any]) -> None:
    bring(store, here, numbered(1, guardians=(MOTHER,)), numbered(2, guardians=(MOTHER,)))
    assert len(make.rows(store, guardian)) == 1
    assert len(make.rows(store, guardianship)) == 2


def test_a_new_address_replaces_the_old_one_for_that_child(store: Store, here: Row[Any]) -> None:
    bring(store, here, numbered(1, guardians=(MOTHER,)), numbered(2, guardians=(MOTHER,)))
    bring(store, here, numbered(1, guardians=(replace(MOTHER, email="new@example.jp"),)))
    emails = {row.id: row.email for row in make.rows(store, guardian)}
    numbers = {row.id: row.number for row in make.rows(store, child)}
    links = {(numbers[row.child_id], emails[row.guardian_id]) for row in make.rows(store, guardianship)}
    assert links == {("R8-1", "new@example.jp"), ("R8-2", "g@example.jp")}


def test_consent_can_be_withdrawn_by_an_empty_cell(store: Store, here: Row[Any]) -> None:
    bring(store, here, replace(ROW, guardians=(MOTHER,)))
    bring(store, here, replace(ROW, guardians=(replace(MOTHER, consented_on=None),)))
    assert make.rows(store, guardian)[0].consented_at_ms is None


@pytest.mark.parametrize(("consented_on", "tried_again"), [(APRIL, False), (date(2026, 4, 10), True)])
def test_a_newer_consent_lets_an_address_that_refused_mail_be_tried_again(
    store: Store, here: Row[Any], consented_on: date, tried_again: bool
) -> None:
    bring(store, here, replace(ROW, guardians=(MOTHER,)))
    with store.write() as conn:
        conn.execute(update(guardian).values(suspended_at_ms=make.NOON_MS))
    bring(store, here, replace(ROW, guardians=(replace(MOTHER, consented_on=consented_on),)))
    assert (make.rows(store, guardian)[0].suspended_at_ms is None) is tried_again


def test_a_child_whose_cards_were_all_revoked_gets_none_by_an_import(store: Store, here: Row[Any]) -> None:
    bring(store, here, ROW)
    with store.write() as conn:
        revoke_all(conn, make.rows(store, child)[0].id, make.NOON_MS)
    assert bring(store, here, ROW).cards_issued == 0


def test_marks_are_unique_as_long_as_there_are_enough(store: Store, here: Row[Any]) -> None:
    many = len(list(all_marks()))
    bring(store, here, *(numbered(n) for n in range(many)))
    assert len(set(marks(store))) == many
    bring(store, here, numbered(many))
    assert len(marks(store)) == many + 1


def test_the_mark_of_a_child_who_left_is_free_again(store: Store, here: Row[Any]) -> None:
    many = len(list(all_marks()))
    bring(store, here, *(numbered(n) for n in range(many)))
    bring(store, here, numbered(5, until_day=APRIL))
    bring(store, here, numbered(many))
    found = {row.number: (row.animal, row.colour) for row in make.rows(store, child)}
    assert found["R8-5"] == found[f"R8-{many}"]


def test_a_child_who_comes_from_another_site_keeps_number_and_card_and_is_told(store: Store, here: Row[Any]) -> None:
    there = make.site(store, code="NATSU")
    bring(store, there, ROW)
    changes = bring(store, here, ROW)
    assert (changes.elsewhere, changes.cards_issued, changes.new_marks) == ([2], 0, [])
    assert {row.site_id for row in make.rows(store, enrolment)} == {here.id, there.id}
    bring(store, there, replace(ROW, until_day=date(2026, 4, 10)))
    assert bring(store, here, ROW).elsewhere == []


def test_a_child_who_comes_with_a_mark_that_is_taken_gets_another(store: Store, here: Row[Any]) -> None:
    there = make.site(store, code="NATSU")
    bring(store, there, numbered(1), numbered(2))
    bring(store, here, numbered(3))
    assert marks(store)[0] == marks(store)[2]
    changes = bring(store, here, numbered(1))
    assert changes.new_marks == [2]
    assert len(set(marks(store))) == 3
    assert bring(store, here, numbered(1)) == Changes(unchanged=1, absent_from_file=1, elsewhere=[2])


def test_a_new_name_is_told_to_the_kiosks_of_every_site_of_the_child(store: Store, here: Row[Any]) -> None:
    there = make.site(store, code="NATSU")
    bring(store, there, ROW)
    bring(store, here, ROW)
    before = version(store, there)
    bring(store, here, replace(ROW, name="青木 桜"))
    assert version(store, there) != before


def test_a_number_that_another_site_gave_to_another_child_is_refused(store: Store, here: Row[Any]) -> None:
    bring(store, make.site(store, code="NATSU"), ROW)
    with pytest.raises(RosterRefused) as refused:
        bring(store, here, replace(ROW, name="別人 太郎"))
    assert refused.value.problems == (
        'Row 2, "Number": Number "R8-1" belongs to a child of another name at site "NATSU". Look at number and name.',
    )


def test_a_child_who_moves_may_be_written_with_other_spaces(store: Store, here: Row[Any]) -> None:
    bring(store, make.site(store, code="NATSU"), ROW)
    assert bring(store, here, replace(ROW, name="青木　さくら")).changed[0].columns == ("name", "from_day")
