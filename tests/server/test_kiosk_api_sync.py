"""The kiosk API over HTTP: what a kiosk in sync is asked for, and what it is told of its site."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Row, event, text, update

from attendance import names
from attendance.cards import CardToken
from attendance.clock import ClockState, ManualClock
from attendance.records import Direction, Head
from attendance.roster import DisplayName
from attendance.staff_pin import hash_pin, matches
from attendance.wire import (
    ENTRIES_PATH,
    OFFER_PATH,
    ErrorCode,
    OfferResponse,
    Receipt,
    StateResponse,
    Want,
    decode,
    encode,
)
from server.ledger import accept
from server.offer import wanted
from server.sites import set_pin, set_rules
from server.store.engine import Store
from server.store.tables import kiosk, movement
from tests.server import factories as make
from tests.server.factories import DAY, NOON_MS
from tests.server.kiosk_side import Session, good, offer, problem, reading, send, state_path


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def door(store: Store, key: Ed25519PrivateKey) -> Row[Any]:
    return make.kiosk(store, key=key)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_an_offer_is_answered_with_what_is_lacking(client: FlaskClient, door: Row[Any], key: Ed25519PrivateKey) -> None:
    new, behind, whole = Session(door.id), Session(door.id), Session(door.id)
    behind.unknown()
    behind.unknown()
    good(send(client, ENTRIES_PATH, encode(behind.request(0, 2)), key=key), Receipt)
    good(send(client, ENTRIES_PATH, encode(whole.request()), key=key), Receipt)
    answer = good(send(client, OFFER_PATH, encode(offer(new, behind, whole)), key=key), OfferResponse)
    assert set(answer.want) == {Want(new.name, 0), Want(behind.name, 2)}
    assert answer.time_ms == NOON_MS


def test_a_kiosk_that_was_rolled_back_is_asked_for_nothing(
    client: FlaskClient, door: Row[Any], key: Ed25519PrivateKey
) -> None:
    session = Session(door.id)
    session.unknown()
    good(send(client, ENTRIES_PATH, encode(session.request()), key=key), Receipt)
    session.head = Head(session.name, 0, session.lines[0].hash)
    assert good(send(client, OFFER_PATH, encode(offer(session)), key=key), OfferResponse).want == ()


@pytest.mark.parametrize("seq", [0, 1, 2])
def test_an_entry_held_with_another_hash_is_wanted_so_that_the_receipt_shows_it(
    client: FlaskClient, door: Row[Any], key: Ed25519PrivateKey, seq: int
) -> None:
    session = Session(door.id)
    session.unknown()
    session.unknown()
    good(send(client, ENTRIES_PATH, encode(session.request()), key=key), Receipt)
    session.head = Head(session.name, seq, "0" * 64)
    assert good(send(client, OFFER_PATH, encode(offer(session)), key=key), OfferResponse).want == (
        Want(session.name, seq),
    )


@pytest.mark.only_sqlite
def test_many_heads_are_answered_and_none_by_reading_every_entry(store: Store, door: Row[Any]) -> None:
    sessions = [Session(door.id) for _ in range(250)]
    for session in sessions:
        session.unknown()
        accept(store, door, session.request(), NOON_MS)
        session.head = Head(session.name, 0, session.lines[0].hash)
    plans: list[str] = []
    with store.read() as conn:

        def explain(_conn: object, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
            plans.extend(row[-1] for row in cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

        event.listen(conn, "before_cursor_execute", explain)
        assert wanted(conn, tuple(session.head for session in sessions if session.head)) == ()
    assert plans
    assert [plan for plan in plans if plan.startswith("SCAN")] == []


def test_what_is_lacking_is_wanted_of_whoever_offers_it(
    client: FlaskClient, store: Store, door: Row[Any], key: Ed25519PrivateKey
) -> None:
    """A kiosk takes what is not wanted for held; its own journal may begin under the name it had before."""
    before = make.kiosk(store)
    held = Session(before.id)
    held.unknown()
    held.unknown()
    accept(store, before, held.request(0, 2), NOON_MS)
    answer = good(send(client, OFFER_PATH, encode(offer(held)), key=key), OfferResponse)
    assert answer.want == (Want(held.name, 2),)


def test_an_offer_tells_how_the_kiosk_is(
    client: FlaskClient, store: Store, clock: ManualClock, door: Row[Any], key: Ed25519PrivateKey
) -> None:
    clock.advance(5)
    sick = offer(readers={"qr": "up", "nfc": "unplugged it was"}, problems=("disk_low",))
    good(send(client, OFFER_PATH, encode(sick), key=key), OfferResponse)
    [row] = make.rows(store, kiosk)
    assert (row.heard_at_ms, row.trouble) == (NOON_MS + 5_000, "reader:nfc:unplugged_it_was disk_low")
    good(send(client, OFFER_PATH, encode(offer(readers={"qr": "up"})), key=key), OfferResponse)
    assert make.rows(store, kiosk)[0].trouble == ""


def test_an_offer_of_a_kiosk_kept_by_ntp_tells_whether_this_servers_clock_is_wrong(
    client: FlaskClient, store: Store, door: Row[Any], key: Ed25519PrivateKey, caplog: pytest.LogCaptureFixture
) -> None:
    slow = reading(wall_ms=NOON_MS - 3_600_000, state=ClockState.NTP, wall_err_ms=20)
    for _ in range(2):
        send(client, "/kiosk/v1/offer", encode(offer(at=slow)), key=key)
    assert make.rows(store, kiosk)[0].clock_ahead_ms == 3_600_000
    assert caplog.text.count("clocks differ") == 1
    send(client, "/kiosk/v1/offer", encode(offer(at=reading(state=ClockState.NTP, wall_err_ms=20))), key=key)
    assert make.rows(store, kiosk)[0].clock_ahead_ms == 0


def test_an_offer_anchors_the_boot_and_mends_times_found_before(
    client: FlaskClient, store: Store, clock: ManualClock, door: Row[Any], key: Ed25519PrivateKey
) -> None:
    child = make.child(store, at=door.site_id)
    session = Session(door.id, opened_at=reading(wall_ms=0))
    session.moved(child.id, at_s=10, wall_ms=10_000)
    good(send(client, ENTRIES_PATH, encode(session.request()), key=key), Receipt)
    [lost] = make.rows(store, movement)
    assert (lost.at_ms, lost.at_source) == (door.enrolled_at_ms + 9_999, "unsettled")
    assert lost.at_ms + lost.at_err_ms == clock.read().wall_ms, "it was not after it came"
    clock.advance(3_600)
    good(send(client, OFFER_PATH, encode(offer(session, at=reading(3_600))), key=key), OfferResponse)
    [mended] = make.rows(store, movement)
    assert (mended.at_ms, mended.at_source, mended.day) == (NOON_MS + 10_000, "anchor", DAY)
    session.moved(child.id, Direction.EXIT, at_s=20, wall_ms=0)
    good(send(client, ENTRIES_PATH, encode(session.request(2)), key=key), Receipt)
    assert {row.at_ms for row in make.rows(store, movement)} == {NOON_MS + 10_000, NOON_MS + 20_000}


@pytest.mark.parametrize("unsent", [-1, 2**63, 10**30])
def test_a_count_that_cannot_be_is_refused(
    client: FlaskClient, door: Row[Any], key: Ed25519PrivateKey, unsent: int
) -> None:
    body = encode(offer()).replace(b'"unsent":0', b'"unsent":%d' % unsent)
    assert problem(send(client, OFFER_PATH, body, key=key)) == (400, ErrorCode.BAD_REQUEST)


def test_a_state_request_gives_roster_names_presence_and_policy(
    client: FlaskClient, store: Store, door: Row[Any], key: Ed25519PrivateKey
) -> None:
    aoi = make.child(store, name="Aoi", kana="a", at=door.site_id)
    make.child(store, name="elsewhere", at=make.site(store).id)
    token, lost = CardToken.new(), CardToken.new()
    make.card(store, child_id=aoi.id, token=token)
    make.card(store, child_id=aoi.id, token=lost, revoked_at_ms=NOON_MS)
    moved = make.movement(store, site_id=door.site_id, child_id=aoi.id)
    make.kiosk(store, site_id=door.site_id)
    answer = send(client, state_path(), key=key, method="GET")
    state = good(answer, StateResponse)
    assert state.policy.kiosks_at_site == 2
    assert state.roster is not None
    [holder] = state.roster.holders
    assert (holder.child, holder.cards) == (aoi.id, (token.ref.card_hash,))
    assert names.unseal(state.roster.names, state.names_key) == {aoi.id: DisplayName("Aoi", "a")}
    assert b"Aoi" not in answer.data
    assert state.presence is not None
    assert [each.id for each in state.presence.movements] == [moved.id]
    assert state.presence.day == DAY


def test_a_sites_pin_reaches_its_kiosk_as_a_hash_and_is_left_out_where_there_is_none(
    client: FlaskClient, store: Store, door: Row[Any], key: Ed25519PrivateKey
) -> None:
    def told() -> bytes:
        answer: bytes = send(client, state_path(), key=key, method="GET").data
        return answer

    assert b"staff_pin" not in told()
    with store.write() as conn:
        code = conn.execute(text("SELECT code FROM site")).scalar_one()
        set_pin(conn, code, hash_pin("471108"), NOON_MS, who="test")
    state = decode(told(), StateResponse)
    assert isinstance(state.policy.staff_pin, str)
    assert matches("471108", state.policy.staff_pin)
    with store.write() as conn:
        set_pin(conn, code, None, NOON_MS, who="test")
    assert b"staff_pin" not in told()


def test_each_kiosk_has_a_names_key_of_its_own(client: FlaskClient, store: Store) -> None:
    keys = [Ed25519PrivateKey.generate() for _ in range(2)]
    for each in keys:
        make.kiosk(store, key=each)
    given = {good(send(client, state_path(), key=each, method="GET"), StateResponse).names_key for each in keys}
    assert len(given) == 2


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_kiosk_enrolled_anew_is_told_another_roster_even_where_nothing_changed(
    client: FlaskClient, store: Store, door: Row[Any], key: Ed25519PrivateKey, elsewhere: bool
) -> None:
    before = good(send(client, OFFER_PATH, encode(offer()), key=key), OfferResponse).roster_version
    anew = Ed25519PrivateKey.generate()
    make.kiosk(store, key=anew, site_id=make.site(store).id if elsewhere else door.site_id)
    path = state_path(roster=before)
    assert good(send(client, path, key=key, method="GET"), StateResponse).roster is None
    told = good(send(client, path, key=anew, method="GET"), StateResponse)
    assert told.roster is not None
    names.unseal(told.roster.names, told.names_key)
    assert good(send(client, OFFER_PATH, encode(offer()), key=anew), OfferResponse).roster_version != before


def test_presence_tells_how_far_the_kiosks_own_journal_is_in_it(
    client: FlaskClient, store: Store, door: Row[Any], key: Ed25519PrivateKey
) -> None:
    session = Session(door.id)
    session.moved(make.child(store, at=door.site_id).id)
    good(send(client, ENTRIES_PATH, encode(session.request()), key=key), Receipt)
    anew = Ed25519PrivateKey.generate()
    make.kiosk(store, site_id=door.site_id, key=anew)  # as which it is enrolled again, with the same journal
    for each in (key, anew):
        state = good(send(client, state_path(), key=each, method="GET"), StateResponse)
        assert state.presence is not None
        assert state.presence.through == (Head(session.name, 1, ""),), "its last hash lets another write on"


def test_parts_the_kiosk_has_are_not_sent_again(
    client: FlaskClient, store: Store, clock: ManualClock, door: Row[Any], key: Ed25519PrivateKey
) -> None:
    def versions() -> tuple[str, str]:
        answer = good(send(client, OFFER_PATH, encode(offer()), key=key), OfferResponse)
        return answer.roster_version, answer.presence_version

    roster, presence = versions()
    state = good(send(client, state_path(roster, presence), key=key, method="GET"), StateResponse)
    assert (state.roster, state.presence) == (None, None)
    child = make.child(store, at=door.site_id)
    one = make.movement(store, site_id=door.site_id, child_id=child.id)
    assert versions() != (roster, presence)
    changed = versions()
    with store.write() as conn:
        conn.execute(update(movement).where(movement.c.id == one.id).values(undone_at_ms=NOON_MS))
    assert versions()[1] not in (changed[1], "")
    with store.write() as conn:
        code = conn.execute(text("SELECT code FROM site")).scalar_one()
        set_rules(conn, code, {"undo_s": "9"}, NOON_MS, who="test")
    assert versions()[0] != roster
    roster = versions()[0]
    with store.write() as conn:
        set_pin(conn, code, hash_pin("471108"), NOON_MS, who="test")
    assert versions()[0] != roster
    today = versions()
    clock.advance(86_400)
    assert versions()[0] != today[0]
    assert versions()[1] != today[1]
