"""The kiosk API over HTTP: who may speak, what is answered, and the one shape of every error."""

import hashlib
from typing import Any, TypeVar

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Row, event, text, update
from werkzeug.test import TestResponse

from attendance import names
from attendance.cards import CardToken
from attendance.clock import ClockState, ManualClock
from attendance.records import Direction, Head
from attendance.roster import DisplayName
from attendance.signatures import ANSWERS_HEADER
from attendance.staff_pin import hash_pin, matches
from attendance.wire import (
    ENROL_PATH,
    ENTRIES_PATH,
    MAX_BODY_BYTES,
    OFFER_PATH,
    STATE_PATH,
    EnrolRequest,
    EnrolResponse,
    ErrorCode,
    ErrorResponse,
    OfferResponse,
    Receipt,
    StateResponse,
    Want,
    decode,
    encode,
)
from server.api.kiosk import NONCE_LIFE_MS
from server.enrolment import LIFE_MS, issue
from server.ledger import accept
from server.offer import wanted
from server.sites import set_pin, set_rules
from server.store.engine import Store
from server.store.tables import entry, kiosk, movement, nonce
from tests.server import factories as make
from tests.server.factories import DAY, NOON_MS
from tests.server.kiosk_side import Session, offer, reading, send

_Message = TypeVar("_Message", bound=msgspec.Struct)


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def door(store: Store, key: Ed25519PrivateKey) -> Row[Any]:
    return make.kiosk(store, key=key)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def good(response: TestResponse, kind: type[_Message]) -> _Message:
    assert response.status_code == 200, response.data
    assert response.mimetype == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    return decode(response.data, kind)


def problem(response: TestResponse) -> tuple[int, ErrorCode]:
    assert response.mimetype == "application/json"
    return response.status_code, decode(response.data, ErrorResponse).error.code


def state_path(roster: str = "", presence: str = "") -> str:
    return f"{STATE_PATH}?roster={roster}&presence={presence}&boot=b"


# Who may speak


def test_an_unsigned_request_is_refused(client: FlaskClient, door: Row[Any]) -> None:
    answer = client.post(OFFER_PATH, data=encode(offer()))
    assert problem(answer) == (401, ErrorCode.SIGNATURE_REFUSED)


def test_a_key_nobody_knows_is_refused(client: FlaskClient, door: Row[Any]) -> None:
    answer = send(client, OFFER_PATH, encode(offer()), key=Ed25519PrivateKey.generate())
    assert problem(answer) == (401, ErrorCode.SIGNATURE_REFUSED)


def test_a_tampered_body_is_refused(client: FlaskClient, door: Row[Any], key: Ed25519PrivateKey) -> None:
    from attendance.signatures import sign

    body = encode(offer())
    headers = sign("POST", OFFER_PATH, body, key=key, created=make.NOON)
    answer = client.post(OFFER_PATH, data=body.replace(b"1.0", b"1.1"), headers=headers)
    assert problem(answer) == (401, ErrorCode.SIGNATURE_REFUSED)


def test_a_signature_for_another_path_is_refused(client: FlaskClient, door: Row[Any], key: Ed25519PrivateKey) -> None:
    from attendance.signatures import sign

    headers = sign("GET", state_path(), b"", key=key, created=make.NOON)
    assert problem(client.get(state_path(roster="x"), headers=headers)) == (401, ErrorCode.SIGNATURE_REFUSED)


def test_a_replayed_request_is_refused_and_changes_nothing(
    client: FlaskClient, store: Store, door: Row[Any], key: Ed25519PrivateKey
) -> None:
    body = encode(Session(door.id).request())
    good(send(client, ENTRIES_PATH, body, key=key, nonce="n"), Receipt)
    again = send(client, ENTRIES_PATH, body, key=key, nonce="n")
    assert problem(again) == (401, ErrorCode.SIGNATURE_REFUSED)
    good(send(client, ENTRIES_PATH, body, key=key, nonce="m"), Receipt)
    assert len(make.rows(store, entry)) == 1


def test_an_answer_names_the_request_it_answers(client: FlaskClient, door: Row[Any], key: Ed25519PrivateKey) -> None:
    good_one = send(client, OFFER_PATH, encode(offer()), key=key, nonce="n-1")
    bad_body = send(client, OFFER_PATH, b"{}", key=key, nonce="n-2")
    stranger = send(client, OFFER_PATH, encode(offer()), key=Ed25519PrivateKey.generate(), nonce="n-3")
    named = [answer.headers.get(ANSWERS_HEADER) for answer in (good_one, bad_body, stranger)]
    assert named == ["n-1", "n-2", None]


def test_a_nonce_is_not_spent_by_a_request_that_failed(
    client: FlaskClient, door: Row[Any], key: Ed25519PrivateKey
) -> None:
    session = Session(door.id)
    bad = msgspec.structs.replace(session.request(), from_seq=-1)
    assert problem(send(client, ENTRIES_PATH, encode(bad), key=key, nonce="n")) == (400, ErrorCode.BAD_REQUEST)
    good(send(client, ENTRIES_PATH, encode(session.request()), key=key, nonce="n"), Receipt)


def test_nonces_are_forgotten_after_a_day(
    client: FlaskClient, store: Store, clock: ManualClock, door: Row[Any], key: Ed25519PrivateKey
) -> None:
    good(send(client, OFFER_PATH, encode(offer()), key=key, nonce="old"), OfferResponse)
    clock.advance(NONCE_LIFE_MS / 1000 + 1)
    good(send(client, OFFER_PATH, encode(offer()), key=key, nonce="new"), OfferResponse)
    assert [row.nonce for row in make.rows(store, nonce)] == ["new"]


