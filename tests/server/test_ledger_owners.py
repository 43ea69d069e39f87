"""Whose a session is: the kiosk's that wrote it, or the one's that brings it where nobody knows its writer."""

from typing import Any

import pytest
from sqlalchemy import Row

from attendance.records import Direction, JournalLine, line_hash
from attendance.wire import EntriesRequest, Receipt
from server.derive import retime
from server.store.engine import Store
from server.store.ids import new_id
from server.store.tables import anchor, entry, movement
from server.timeline import Anchor
from tests.server import factories as make
from tests.server.factories import DAY, NOON_MS
from tests.server.kiosk_side import S, Session, take


@pytest.fixture
def door(store: Store) -> Row[Any]:
    return make.kiosk(store)


@pytest.fixture
def child_id(store: Store, door: Row[Any]) -> str:
    held: str = make.child(store, at=door.site_id).id
    return held


@pytest.mark.parametrize("from_seq", [0, 1, 2, 3])
def test_one_kiosk_cannot_write_into_the_journal_of_another(
    store: Store, door: Row[Any], child_id: str, from_seq: int
) -> None:
    session = Session(door.id)
    session.moved(child_id)
    forged = Session(door.id, name=session.name, boot="f" * 32)
    forged.moved(child_id)
    forged.moved(child_id, Direction.EXIT)
    session.moved(child_id, Direction.EXIT)
    take(store, door, session.request(0, 2))
    other = make.kiosk(store, site_id=door.site_id)
    assert take(store, other, forged.request(from_seq)) == Receipt(session.name, -1, "")
    assert take(store, door, session.request()).through == 2
    assert [row.line for row in make.rows(store, entry)] == [line.line for line in session.lines]


def test_a_session_of_another_kiosk_is_told_to_nobody_who_has_not_got_it(
    store: Store, door: Row[Any], child_id: str
) -> None:
    session = Session(door.id)
    session.moved(child_id)
    take(store, door, session.request())
    asked = EntriesRequest(session.name, 0, ())
    assert take(store, make.kiosk(store, site_id=door.site_id), asked) == Receipt(session.name, -1, "")


def test_a_journal_that_names_a_kiosk_of_another_site_is_kept_in_quarantine(
    store: Store, door: Row[Any], child_id: str
) -> None:
    session = Session(make.kiosk(store).id)
    session.moved(child_id)
    assert take(store, door, session.request()).quarantined == (0, 1)
    assert make.rows(store, movement) == []
    assert [row.kiosk_id for row in make.rows(store, entry)] == [door.id, door.id]


@pytest.mark.parametrize("first", [1, 2, 3])
def test_what_was_written_under_a_name_this_server_does_not_know_is_its_bringers(
    store: Store, door: Row[Any], child_id: str, first: int
) -> None:
    """The server was restored to before that enrolment, and the kiosk was enrolled once more."""
    session = Session(new_id())
    moved = session.moved(child_id)
    session.undone(moved)
    session.moved(child_id, Direction.EXIT)
    take(store, door, session.request(0, first))
    receipt = take(store, door, session.request(first))
    assert (receipt.through, receipt.quarantined) == (3, ())
    assert take(store, door, session.request()) == receipt
    rows = make.rows(store, movement)
    assert [(row.kiosk_id, row.site_id, row.boot) for row in rows] == 2 * [(door.id, door.site_id, session.boot)]
    assert [row.kiosk_id for row in make.rows(store, entry)] == 4 * [door.id]


def test_such_a_session_goes_on_under_the_name_it_was_begun_with_and_no_other(
    store: Store, door: Row[Any], child_id: str
) -> None:
    session = Session(new_id())
    session.kiosk = door.id
    mine = session.moved(child_id)
    session.kiosk = new_id()
    strangers = session.moved(child_id)
    assert take(store, door, session.request(0, 1)).quarantined == ()
    assert take(store, door, session.request(1)).quarantined == (mine, strangers)


def test_such_a_session_may_be_brought_on_by_the_next_that_holds_it(
    store: Store, door: Row[Any], child_id: str
) -> None:
    """The kiosk was enrolled once more in the midst of it, or two have copies of one disk."""
    session = Session(new_id())
    session.moved(child_id)
    session.moved(child_id, Direction.EXIT)
    take(store, door, session.request(0, 2))
    stranger = Session(session.kiosk, name=session.name)
    stranger.moved(child_id, Direction.EXIT)
    stranger.moved(child_id, Direction.EXIT)
    other = make.kiosk(store, site_id=door.site_id)
    assert take(store, other, stranger.request(2)).through == -1
    assert take(store, other, session.request()).through == 2
    assert [row.kiosk_id for row in make.rows(store, movement)] == [door.id, door.id]


