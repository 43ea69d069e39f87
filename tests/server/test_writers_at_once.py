"""Writers in several processes at once, as only PostgreSQL has them: each sees what the one before it did.

Two stores stand for two processes. The second begins while the first has done its work and not yet committed, and goes
on until it waits or is done: were there nothing to wait for, it would not know of the first, and each test would fail.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, delete, insert, text

from attendance.catalogue import Language
from attendance.clock import ManualClock
from attendance.wire import ENTRIES_PATH, ErrorCode, Receipt, encode
from bench.postgresql import Cluster
from server.app import create_app
from server.catalogues import catalogues
from server.config import ServerSettings
from server.errors import StoreError
from server.ledger import accept, accept_within
from server.notify.dispatcher import DispatchRules, send_next
from server.notify.transport import Message
from server.offer import answer
from server.roster.apply import apply
from server.roster.check import RosterRow
from server.store.engine import Store, open_store
from server.store.ids import child_id_of
from server.store.tables import anchor, delivery, entry, journal_session, movement, site
from server.timeline import TimeSource
from tests.server import factories as make
from tests.server.doctor_parts import found, wrong
from tests.server.factories import DAY, NOON, NOON_MS
from tests.server.kiosk_side import BOOT, S, Session, offer, problem, send

pytestmark = pytest.mark.only_postgresql

LATER_MS = NOON_MS + 60_000
WORDS = catalogues()[Language.EN]
MASTER = bytes(32)
NEW = RosterRow(2, "R8-1", "Aoki Sakura", "あおき さくら", "", "", DAY, None, "1111100", ())
_First = TypeVar("_First")
_Second = TypeVar("_Second")


@pytest.fixture
def other(store_url: str) -> Iterator[Store]:
    """The store of another process."""
    opened = open_store(store_url)
    yield opened
    opened.close()


@pytest.fixture
def at_once(store: Store, postgresql: Cluster, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Do something in `store`, and something in another just before the first commit of it; give both results."""

    def do(first: Callable[[], _First], second: Callable[[], _Second]) -> tuple[_First, _Second]:
        write = store.write
        began: list[Future[_Second]] = []

        @contextmanager
        def slow() -> Iterator[Connection]:
            with write() as conn:
                yield conn
                if not began:
                    began.append(pool.submit(second))
                    while not began[0].done() and not _waits(postgresql):
                        time.sleep(0.01)

        with ThreadPoolExecutor(1) as pool:
            monkeypatch.setattr(store, "write", slow)
            done = first()
            return done, began[0].result()

    return do


def _waits(cluster: Cluster) -> bool:
    with cluster.connect() as connection:
        return connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone() is not None


def enrol(store: Store, site_id: str) -> int:
    with store.write() as conn:
        return apply(conn, site_id, [NEW], WORDS, LATER_MS, master=MASTER).recovered


def test_a_session_that_comes_twice_at_once_is_held_once(
    store: Store, other: Store, at_once: Callable[..., Any]
) -> None:
    door = make.kiosk(store)
    child = make.child(store, at=door.site_id)
    make.guardian(store, of=child.id)
    session = Session(door.id)
    session.undone(session.moved(child.id))
    session.moved(child.id, at_s=300)
    receipts = at_once(
        lambda: accept(store, door, session.request(), LATER_MS),
        lambda: accept(other, door, session.request(), LATER_MS),
    )
    assert receipts == (Receipt(session.name, 3, session.lines[-1].hash, ()),) * 2
    assert [row.seq for row in make.rows(store, entry)] == [0, 1, 2, 3]
    assert len(make.rows(store, movement)) == 2
    assert sorted(row.state for row in make.rows(store, delivery)) == ["cancelled", "queued"]


def test_pieces_of_a_session_at_once_leave_no_hole(store: Store, other: Store, at_once: Callable[..., Any]) -> None:
    door = make.kiosk(store)
    session = Session(door.id)
    session.unknown()
    accept(store, door, session.request(), LATER_MS)
    session.unknown()
    session.unknown()
    _, receipt = at_once(
        lambda: accept(store, door, session.request(2, 3), LATER_MS),
        lambda: accept(other, door, session.request(3), LATER_MS),
    )
    assert receipt.through == 3
    [held] = make.rows(store, journal_session)
    assert (held.through, held.hash) == (3, session.lines[-1].hash)


