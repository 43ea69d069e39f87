"""The kiosk API over HTTP: who may speak, how a kiosk is enrolled, and the one shape of every error."""

import hashlib
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Row, text

from attendance.clock import ManualClock
from attendance.signatures import ANSWERS_HEADER, sign
from attendance.wire import (
    ENROL_PATH,
    ENTRIES_PATH,
    MAX_BODY_BYTES,
    OFFER_PATH,
    STATE_PATH,
    EnrolRequest,
    EnrolResponse,
    ErrorCode,
    OfferResponse,
    Receipt,
    decode,
    encode,
)
from server.api.kiosk import NONCE_LIFE_MS
from server.enrolment import LIFE_MS, issue
from server.store.engine import Store
from server.store.tables import entry, nonce
from tests.server import factories as make
from tests.server.factories import NOON_MS
from tests.server.kiosk_side import Session, good, offer, problem, send, state_path


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def door(store: Store, key: Ed25519PrivateKey) -> Row[Any]:
    return make.kiosk(store, key=key)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


# Who may speak


def test_an_unsigned_request_is_refused(client: FlaskClient, door: Row[Any]) -> None:
    answer = client.post(OFFER_PATH, data=encode(offer()))
    assert problem(answer) == (401, ErrorCode.SIGNATURE_REFUSED)


def test_a_key_nobody_knows_is_refused(client: FlaskClient, door: Row[Any]) -> None:
    answer = send(client, OFFER_PATH, encode(offer()), key=Ed25519PrivateKey.generate())
    assert problem(answer) == (401, ErrorCode.SIGNATURE_REFUSED)


def test_a_tampered_body_is_refused(client: FlaskClient, door: Row[Any], key: Ed25519PrivateKey) -> None:
    body = encode(offer())
    headers = sign("POST", OFFER_PATH, body, key=key, created=make.NOON)
    answer = client.post(OFFER_PATH, data=body.replace(b"1.0", b"1.1"), headers=headers)
    assert problem(answer) == (401, ErrorCode.SIGNATURE_REFUSED)


def test_a_signature_for_another_path_is_refused(client: FlaskClient, door: Row[Any], key: Ed25519PrivateKey) -> None:
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


def test_one_address_may_enrol_many_kiosks_but_not_try_without_end(client: FlaskClient, store: Store) -> None:
    make.site(store)
    for _ in range(11):
        own = Ed25519PrivateKey.generate()
        good(send(client, ENROL_PATH, enrolment(store, own), key=own), EnrolResponse)
    key = Ed25519PrivateKey.generate()
    body = enrolment(store, key, hashlib.sha256(b"").hexdigest()[:10])
    answers = [send(client, ENROL_PATH, body, key=key) for _ in range(11)]
    assert problem(answers[9]) == (403, ErrorCode.CODE_REFUSED)
    assert problem(answers[10]) == (429, ErrorCode.BUSY)
    assert answers[10].headers["Retry-After"]


def test_a_letter_that_no_database_need_hold_is_no_fault_of_the_server(
    client: FlaskClient, store: Store, door: Row[Any], key: Ed25519PrivateKey, caplog: pytest.LogCaptureFixture
) -> None:
    odd = send(client, OFFER_PATH, encode(offer(problems=("\0",), boot="\0")), key=key)
    assert odd.status_code == 200 or problem(odd) == (400, ErrorCode.BAD_REQUEST)
    assert "Traceback" not in caplog.text
    good(send(client, OFFER_PATH, encode(offer()), key=key), OfferResponse)
