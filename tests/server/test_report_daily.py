"""The daily report, read from a real store."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Row

from attendance.clock import to_ms
from server.ledger import accept
from server.reports.daily import ChildLine, DailyReport, SiteReport, daily_report, is_reportable
from server.store.engine import Store
from server.store.tables import unit
from server.timeline import BestTime, TimeSource
from tests.server import factories as make
from tests.server.kiosk_side import Session

MINUTE_MS = 60_000
DAY_MS = 86_400_000
EVENING_MS = make.NOON_MS + 9 * 3_600_000


@pytest.fixture
def site(store: Store) -> Row[Any]:
    return make.site(store, code="HARU", name="はるのクラブ", extended_from="18:00")


def report(store: Store, *sites: Row[Any], day: date = make.DAY, now_ms: int = EVENING_MS) -> DailyReport:
    with store.read() as conn:
        return daily_report(conn, [each.id for each in sites], day, now_ms)


def only(store: Store, site: Row[Any], **values: Any) -> SiteReport:
    (found,) = report(store, site, **values).sites
    return found


def stay(
    store: Store, site: Row[Any], child: Row[Any], *, minutes: int | None = 120, at_ms: int = make.NOON_MS
) -> None:
    make.movement(store, site_id=site.id, child_id=child.id, at_ms=at_ms)
    if minutes is not None:
        leaves_ms = at_ms + minutes * MINUTE_MS
        make.movement(store, site_id=site.id, child_id=child.id, direction="exit", at_ms=leaves_ms)


def group(store: Store, site: Row[Any], name: str) -> Row[Any]:
    return make.put(store, unit, id=f"unit-{name}", site_id=site.id, name=name)


def test_a_child_who_was_here_has_a_line(store: Store, site: Row[Any]) -> None:
    child = make.child(store, at=site.id, number="R8-1", name="髙橋 花", kana="たかはし はな", school_class="1-1")
    stay(store, site, child)
    make.child(store, at=site.id)
    assert only(store, site).children == (
        ChildLine(
            number="R8-1",
            name="髙橋 花",
            kana="たかはし はな",
            school_class="1-1",
            unit="",
            first_entry=BestTime(make.NOON_MS, TimeSource.ANCHOR, None),
            last_exit=BestTime(make.NOON_MS + 120 * MINUTE_MS, TimeSource.ANCHOR, None),
            still_in=False,
            extended=False,
            unsettled=False,
        ),
    )


def test_lines_are_by_kana(store: Store, site: Row[Any]) -> None:
    for kana in ("わだ", "あおき", "かさい", "がいと"):
        stay(store, site, make.child(store, at=site.id, kana=kana))
    assert [line.kana for line in only(store, site).children] == ["あおき", "がいと", "かさい", "わだ"]


def test_what_is_doubtful_about_a_child_stands_in_its_line(store: Store, site: Row[Any]) -> None:
    late, stays, odd = (make.child(store, at=site.id, kana=kana) for kana in ("あ", "い", "う"))
    stay(store, site, late, minutes=6 * 60 + 1)
    stay(store, site, stays, minutes=None)
    make.movement(store, site_id=site.id, child_id=odd.id, at_source="unsettled")
    lines = only(store, site).children
    assert [(line.extended, line.still_in, line.unsettled) for line in lines] == [
        (True, False, False),
        (False, True, False),
        (False, True, True),
    ]


def test_what_does_not_add_up_is_listed_with_its_child_and_agrees_with_the_figures(
    store: Store, site: Row[Any]
) -> None:
    door = make.kiosk(store, site_id=site.id)
    twice, gone = (make.child(store, at=site.id, number=number) for number in ("R8-1", "R8-2"))
    stay(store, site, twice, minutes=None)
    stay(store, site, twice, minutes=None, at_ms=make.NOON_MS + 10 * MINUTE_MS)
    make.movement(store, site_id=site.id, child_id=gone.id, direction="exit", at_source="unsettled")
    make.unknown_card(store, site_id=site.id)
    session = Session(door.id)
    session.moved("nobody on the roster")
    accept(store, door, session.request(), make.NOON_MS + 20 * MINUTE_MS)
    found = only(store, site)
    assert sorted((each.matter.kind.value, each.number) for each in found.closing) == [
        ("entry_again", "R8-1"),
        ("exit_without_entry", "R8-2"),
        ("still_in", "R8-1"),
        ("unknown_card", ""),
        ("unreadable", ""),
        ("unsettled", "R8-2"),
    ]
    counted = (found.figures.contradictions, found.figures.unsettled, found.figures.still_in)
    assert (counted, found.unknown_cards, found.unreadable) == ((2, 1, 1), 1, 1)


def test_what_was_taken_back_and_what_was_on_another_day_or_site_is_not_counted(store: Store, site: Row[Any]) -> None:
    other = make.site(store)
    child = make.child(store, at=site.id)
    make.movement(store, site_id=site.id, child_id=child.id, undone_at_ms=make.NOON_MS)
    stay(store, site, child, at_ms=make.NOON_MS - DAY_MS)
    stay(store, other, child)
    make.unknown_card(store, site_id=other.id)
    found = only(store, site)
    assert (found.figures.present_ever, found.unknown_cards, found.children) == (0, 0, ())


def test_a_day_begins_and_ends_at_midnight_in_japan(store: Store, site: Row[Any]) -> None:
    midnight_ms = to_ms(datetime(2026, 4, 14, 15, 0, tzinfo=UTC))
    for at_ms in (midnight_ms - 1, midnight_ms, midnight_ms + DAY_MS - 1, midnight_ms + DAY_MS):
        make.movement(store, site_id=site.id, child_id=make.child(store).id, at_ms=at_ms)
    assert only(store, site).figures.entries == 2


def test_units_share_out_the_figures_of_a_site(store: Store, site: Row[Any]) -> None:
    for name in ("ひまわり", "あさがお"):
        for _ in range(2):
            child = make.child(store)
            values = {"child_id": child.id, "site_id": site.id, "unit_id": group_of(store, site, name)}
            make.enrolment(store, **values)
            stay(store, site, child)
    stay(store, site, make.child(store, at=site.id))
    found = only(store, site)
    assert [(part.name, part.figures.present_ever) for part in found.units] == [
        ("あさがお", 2),
        ("ひまわり", 2),
        ("", 1),
    ]
    assert sum(part.figures.entries for part in found.units) == found.figures.entries == 5
    assert found.figures.peak == 5


def group_of(store: Store, site: Row[Any], name: str) -> str:
    known = {row.name: row.id for row in make.rows(store, unit)}
    return str(known.get(name) or group(store, site, name).id)


def test_a_site_without_units_has_no_parts(store: Store, site: Row[Any]) -> None:
    stay(store, site, make.child(store, at=site.id))
    assert only(store, site).units == ()


def test_a_child_is_in_the_unit_it_was_in_on_that_day(store: Store, site: Row[Any]) -> None:
    child = make.child(store)
    one = timedelta(days=1)
    spans: list[tuple[str, date, date | None]] = [
        ("old", date(2026, 4, 1), make.DAY - one),
        ("now", make.DAY, make.DAY),
        ("next", make.DAY + one, None),
    ]
    for name, first, last in spans:
        unit_id = group(store, site, name).id
        make.enrolment(store, child_id=child.id, site_id=site.id, unit_id=unit_id, from_day=first, until_day=last)
    stay(store, site, child)
    assert only(store, site).children[0].unit == "now"


def test_a_child_whose_enrolment_is_over_is_in_no_unit_but_counted(store: Store, site: Row[Any]) -> None:
    child = make.child(store)
    ended = {"unit_id": group(store, site, "old").id, "until_day": make.DAY - timedelta(days=1)}
    make.enrolment(store, child_id=child.id, site_id=site.id, **ended)
    stay(store, site, child)
    (line,) = only(store, site).children
    assert line.unit == ""


def test_sites_come_by_code_and_only_those_asked_for(store: Store) -> None:
    b, a, _ = (make.site(store, code=code) for code in "BAC")
    assert [each.code for each in report(store, b, a).sites] == ["A", "B"]


@pytest.mark.parametrize(
    ("heard_after_noon_min", "now_min", "silent"),
    [
        (None, 60, 1),
        (59, 60, 0),
        (30, 60, 1),
        (600, 48 * 60, 1),
        (13 * 60, 48 * 60, 0),
        (63, 60, 1),
        (49 * 60, 48 * 60, 1),
    ],
    ids=[
        "never",
        "now",
        "half an hour ago",
        "before the day ended",
        "after it ended",
        "before the clock was set back",
        "after it ended by a clock that was set back since",
    ],
)
def test_a_kiosk_that_may_hold_records_of_the_day_is_told(
    store: Store, site: Row[Any], heard_after_noon_min: int | None, now_min: int, silent: int
) -> None:
    heard = None if heard_after_noon_min is None else make.NOON_MS + heard_after_noon_min * MINUTE_MS
    make.kiosk(store, site_id=site.id, heard_at_ms=heard)
    make.kiosk(store, site_id=site.id, revoked_at_ms=make.NOON_MS)
    make.kiosk(store, site_id=site.id, enrolled_at_ms=make.NOON_MS + DAY_MS)
    assert only(store, site, now_ms=make.NOON_MS + now_min * MINUTE_MS).silent_kiosks == silent


@pytest.mark.parametrize(
    ("day", "possible"),
    [
        (make.DAY, True),
        (date(2000, 1, 1), True),
        (make.DAY + timedelta(days=1), False),
        (date.min, False),
        (date.max, False),
    ],
)
def test_a_day_that_can_have_no_records_has_no_report(day: date, possible: bool) -> None:
    assert is_reportable(day, EVENING_MS) is possible


def test_a_report_shows_no_name_of_its_own(store: Store, site: Row[Any]) -> None:
    stay(store, site, make.child(store, at=site.id, name="髙橋 花", kana="たかはし はな"))
    assert "髙橋" not in repr(report(store, site))
    assert "たかはし" not in repr(report(store, site))
