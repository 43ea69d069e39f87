"""What kiosks ask over HTTP (step 10, docs/protocol.md): verify, decode, hand on, encode; nothing else.

A nonce is spent in the transaction of what the request does, so a request that failed may be sent again as it is.
"""

from datetime import date
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask import Blueprint, Response, g, request
from sqlalchemy import Connection, Row, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from attendance.clock import from_ms, local_day
from attendance.errors import SignatureRefused, WireError
from attendance.names import kiosk_key
from attendance.signatures import ANSWERS_HEADER, Signed, key_id, verify
from attendance.wire import (
    ENROL_PATH,
    ENTRIES_PATH,
    OFFER_PATH,
    STATE_PATH,
    EnrolRequest,
    EnrolResponse,
    EntriesRequest,
    OfferRequest,
    StateResponse,
    decode,
    encode,
)
from server.api.problems import KioskRevoked
from server.enrolment import redeem
from server.errors import StoreError
from server.ledger import accept_within
from server.offer import answer
from server.roster_state import policy, presence_part, presence_version, roster_part, roster_version
from server.services import services
from server.store.tables import kiosk, nonce, site

NONCE_LIFE_MS = 2 * 3_600_000
"""Longer than anything on the way keeps a request. One repeated later brings no entry again and no better anchor."""
_NONCE_LENGTH = 64

api = Blueprint("kiosk_api", __name__)


@api.after_request
def name_request(response: Response) -> Response:
    """Say which request this answers, once its signature was found good."""
    if "answers" in g:
        response.headers[ANSWERS_HEADER] = g.answers
    return response


@api.post(ENROL_PATH)
def enrol() -> Response:
    """Make a kiosk of a one-time code and the key that signed the request."""
    body = request.get_data()
    asked = decode(body, EnrolRequest)
    try:
        public = Ed25519PublicKey.from_public_bytes(asked.public_key)
    except ValueError as error:
        raise WireError("EnrolRequest", "no public key") from error
    _signed(body, lambda named: public if named == key_id(public) else None)
    now_ms = _now_ms()
    made = redeem(services().store, asked.code, public, asked.app, now_ms)
    with services().store.read() as conn:
        name = conn.execute(select(site.c.name).where(site.c.id == made.site_id)).scalar_one()
        rules = policy(conn, made.site_id)
    return _json(
        EnrolResponse(
            kiosk=made.id,
            site=made.site_id,
            site_name=name,
            policy=rules,
            uid_key=services().secrets.uid,
            time_ms=now_ms,
        )
    )


@api.post(OFFER_PATH)
def offer() -> Response:
    """Hear what a kiosk holds and how it is; say what is lacking on either side."""
    now_ms = _now_ms()
    sender, signed, body = _sender()
    asked = decode(body, OfferRequest)
    with services().store.write() as conn:
        conn.execute(delete(nonce).where(nonce.c.seen_at_ms < now_ms - NONCE_LIFE_MS))
        _spend(conn, signed, now_ms)
        return _json(answer(conn, sender, asked, now_ms))


@api.post(ENTRIES_PATH)
def entries() -> Response:
    """Take journal entries."""
    now_ms = _now_ms()
    sender, signed, body = _sender()
    asked = decode(body, EntriesRequest)
    with services().store.write() as conn:
        _spend(conn, signed, now_ms)
        receipt = accept_within(conn, sender, asked, now_ms)
    return _json(receipt)


@api.get(STATE_PATH)
def state() -> Response:
    """Give the parts of the kiosk's state that are newer than what it has."""
    now_ms = _now_ms()
    sender, signed, _ = _sender()
    with services().store.write() as conn:
        _spend(conn, signed, now_ms)
    with services().store.read() as conn:
        return _json(_state(conn, sender, local_day(from_ms(now_ms))))


def _state(conn: Connection, sender: Row[Any], day: date) -> StateResponse:
    master = services().secrets.names
    has_roster = request.args.get("roster") == roster_version(conn, sender, day)
    has_presence = request.args.get("presence") == presence_version(conn, sender.site_id, day)
    return StateResponse(
        policy=policy(conn, sender.site_id),
        names_key=kiosk_key(master, sender.id),
        roster=None if has_roster else roster_part(conn, sender, day, master),
        presence=None if has_presence else presence_part(conn, sender, day),
    )


def _sender() -> tuple[Row[Any], Signed, bytes]:
    """Return who sent the request, what its signature proves, and its body.

    Raises: SignatureRefused, KioskRevoked, StoreError.
    """
    body = request.get_data()
    found: dict[str, Row[Any]] = {}
    broken: list[Exception] = []

    def find_key(named: str) -> Ed25519PublicKey | None:
        try:
            with services().store.read() as conn:
                row = conn.execute(select(kiosk).where(kiosk.c.key_id == named)).one_or_none()
        except (StoreError, SQLAlchemyError) as error:  # the library would take it for a wrong signature
            broken.append(error)
            return None
        if row is None:
            return None
        found[named] = row
        return Ed25519PublicKey.from_public_bytes(row.public_key)

    try:
        signed = _signed(body, find_key)
    except SignatureRefused as error:
        raise (broken[0] if broken else error) from error
    sender = found[signed.key_id]
    if sender.revoked_at_ms is not None:
        raise KioskRevoked
    return sender, signed, body


def _signed(body: bytes, find_key: Any) -> Signed:
    query = request.query_string.decode("ascii", "replace")
    target = f"{request.path}?{query}" if query else request.path
    signed = verify(request.method, target, dict(request.headers), body, find_key=find_key)
    if not 0 < len(signed.nonce) <= _NONCE_LENGTH:
        raise SignatureRefused("nonce of a wrong length")
    g.answers = signed.nonce
    return signed


def _spend(conn: Connection, signed: Signed, now_ms: int) -> None:
    """Make sure that a signature serves once. Raises: SignatureRefused."""
    same = (nonce.c.key_id == signed.key_id) & (nonce.c.nonce == signed.nonce)
    if conn.execute(select(nonce.c.nonce).where(same)).first() is not None:
        raise SignatureRefused("nonce seen before")
    conn.execute(insert(nonce).values(key_id=signed.key_id, nonce=signed.nonce, seen_at_ms=now_ms))


def _now_ms() -> int:
    return services().clock.read().wall_ms


def _json(message: msgspec.Struct) -> Response:
    return Response(encode(message), mimetype="application/json")