@pytest.mark.parametrize(("path", "method"), [(OFFER_PATH, "POST"), (ENTRIES_PATH, "POST"), (STATE_PATH, "GET")])
def test_a_revoked_kiosk_is_told_so(client: FlaskClient, store: Store, path: str, method: str) -> None:
    key = Ed25519PrivateKey.generate()
    make.kiosk(store, key=key, revoked_at_ms=NOON_MS)
    assert problem(send(client, path, b"", key=key, method=method)) == (403, ErrorCode.REVOKED)


# The shape of errors


@pytest.mark.parametrize("body", [b"", b"<html>Welcome</html>", b"{}", b"[]", b"\xff\xfe", b"null"])
@pytest.mark.parametrize("path", [OFFER_PATH, ENTRIES_PATH, ENROL_PATH])
def test_a_body_that_is_no_message_is_refused(
    client: FlaskClient, door: Row[Any], key: Ed25519PrivateKey, path: str, body: bytes
) -> None:
    assert problem(send(client, path, body, key=key)) == (400, ErrorCode.BAD_REQUEST)


def test_a_body_that_is_too_large_is_refused_unread(
    client: FlaskClient, door: Row[Any], key: Ed25519PrivateKey
) -> None:
    answer = send(client, ENTRIES_PATH, b" " * (MAX_BODY_BYTES + 1), key=key)
    assert problem(answer) == (413, ErrorCode.TOO_LARGE)


def test_a_path_and_a_method_nobody_serves_are_told_in_the_same_shape(client: FlaskClient) -> None:
    assert problem(client.get("/kiosk/v1/nothing")) == (404, ErrorCode.NOT_FOUND)
    assert problem(client.get(OFFER_PATH)) == (405, ErrorCode.BAD_REQUEST)


def test_a_store_that_cannot_be_used_asks_to_come_again(
    client: FlaskClient, store: Store, door: Row[Any], key: Ed25519PrivateKey
) -> None:
    with store.write() as conn:
        conn.execute(text("ALTER TABLE kiosk RENAME TO away"))
    answer = send(client, OFFER_PATH, encode(offer()), key=key)
    assert problem(answer) == (503, ErrorCode.BUSY)
    assert int(answer.headers["Retry-After"]) > 0


def test_a_fault_of_ours_is_told_without_its_cause(
    client: FlaskClient, door: Row[Any], key: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.api.kiosk.answer", None)
    answer = send(client, OFFER_PATH, encode(offer()), key=key)
    assert problem(answer) == (500, ErrorCode.INTERNAL)
    assert b"NoneType" not in answer.data


# Offer and entries


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


# State


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


# Enrolment


def enrolment(store: Store, key: Ed25519PrivateKey, code: str | None = None) -> bytes:
    if code is None:
        with store.write() as conn:
            code = issue(conn, make_site_code(store, conn), "New", NOON_MS, who="test").code
    return encode(EnrolRequest(code=code, public_key=key.public_key().public_bytes_raw(), app="1.0"))


def make_site_code(store: Store, conn: Any) -> str:
    return str(conn.execute(text("SELECT code FROM site")).scalar_one())


def test_a_new_kiosk_enrols_and_speaks(client: FlaskClient, store: Store, key: Ed25519PrivateKey) -> None:
    site = make.site(store, name="Naka")
    answer = good(send(client, ENROL_PATH, enrolment(store, key), key=key), EnrolResponse)
    assert (answer.site, answer.site_name, len(answer.uid_key)) == (site.id, "Naka", 32)
    assert answer.policy.kiosks_at_site == 1
    good(send(client, OFFER_PATH, encode(offer(Session(answer.kiosk))), key=key), OfferResponse)


def test_enrolling_with_a_key_one_does_not_hold_is_refused(
    client: FlaskClient, store: Store, key: Ed25519PrivateKey
) -> None:
    make.site(store)
    answer = send(client, ENROL_PATH, enrolment(store, key), key=Ed25519PrivateKey.generate())
    assert problem(answer) == (401, ErrorCode.SIGNATURE_REFUSED)


def test_enrolling_with_no_key_is_refused(client: FlaskClient, key: Ed25519PrivateKey) -> None:
    body = encode(EnrolRequest(code="AAAA222222", public_key=b"short", app="1.0"))
    assert problem(send(client, ENROL_PATH, body, key=key)) == (400, ErrorCode.BAD_REQUEST)


def test_the_sixth_try_fails_even_with_the_right_code(
    client: FlaskClient, store: Store, key: Ed25519PrivateKey
) -> None:
    make.site(store)
    right = decode(enrolment(store, key), EnrolRequest).code
    wrong = right[:4] + "".join(sorted(set("23456789") - set(right[4:]))[:2] * 3)
    for code in [wrong] * 5 + [right]:
        answer = send(client, ENROL_PATH, enrolment(store, key, code), key=key)
        assert problem(answer) == (403, ErrorCode.CODE_REFUSED)


def test_an_expired_code_is_refused(
    client: FlaskClient, store: Store, clock: ManualClock, key: Ed25519PrivateKey
) -> None:
    make.site(store)
    body = enrolment(store, key)
    clock.advance(LIFE_MS / 1000)
    assert problem(send(client, ENROL_PATH, body, key=key)) == (403, ErrorCode.CODE_REFUSED)


def test_one_address_may_not_try_without_end(client: FlaskClient, key: Ed25519PrivateKey, store: Store) -> None:
    body = enrolment(store, key, hashlib.sha256(b"").hexdigest()[:10])
    answers = [send(client, ENROL_PATH, body, key=key) for _ in range(11)]
    assert problem(answers[9]) == (403, ErrorCode.CODE_REFUSED)
    assert problem(answers[10]) == (429, ErrorCode.BUSY)
    assert answers[10].headers["Retry-After"]
