"""Answers that a kiosk remembers date boots that are over, where the server knows nothing as good."""

from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Row, select

from attendance.wire import Heard, Receipt
from server.ledger import accept
from server.store.engine import Store
from server.store.ids import new_id
from server.store.tables import anchor, movement
from server.timeline import UNHEARD_MS, WAY_MS
from tests.server import factories as make
from tests.server.factories import NOON_MS
from tests.server.kiosk_side import S, Session

TRUE_MS = NOON_MS - 50 * 3_600_000
"""When the boot's clock read 1,000 s; its wall clock stood at noon then."""
HEARD = Heard(1100 * S, 1101 * S, TRUE_MS + 100_500)
DATED = ("anchor", TRUE_MS + 10_000, WAY_MS + 5)
"""The bound of the answer, and of a minute and a half of drift."""


@pytest.fixture
def door(store: Store) -> Row[Any]:
    return make.kiosk(store)


@pytest.fixture
def session(store: Store, door: Row[Any]) -> Session:
    """A child came ten seconds after the boot's clock read 1,000 s."""
    made = Session(door.id)
    made.moved(make.child(store, at=door.site_id).id, at_s=10)
    return made


def bring(store: Store, by: Row[Any], session: Session, heard: Heard | None, *, from_seq: int = 0) -> Receipt:
    return accept(store, by, replace(session.request(from_seq), heard=heard), NOON_MS)


def hold(store: Store, door: Row[Any], session: Session, *, at_s: float, true_s: float, **values: Any) -> None:
    """An anchor that is `true_s` off the true time."""
    held = {"boot_ns": round((1000 + at_s) * S), "server_ms": TRUE_MS + round((at_s + true_s) * 1000)}
    make.link(store, anchor, kiosk_id=door.id, boot=session.boot, **held | {"err_ms": WAY_MS} | values)


def times(store: Store) -> list[tuple[str, int, int | None]]:
    return [(row.at_source, row.at_ms, row.at_err_ms) for row in make.rows(store, movement)]


def test_a_boot_of_which_nothing_is_known_is_dated(store: Store, door: Row[Any], session: Session) -> None:
    bring(store, door, session, HEARD)
    assert times(store) == [DATED]


def test_what_came_before_without_it_is_dated_again(store: Store, door: Row[Any], session: Session) -> None:
    bring(store, door, session, None)
    assert times(store)[0][0] == "unsettled"
    session.unknown()
    bring(store, door, session, HEARD, from_seq=2)
    assert times(store) == [DATED]


def test_a_first_request_of_unknown_delay_is_improved_upon(store: Store, door: Row[Any], session: Session) -> None:
    hold(store, door, session, at_s=5, true_s=70, err_ms=UNHEARD_MS)
    bring(store, door, session, HEARD)
    assert times(store) == [DATED]


def test_a_clock_kept_by_ntp_counts_less(store: Store, door: Row[Any], session: Session) -> None:
    hold(store, door, session, at_s=200, true_s=3600, source="wall", err_ms=20)
    bring(store, door, session, HEARD)
    assert times(store) == [DATED]


@pytest.mark.parametrize("true_s", [0.3, -3600, 3600])
def test_what_was_heard_later_stands(store: Store, door: Row[Any], session: Session, true_s: float) -> None:
    hold(store, door, session, at_s=200, true_s=true_s)
    bring(store, door, session, HEARD)
    assert times(store)[0][1] == TRUE_MS + 10_000 + round(true_s * 1000)


@pytest.mark.parametrize(
    "heard",
    [
        Heard(1101 * S, 1100 * S, HEARD.time_ms),
        Heard(1100 * S, 1300 * S, HEARD.time_ms),
        Heard(1100 * S, 1101 * S, NOON_MS + 2_000),
        Heard(0, S, NOON_MS - 900_000),
        Heard(2**62, 2**62, HEARD.time_ms),
    ],
    ids=["ends before it begins", "took minutes", "in the future", "what was done would be", "beyond all clocks"],
)
def test_what_cannot_be_dates_nothing(store: Store, door: Row[Any], session: Session, heard: Heard) -> None:
    assert bring(store, door, session, heard).through == 1
    assert times(store)[0][0] == "unsettled"
    assert make.rows(store, anchor) == []


def test_a_kiosk_that_is_enrolled_anew_dates_what_it_brings(store: Store, door: Row[Any], session: Session) -> None:
    anew = make.kiosk(store, site_id=door.site_id)
    bring(store, anew, session, HEARD)
    assert times(store) == [DATED]
    with store.read() as conn:
        assert conn.execute(select(anchor.c.kiosk_id)).scalar_one() == door.id


@pytest.mark.parametrize("known", [{"source": "wall"}, {"err_ms": UNHEARD_MS}, {}], ids=["ntp", "unheard", "heard"])
def test_nobody_corrects_what_is_known_of_anothers_boot(
    store: Store, door: Row[Any], session: Session, known: dict[str, Any]
) -> None:
    hold(store, door, session, at_s=0, true_s=0, **known)
    bring(store, door, session, None)
    before = times(store)
    other = make.kiosk(store, site_id=door.site_id)
    lie = replace(HEARD, time_ms=HEARD.time_ms - 3_600_000)
    session.unknown()
    assert bring(store, other, session, lie).through == 2
    forged = Session(door.id, name=new_id(), boot=session.boot)
    bring(store, other, forged, lie)
    assert times(store) == before


def test_of_a_boot_of_another_site_nobody_tells_anything(store: Store, door: Row[Any], session: Session) -> None:
    bring(store, door, session, None)
    stranger = make.kiosk(store)
    bring(store, stranger, Session(door.id, name=new_id(), boot=session.boot), HEARD)
    assert times(store)[0][0] == "unsettled"
    with store.read() as conn:
        kiosks = conn.execute(select(anchor.c.kiosk_id)).scalars().all()
    assert door.id not in kiosks
