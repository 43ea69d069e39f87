"""Each contradiction once, through the real ledger: two kiosks, messages again and in pieces, restores, later times."""

import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Row

from attendance.records import Direction
from server.closing import MatterKind, closing_list
from server.derive import find_anchor, retime
from server.ledger import accept
from server.store.engine import Store, open_store, sqlite_url
from server.store.tables import anchor
from tests.server import factories as make
from tests.server.factories import DAY, NOON_MS
from tests.server.kiosk_side import BOOT, S, Session

IN, OUT = Direction.ENTRY, Direction.EXIT
HOUR_MS = 3_600_000
LATER_MS = NOON_MS + 10 * HOUR_MS
"""22:00, when the site has closed."""
Keys = list[tuple[str, str]]

_walks = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 2), st.sampled_from(Direction), st.integers(0, 40)), max_size=12
)
"""Which kiosk, which child, which way, how many half minutes after noon."""


@pytest.fixture
def site(store: Store) -> Row[Any]:
    return make.site(store)


def doors(store: Store, site: Row[Any]) -> list[Row[Any]]:
    """Two kiosks of a site whose boots are dated: 1,000 s after they began it was noon."""
    made = [make.kiosk(store, site_id=site.id, name=name) for name in ("front", "back")]
    for door in made:
        make.link(store, anchor, kiosk_id=door.id, boot=BOOT, boot_ns=1000 * S, server_ms=NOON_MS)
    return made


def listed(store: Store, site: Row[Any], *names: Session) -> Keys:
    """The keys of the list and where each happened, with the names of sessions made alike."""
    with store.read() as conn:
        found = closing_list(conn, site.id, DAY, LATER_MS)
    keys = [(each.key, each.kiosk) for each in found]
    assert len(set(keys)) == len(keys)
    for number, session in enumerate(names):
        keys = [(key.replace(session.name, f"session {number}"), kiosk) for key, kiosk in keys]
    return keys


def journals(doors: list[Row[Any]], children: list[str], walks: list[tuple[int, int, Direction, int]]) -> list[Session]:
    """What the kiosks wrote, each in the order of its own clock, in sessions whose names are in the kiosks' order."""
    names = secrets.token_hex(8)
    sessions = [Session(door.id, name=f"{names}{number}") for number, door in enumerate(doors)]
    for which, child, direction, half_minutes in sorted(walks, key=lambda walk: walk[3]):
        sessions[which].moved(children[child], direction, at_s=30.0 * half_minutes)
    for session in sessions:
        session.unknown()
        session.moved("nobody on the roster")
    return sessions


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(walks=_walks, data=st.data())
def test_any_deliveries_by_either_kiosk_give_one_list(store: Store, walks: Any, data: st.DataObject) -> None:
    lists = []
    children = [make.child(store).id for _ in range(3)]
    for in_one_go in (True, False):
        site = make.site(store)
        kiosks = doors(store, site)
        sessions = journals(kiosks, children, walks)
        if not in_one_go:
            for _ in range(data.draw(st.integers(0, 12))):
                session = data.draw(st.sampled_from(sessions))
                first = data.draw(st.integers(0, len(session.lines) - 1))
                until = data.draw(st.integers(first + 1, len(session.lines)))
                accept(store, data.draw(st.sampled_from(kiosks)), session.request(first, until), LATER_MS)
        for session, door in zip(sessions, kiosks, strict=True):
            accept(store, door, session.request(), LATER_MS)
        lists.append(listed(store, site, *sessions))
    assert lists[0] == lists[1]


def test_what_two_kiosks_disagree_about_is_listed_once(store: Store, site: Row[Any]) -> None:
    front, back = doors(store, site)
    stays, leaves = (make.child(store, at=site.id).id for _ in range(2))
    at_front, at_back = Session(front.id), Session(back.id)
    at_front.moved(stays, IN, at_s=0)
    again = at_back.moved(stays, IN, at_s=1800)
    gone = at_back.moved(leaves, OUT, at_s=1900)
    mistaken = at_front.moved(leaves, OUT, at_s=3600)
    at_front.undone(mistaken)
    wanted = [
        (f"entry_again:{at_back.name}:{again}", "back"),
        (f"still_in:{stays}", "front"),
        (f"exit_without_entry:{at_back.name}:{gone}", "back"),
    ]
    for _ in range(3):
        for door, session in ((back, at_back), (front, at_front)):
            accept(store, door, session.request(), LATER_MS)
            accept(store, door, session.request(1), LATER_MS)
    assert sorted(listed(store, site)) == sorted(wanted)