def test_a_walk_that_two_kiosks_read_is_told_once_when_both_bring_it_at_once(
    store: Store, other: Store, at_once: Callable[..., Any]
) -> None:
    front = make.kiosk(store)
    back = make.kiosk(store, site_id=front.site_id)
    child = make.child(store, at=front.site_id)
    make.guardian(store, of=child.id)
    at_front, at_back = Session(front.id), Session(back.id, boot="c" * 32)
    at_front.moved(child.id, at_s=5)
    at_back.moved(child.id, at_s=7)
    at_once(
        lambda: accept(store, front, at_front.request(), LATER_MS),
        lambda: accept(other, back, at_back.request(), LATER_MS),
    )
    assert len(make.rows(store, movement)) == 2
    assert len(make.rows(store, delivery)) == 1


@pytest.mark.parametrize("offered_first", [False, True])
def test_entries_are_dated_by_the_anchor_that_comes_beside_them(
    store: Store, other: Store, at_once: Callable[..., Any], offered_first: bool
) -> None:
    door = make.kiosk(store)
    child = make.child(store, at=door.site_id)
    session = Session(door.id)
    session.moved(child.id)

    def ask(of: Store) -> None:
        with of.write() as conn:
            answer(conn, door, offer(session), LATER_MS)

    def bring(of: Store) -> None:
        accept(of, door, session.request(), LATER_MS)

    one, two = (ask, bring) if offered_first else (bring, ask)
    at_once(lambda: one(store), lambda: two(other))
    assert [row.at_source for row in make.rows(store, movement)] == [TimeSource.ANCHOR]
    assert len(make.rows(store, anchor)) == 1


@pytest.mark.parametrize("roster_first", [False, True])
def test_a_roster_and_what_its_children_did_never_miss_each_other(
    store: Store, other: Store, at_once: Callable[..., Any], roster_first: bool
) -> None:
    door = make.kiosk(store)
    session = Session(door.id)
    moved = session.moved(child_id_of(MASTER, NEW.number))

    def import_roster(into: Store) -> None:
        enrol(into, door.site_id)

    def bring(to: Store) -> None:
        accept(to, door, session.request(), LATER_MS)

    one, two = (import_roster, bring) if roster_first else (bring, import_roster)
    at_once(lambda: one(store), lambda: two(other))
    assert [row.id for row in make.rows(store, movement)] == [f"{session.name}:{moved}"]
    assert {row.quarantined for row in make.rows(store, entry)} == {None}


def test_two_rosters_that_bring_the_same_child_at_once_make_one(
    store: Store, other: Store, at_once: Callable[..., Any]
) -> None:
    sites = [make.site(store).id for _ in range(2)]
    assert at_once(lambda: enrol(store, sites[0]), lambda: enrol(other, sites[1])) == (0, 0)


def test_two_dispatchers_send_each_notice_once(store: Store, other: Store, at_once: Callable[..., Any]) -> None:
    door = make.kiosk(store)
    child = make.child(store, at=door.site_id)
    for _ in range(2):
        make.guardian(store, of=child.id, language="en")
    session = Session(door.id)
    session.moved(child.id)
    accept(store, door, session.request(), LATER_MS)
    sent: list[str] = []

    class Postbox:
        name = "mail"

        def send(self, message: Message) -> str:
            sent.append(message.delivery_id)
            return ""

        def close(self) -> None:
            pass

    def step(of: Store) -> bool:
        clock = ManualClock(NOON)
        clock.advance(600)
        rules = DispatchRules(late_after_s=300, give_up_after_s=86_400, lease_s=120)
        return send_next(of, {"mail": Postbox()}, catalogues(), clock, rules)

    assert at_once(lambda: step(store), lambda: step(other)) == (True, True)
    assert sorted(sent) == [row.id for row in make.rows(store, delivery)]
    assert {(row.state, row.attempts) for row in make.rows(store, delivery)} == {("sent", 1)}