def test_such_a_session_is_dated_by_the_boot_in_which_it_is_brought_and_again_by_a_better_anchor(
    store: Store, door: Row[Any], child_id: str
) -> None:
    session = Session(new_id())
    session.moved(child_id, at_s=0, wall_ms=0)
    make.link(store, anchor, kiosk_id=door.id, boot=session.boot, boot_ns=1060 * S, server_ms=NOON_MS + 70_000)
    take(store, door, session.request())
    [row] = make.rows(store, movement)
    assert (row.at_ms, row.at_source) == (NOON_MS + 10_000, "anchor")
    with store.write() as conn:
        retime(conn, door.id, session.boot, Anchor(1060 * S, NOON_MS + 60_000))
    assert make.rows(store, movement)[0].at_ms == NOON_MS


def test_such_a_session_is_not_taken_to_be_later_than_the_enrolment_of_its_bringer(
    store: Store, child_id: str, door: Row[Any]
) -> None:
    anew = make.kiosk(store, site_id=door.site_id, enrolled_at_ms=NOON_MS + 50_000)
    session = Session(new_id())
    session.moved(child_id, at_s=1)
    take(store, anew, session.request())
    assert make.rows(store, movement)[0].at_ms == NOON_MS + 1_000


@pytest.mark.parametrize("kiosk_id", ["", "x" * 37, "\0", "a b"])
def test_what_no_kiosk_can_be_called_is_kept_in_quarantine(store: Store, door: Row[Any], kiosk_id: str) -> None:
    assert take(store, door, Session(kiosk_id).request()).quarantined == (0,)


@pytest.mark.parametrize("revoked_at_ms", [None, NOON_MS])
@pytest.mark.parametrize("held", [0, 1, 2])
@pytest.mark.parametrize("overlap", [0, 1])
def test_a_kiosk_enrolled_anew_brings_what_it_wrote_before(
    store: Store, door: Row[Any], child_id: str, revoked_at_ms: int | None, held: int, overlap: int
) -> None:
    before = make.kiosk(store, site_id=door.site_id, revoked_at_ms=revoked_at_ms)
    session = Session(before.id)
    session.moved(child_id)
    session.moved(child_id, Direction.EXIT)
    if held:
        take(store, before, session.request(0, held))
    receipt = take(store, door, session.request(max(held - overlap, 0)))
    assert (receipt.through, receipt.quarantined) == (2, ())
    assert [row.kiosk_id for row in make.rows(store, movement)] == [before.id, before.id]


def test_an_entry_of_a_kind_to_come_is_brought_by_a_kiosk_enrolled_anew_too(
    store: Store, door: Row[Any], child_id: str
) -> None:
    before = make.kiosk(store, site_id=door.site_id)
    session = Session(before.id)
    seq = session.moved(child_id)
    take(store, before, session.request(0, 1))
    line = session.lines[seq].line.replace('"kind":"movement"', '"kind":"message"')
    newer = EntriesRequest(session.name, seq, (JournalLine(line, line_hash(line)),))
    receipt = take(store, door, newer)
    assert (receipt.through, receipt.quarantined) == (seq, (seq,))


def test_a_kiosk_that_moved_to_another_site_brings_the_rest_of_what_it_wrote_there(
    store: Store, door: Row[Any], child_id: str
) -> None:
    session = Session(door.id)
    session.moved(child_id)
    take(store, door, session.request(0, 1))
    assert take(store, make.kiosk(store), session.request(1)).through == 1
    [row] = make.rows(store, movement)
    assert (row.site_id, row.kiosk_id) == (door.site_id, door.id)


def test_what_a_kiosk_enrolled_anew_brings_is_dated_by_the_boot_it_shares_with_it(
    store: Store, door: Row[Any], child_id: str
) -> None:
    before = make.kiosk(store, site_id=door.site_id)
    session = Session(before.id)
    session.moved(child_id, at_s=0, wall_ms=0)
    make.link(store, anchor, kiosk_id=door.id, boot=session.boot, boot_ns=1060 * S, server_ms=NOON_MS + 60_000)
    take(store, door, session.request())
    [row] = make.rows(store, movement)
    assert (row.at_ms, row.at_source, row.day) == (NOON_MS, "anchor", DAY)


@pytest.mark.parametrize("known", [True, False])
def test_a_session_whose_beginning_is_lost_belongs_to_the_kiosk_that_its_next_line_names(
    store: Store, door: Row[Any], child_id: str, *, known: bool
) -> None:
    anew = make.kiosk(store, site_id=door.site_id)
    session = Session(door.id if known else "never-heard-of")
    session.moved(child_id)
    session.moved(child_id, Direction.EXIT)
    session.lines[0] = JournalLine(line="lost", hash=session.lines[0].hash)
    assert take(store, anew, session.request(until=1)).quarantined == (0,)
    for until in (2, 3):
        assert take(store, anew, session.request(until - 1, until)).quarantined == ()
    owner = door.id if known else anew.id
    assert [row.kiosk_id for row in make.rows(store, movement)] == [owner] * 2


def test_lines_behind_a_lost_beginning_that_name_a_kiosk_of_another_site_are_kept_in_quarantine(
    store: Store, door: Row[Any], child_id: str
) -> None:
    session = Session(make.kiosk(store, site_id=make.site(store).id).id)
    session.moved(child_id)
    session.lines[0] = JournalLine(line="lost", hash=session.lines[0].hash)
    assert take(store, door, session.request()).quarantined == (0, 1)
