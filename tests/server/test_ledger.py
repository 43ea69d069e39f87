"""The ledger: entries are taken once each, whatever order and number they come in, and nothing is refused."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Row

from attendance.clock import ClockState
from attendance.errors import WireError
from attendance.records import Direction, JournalLine, line_hash
from attendance.wire import EntriesRequest
from server.store.engine import Store
from server.store.ids import new_id
from server.store.tables import anchor, delivery, entry, guardian, journal_session, movement, unknown_card
from tests.server import factories as make
from tests.server.factories import DAY, NOON_MS
from tests.server.kiosk_side import S, Session, reading, take


@pytest.fixture
def door(store: Store) -> Row[Any]:
    return make.kiosk(store)


@pytest.fixture
def child_id(store: Store, door: Row[Any]) -> str:
    held: str = make.child(store, at=door.site_id).id
    return held


def test_a_session_is_taken_and_acknowledged_up_to_its_head(store: Store, door: Row[Any], child_id: str) -> None:
    session = Session(door.id)
    session.moved(child_id)
    receipt = take(store, door, session.request())
    assert (receipt.session, receipt.through, receipt.hash) == session.head
    assert receipt.quarantined == ()
    assert [row.kind for row in make.rows(store, entry)] == ["session", "movement"]
    assert [row.line for row in make.rows(store, entry)] == [line.line for line in session.lines]


def test_a_movement_is_derived_at_the_kiosks_site(store: Store, door: Row[Any], child_id: str) -> None:
    session = Session(door.id)
    seq = session.moved(child_id, Direction.EXIT, at_s=30)
    take(store, door, session.request())
    [row] = make.rows(store, movement)
    assert row.id == f"{session.name}:{seq}"
    assert (row.site_id, row.kiosk_id, row.child_id) == (door.site_id, door.id, child_id)
    assert (row.direction, row.made_by, row.day) == ("exit", "card", DAY)
    assert (row.at_ms, row.at_source, row.wall_ms) == (NOON_MS + 30_000, "unsettled", NOON_MS + 30_000)


def test_an_undo_marks_its_movement_and_leaves_it(store: Store, door: Row[Any], child_id: str) -> None:
    session = Session(door.id)
    seq = session.moved(child_id)
    session.undone(seq)
    take(store, door, session.request())
    [row] = make.rows(store, movement)
    assert row.undone_at_ms == NOON_MS + 2_000


def test_the_first_of_two_undos_counts(store: Store, door: Row[Any], child_id: str) -> None:
    session = Session(door.id)
    seq = session.moved(child_id)
    session.undone(seq)
    session.undone(seq)
    take(store, door, session.request())
    assert [row.undone_at_ms for row in make.rows(store, movement)] == [NOON_MS + 2_000]


@pytest.mark.parametrize("seq", [0, 2, 3, 99])
def test_an_undo_of_no_movement_does_nothing(store: Store, door: Row[Any], child_id: str, seq: int) -> None:
    session = Session(door.id)
    session.moved(child_id)
    session.undone(seq)
    session.moved(child_id)
    receipt = take(store, door, session.request())
    assert receipt.quarantined == ()
    assert [row.undone_at_ms for row in make.rows(store, movement)] == [None, None]


def test_an_unknown_card_is_kept_for_staff(store: Store, door: Row[Any]) -> None:
    session = Session(door.id)
    session.unknown()
    take(store, door, session.request())
    [row] = make.rows(store, unknown_card)
    assert (row.site_id, row.day) == (door.site_id, DAY)


def test_a_notice_is_queued_with_the_movement_and_cancelled_by_an_undo(
    store: Store, door: Row[Any], child_id: str
) -> None:
    make.guardian(store, of=child_id)
    session = Session(door.id)
    seq = session.moved(child_id)
    take(store, door, session.request(), now_ms=NOON_MS + 1_000)
    assert [row.state for row in make.rows(store, delivery)] == ["queued"]
    session.undone(seq)
    take(store, door, session.request(2), now_ms=NOON_MS + 2_000)
    assert [row.state for row in make.rows(store, delivery)] == ["cancelled"]


def test_a_gap_is_not_jumped(store: Store, door: Row[Any], child_id: str) -> None:
    session = Session(door.id)
    session.moved(child_id)
    session.moved(child_id)
    assert take(store, door, session.request(1)).through == -1
    assert take(store, door, session.request(0, 1)).through == 0
    assert take(store, door, session.request(2)).through == 0
    assert take(store, door, session.request(1)).through == 2


def test_of_two_stories_the_first_stands(store: Store, door: Row[Any], child_id: str) -> None:
    first = Session(door.id)
    first.moved(child_id)
    take(store, door, first.request())
    other = Session(door.id, name=first.name)
    other.moved(child_id, Direction.EXIT)
    receipt = take(store, door, other.request())
    assert (receipt.session, receipt.through, receipt.hash) == first.head
    assert receipt.quarantined == (1,)
    assert [row.direction for row in make.rows(store, movement)] == ["entry"]


def forged(line: JournalLine, old: str, new: str) -> JournalLine:
    text = line.line.replace(old, new)
    assert text != line.line
    return JournalLine(line=text, hash=line_hash(text))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: JournalLine(line=line.line, hash="0" * 64),
        lambda line: JournalLine(line=line.line, hash="nonsense" * 40),
        lambda line: JournalLine(line="<html>\0</html>", hash=line.hash),
        lambda line: forged(line, '"kind":"movement"', '"kind":"teleport"'),
        lambda line: forged(line, ",", ", "),
        lambda line: forged(line, '"seq":1', '"seq":7'),
        lambda line: forged(line, '"prev":"', '"prev":"0'),
        lambda line: forged(line, '"wall_ms":1', '"wall_ms":9111'),
    ],
)
def test_what_is_not_understood_is_kept_raw_and_counts_as_received(
    store: Store, door: Row[Any], child_id: str, spoil: Any
) -> None:
    session = Session(door.id)
    session.moved(child_id)
    session.lines[1] = spoil(session.lines[1])
    receipt = take(store, door, session.request())
    assert (receipt.through, receipt.quarantined) == (1, (1,))
    assert take(store, door, session.request()) == receipt
    row = make.rows(store, entry)[1]
    assert row.quarantined
    assert row.kind == ""
    assert row.line.startswith(session.lines[1].line[:6])
    assert make.rows(store, movement) == []


def test_entries_after_a_spoilt_one_are_still_derived(store: Store, door: Row[Any], child_id: str) -> None:
    session = Session(door.id)
    session.moved(child_id)
    session.moved(child_id, Direction.EXIT)
    session.lines[1] = JournalLine(line="x" + session.lines[1].line, hash=session.lines[1].hash)
    assert take(store, door, session.request()).quarantined == (1,)
    assert [row.direction for row in make.rows(store, movement)] == ["exit"]


def test_a_movement_of_a_child_nobody_knows_is_kept_and_the_rest_of_its_session_derived(
    store: Store, door: Row[Any], child_id: str
) -> None:
    session = Session(door.id)
    stranger = session.moved(new_id())
    undone = session.undone(stranger)
    known = session.moved(child_id)
    assert take(store, door, session.request()).quarantined == (stranger, undone)
    assert [row.id for row in make.rows(store, movement)] == [f"{session.name}:{known}"]
    assert take(store, door, session.request()).quarantined == (stranger, undone)


@pytest.mark.parametrize(
    "request_", [EntriesRequest("s", -1, ()), EntriesRequest("", 0, ()), EntriesRequest("x" * 37, 0, ())]
)
def test_a_place_that_cannot_be_is_refused(store: Store, door: Row[Any], request_: EntriesRequest) -> None:
    with pytest.raises(WireError):
        take(store, door, request_)


def test_an_empty_stretch_asks_what_is_held(store: Store, door: Row[Any]) -> None:
    session = Session(door.id)
    assert take(store, door, EntriesRequest(session.name, 0, ())).through == -1
    take(store, door, session.request())
    assert take(store, door, EntriesRequest(session.name, 1, ())).through == 0
    assert len(make.rows(store, journal_session)) == 1


def written(store: Store) -> dict[str, set[tuple[Any, ...]]]:
    """Every row that taking entries writes, without ids and times of their own."""
    loose = {"id", "received_at_ms", "grown_at_ms", "queued_at_ms", "due_at_ms", "settled_at_ms"}
    found = {}
    for table in (entry, journal_session, movement, unknown_card, delivery):
        columns = [column.name for column in table.columns if table is movement or column.name not in loose]
        found[table.name] = {tuple(getattr(row, name) for name in columns) for row in make.rows(store, table)}
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_messages_in_any_order_any_number_of_times_change_nothing(
    store: Store, door: Row[Any], child_id: str, data: st.DataObject
) -> None:
    if not make.rows(store, guardian):
        make.guardian(store, of=child_id)
    session = Session(door.id)
    for kind in data.draw(
        st.lists(st.sampled_from(["in", "out", "undo", "unknown", "stranger", "spoilt"]), max_size=8)
    ):
        match kind:
            case "in" | "out":
                session.moved(child_id, Direction.ENTRY if kind == "in" else Direction.EXIT)
            case "undo":
                session.undone(len(session.lines) - 1)
            case "unknown":
                session.unknown()
            case "stranger":
                session.moved("nobody")
            case _:
                session.unknown()
                session.lines[-1] = JournalLine(line="spoilt", hash=session.lines[-1].hash)
    places = st.integers(0, len(session.lines))
    stretches = data.draw(st.lists(st.tuples(places, places), max_size=12))
    throughs = [-1]
    for first, last in stretches:
        throughs.append(take(store, door, session.request(first, max(first, last))).through)
    assert throughs == sorted(throughs)
    whole = take(store, door, session.request())
    assert whole.through == len(session.lines) - 1
    before = written(store)
    for first, last in [*stretches, (0, len(session.lines))]:
        take(store, door, session.request(first, max(first, last)), now_ms=NOON_MS + 90_000)
    assert written(store) == before
    moves = [row for row in make.rows(store, movement) if row.id.startswith(session.name)]
    counted = [line for line in session.lines if '"kind":"movement"' in line.line and "nobody" not in line.line]
    assert len(moves) == len(counted)


def test_a_boot_without_an_anchor_is_dated_by_ntp_once_that_comes(store: Store, door: Row[Any], child_id: str) -> None:
    session = Session(door.id)
    session.moved(child_id, at_s=1, wall_ms=NOON_MS - 3_600_000)
    take(store, door, session.request())
    assert [row.at_source for row in make.rows(store, movement)] == ["unsettled"]
    session.moved(child_id, at_s=2, state=ClockState.NTP, wall_err_ms=20)
    session.moved(child_id, at_s=3)
    take(store, door, session.request())
    assert [row.at_ms for row in make.rows(store, movement)] == [NOON_MS + 1000, NOON_MS + 2000, NOON_MS + 3000]
    assert {row.at_source for row in make.rows(store, movement)} == {"wall"}


def test_a_boot_that_never_met_the_server_is_dated_between_the_boots_around_it(
    store: Store, door: Row[Any], child_id: str
) -> None:
    """Yesterday with a network, then a power cut and a while of 1970 without one, then a boot that is anchored."""
    yesterday_ms = NOON_MS - 20 * 3_600_000
    before = Session(door.id, boot="b1")
    make.link(store, anchor, kiosk_id=door.id, boot="b1", boot_ns=10 * S, server_ms=yesterday_ms, err_ms=1000)
    before.moved(child_id, boot_ns=20 * S)
    take(store, door, before.request())
    assert before.head is not None
    woke = reading(wall_ms=0, boot_ns=0, state=ClockState.NONE)
    lost = Session(door.id, boot="b2", heads=(before.head,), opened_at=woke)
    lost.moved(child_id, wall_ms=41_000, boot_ns=41 * S, state=ClockState.NONE)
    lost.moved(child_id, wall_ms=90_000, boot_ns=90 * S, state=ClockState.NONE)
    make.link(store, anchor, kiosk_id=door.id, boot="b3", boot_ns=60 * S, server_ms=NOON_MS, err_ms=1000)
    assert lost.head is not None
    take(store, door, Session(door.id, boot="b3", heads=(lost.head,)).request())
    take(store, door, lost.request())
    rows = [row for row in make.rows(store, movement) if row.boot == "b2"]
    last_known_ms = yesterday_ms + 10_000 - 1_001  # the bound of the anchor and of ten seconds' drift
    assert [row.at_ms - last_known_ms for row in rows] == [41_000 - 3, 90_000 - 5]
    assert {row.at_source for row in rows} == {"unsettled"}
    assert all(abs(row.at_ms + row.at_err_ms - (NOON_MS - 60_000)) <= 1_003 for row in rows), "it ended before the next"


def test_sessions_whose_beginnings_are_lost_do_not_date_each_other(store: Store, door: Row[Any], child_id: str) -> None:
    for number, (state, err_ms) in enumerate([(ClockState.NTP, 20), (ClockState.RTC, None)]):
        session = Session(door.id)
        session.moved(child_id, at_s=60 + 600 * number, boot_ns=S, state=state, wall_err_ms=err_ms)
        session.lines[0] = JournalLine(line="lost", hash=session.lines[0].hash)
        assert take(store, door, session.request()).quarantined == (0,)
    times = [(row.at_source, row.at_ms - NOON_MS, row.at_err_ms) for row in make.rows(store, movement)]
    assert sorted(times) == [("unsettled", 660_000, None), ("wall", 60_000, 520)]