def test_a_request_that_comes_twice_at_once_is_served_once(
    store: Store, other: Store, at_once: Callable[..., Any], server_settings: ServerSettings, clock: ManualClock
) -> None:
    key = Ed25519PrivateKey.generate()
    session = Session(make.kiosk(store, key=key).id)
    body = encode(session.request())
    clients = [create_app(server_settings, each, clock).test_client() for each in (store, other)]
    first, second = at_once(
        *(lambda each=each: send(each, ENTRIES_PATH, body, key=key, nonce="n" * 22) for each in clients)
    )
    assert first.status_code == 200
    assert problem(second) == (401, ErrorCode.SIGNATURE_REFUSED)


def test_who_waits_too_long_for_another_writer_is_told_to_come_again(
    store: Store,
    other: Store,
    server_settings: ServerSettings,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = Ed25519PrivateKey.generate()
    session = Session(make.kiosk(store, key=key).id)
    client = create_app(server_settings, other, clock).test_client()
    with store.write():
        monkeypatch.setattr("server.store.engine._WRITE_WAIT_S", 0.05)
        with pytest.raises(StoreError, match="another process has been writing"):
            make.site(other)
        refused = send(client, ENTRIES_PATH, encode(session.request()), key=key)
    assert problem(refused) == (503, ErrorCode.BUSY)
    assert refused.headers["Retry-After"]
    assert send(client, ENTRIES_PATH, encode(session.request()), key=key).status_code == 200


def test_a_writer_that_hangs_is_shut_out_and_the_next_goes_on(
    store: Store, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that loses its network in the midst of writing says nothing any more, as one does that waits here."""
    monkeypatch.setattr("server.store.engine._WRITE_WAIT_S", 0.05)
    with pytest.raises(StoreError, match="cannot be used"), store.write() as hanging:  # noqa: PT012 - the commit too
        hanging.execute(insert(site).values(id="a", code="A", name="A"))
        monkeypatch.undo()
        make.site(other, code="B")
        hanging.execute(insert(site).values(id="c", code="C", name="C"))
    assert [row.code for row in make.rows(store, site)] == ["B"]


def test_a_database_that_goes_away_and_comes_back_is_used_again(store: Store, postgresql: Cluster) -> None:
    door = make.kiosk(store)
    session = Session(door.id)
    session.unknown()
    with pytest.raises(StoreError, match="cannot be used"), store.write() as conn:  # noqa: PT012 - the commit raises
        accept_within(conn, door, session.request(), LATER_MS)
        with postgresql.connect() as past_us:
            past_us.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    assert make.rows(store, entry) == []
    assert accept(store, door, session.request(), LATER_MS).through == 1


def test_what_is_acknowledged_is_on_disk_whatever_the_database_prefers(store: Store, postgresql: Cluster) -> None:
    with store.write() as conn:
        name = conn.execute(text("SELECT current_database()")).scalar_one()
    with postgresql.connect() as past_us:
        past_us.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        past_us.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    store.close()
    try:
        with store.write() as conn:
            assert conn.execute(text("SHOW synchronous_commit")).scalar_one() == "on"
            assert conn.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"
    finally:
        with postgresql.connect() as past_us:
            past_us.execute(f"ALTER DATABASE {name} RESET ALL")


def test_the_doctor_reads_the_records_and_finds_what_is_wrong(store: Store, store_url: str, folder: Path) -> None:
    door = make.kiosk(store, heard_at_ms=NOON_MS)
    make.link(store, anchor, kiosk_id=door.id, boot=BOOT, boot_ns=1000 * S, server_ms=NOON_MS)
    child = make.child(store, at=door.site_id)
    session = Session(door.id)
    session.moved(child.id)
    session.unknown()
    accept(store, door, session.request(), LATER_MS)
    assert wrong(found(folder, full=True, database_url=store_url)) == set()
    with store.write() as conn:
        conn.execute(delete(entry).where(entry.c.seq == 1))
    assert wrong(found(folder, full=True, database_url=store_url)) == {"entry_missing", "derived_extra"}