def test_what_follows_solves_no_contradiction_and_what_comes_late_may(store: Store, site: Row[Any]) -> None:
    front, back = doors(store, site)
    child = make.child(store, at=site.id).id
    at_front, at_back = Session(front.id), Session(back.id)
    at_front.moved(child, IN, at_s=0)
    late = at_front.moved(child, OUT, at_s=900)
    at_back.moved(child, IN, at_s=1800)
    at_back.moved(child, OUT, at_s=3600)
    accept(store, front, at_front.request(0, late), LATER_MS)
    accept(store, back, at_back.request(), LATER_MS)
    assert [key.partition(":")[0] for key, _ in listed(store, site)] == [MatterKind.ENTRY_AGAIN]
    accept(store, front, at_front.request(late), LATER_MS)
    assert listed(store, site) == []


@pytest.mark.only_sqlite
def test_a_restored_server_lists_what_it_is_brought_again_once(store: Store, store_url: str, tmp_path: Path) -> None:
    site = make.site(store)
    kiosks = doors(store, site)
    children = [make.child(store, at=site.id).id for _ in range(3)]
    walks = [(0, 0, IN, 0), (1, 0, IN, 9), (1, 1, OUT, 20), (0, 2, IN, 22), (1, 2, OUT, 30), (0, 2, OUT, 39)]
    sessions = journals(kiosks, children, walks)
    for session, door in zip(sessions, kiosks, strict=True):
        accept(store, door, session.request(0, 2), LATER_MS)
    snapshot = tmp_path / "snapshot.db"
    with (
        closing(sqlite3.connect(tmp_path / "tadaima.db")) as running,
        closing(sqlite3.connect(snapshot)) as kept,
    ):
        running.backup(kept)
    for session, door in zip(sessions, kiosks, strict=True):
        accept(store, door, session.request(), LATER_MS)
    before = listed(store, site)
    assert len(before) > 4
    with closing(open_store(sqlite_url(snapshot))) as restored:
        assert listed(restored, site) != before
        for session, door in zip(sessions, kiosks, strict=True):
            told = msgspec.structs.replace(session.request(), told=len(session.lines) - 1)
            accept(restored, door, told, LATER_MS)
            accept(restored, door, told, LATER_MS)
        assert listed(restored, site) == before


@pytest.mark.parametrize(
    ("noon_s", "kinds"),
    [
        (1000, ["entry_again", "still_in"]),
        (1000 + 7200, ["entry_again", "still_in"]),
        (1000 - 12 * 3600, ["still_in"]),
    ],
    ids=["as the kiosk said", "two hours before", "after midnight"],
)
def test_a_time_found_later_doubles_nothing(store: Store, site: Row[Any], noon_s: int, kinds: list[str]) -> None:
    """Nothing vouches for the back door's clock until its boot is dated, before the other's entry or after it."""
    front, back = (make.kiosk(store, site_id=site.id, name=name) for name in ("front", "back"))
    make.link(store, anchor, kiosk_id=front.id, boot=BOOT, boot_ns=1000 * S, server_ms=NOON_MS)
    child = make.child(store, at=site.id).id
    at_front, at_back = Session(front.id), Session(back.id, boot="c" * 32)
    at_front.moved(child, IN, at_s=600)
    at_back.moved(child, IN, at_s=1800)
    for door, session in ((back, at_back), (front, at_front)):
        accept(store, door, session.request(), LATER_MS)
    assert sorted(key.partition(":")[0] for key, _ in listed(store, site)) == ["entry_again", "still_in", "unsettled"]
    make.link(store, anchor, kiosk_id=back.id, boot="c" * 32, boot_ns=noon_s * S, server_ms=NOON_MS)
    with store.write() as conn:
        held = find_anchor(conn, back.id, "c" * 32)
        assert held
        retime(conn, back.id, "c" * 32, held)
    accept(store, back, at_back.request(), LATER_MS)
    assert sorted(key.partition(":")[0] for key, _ in listed(store, site)) == kinds
