"""Signatures: what was signed arrives as it was, or is refused."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from attendance import signatures
from attendance.errors import SignatureRefused
from attendance.signatures import key_id, sign, verify
from tests.attendance.factories import KEY_ID, NOON

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
PATH = "/kiosk/v1/state?roster=7&presence=&boot=b0"
BODY = b'{"heads":[]}'


def find(wanted: str) -> Ed25519PublicKey | None:
    return KEY.public_key() if wanted == key_id(KEY.public_key()) else None


def signed(
    *,
    method: str = "POST",
    path: str = PATH,
    body: bytes = BODY,
    created: datetime = NOON,
    nonce: str = "n-1",
    key: Ed25519PrivateKey = KEY,
) -> dict[str, str]:
    return sign(method, path, body, key=key, created=created, nonce=nonce)


def test_a_good_signature_names_its_key_and_nonce() -> None:
    proof = verify("POST", PATH, signed(), BODY, find_key=find)
    assert (proof.key_id, proof.nonce) == (key_id(KEY.public_key()), "n-1")


def test_the_id_of_a_key_never_changes() -> None:
    assert key_id(KEY.public_key()) == "56475aa75463474c0285df5dbf2bcab7"
    assert len(KEY_ID) == len(key_id(KEY.public_key()))


def test_the_headers_never_change() -> None:
    headers = signed()
    assert headers["Content-Digest"] == "sha-256=:xEEALQjGNuQCxR2RdvRdd4pCk+W7rjwStmtlANETTLg=:"
    assert headers["Signature-Input"] == (
        'pyhms=("@method" "@path" "@query" "content-digest");created=1775012400;'
        'keyid="56475aa75463474c0285df5dbf2bcab7";alg="ed25519";nonce="n-1";tag="tadaima-kiosk-1"'
    )
    assert set(headers) == {"Content-Digest", "Signature-Input", "Signature"}


@given(st.binary(max_size=2000))
def test_any_body_can_be_signed(body: bytes) -> None:
    verify("POST", PATH, signed(body=body), body, find_key=find)


def test_names_of_headers_are_read_in_any_case() -> None:
    verify("POST", PATH, {name.upper(): value for name, value in signed().items()}, BODY, find_key=find)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", PATH, BODY + b" "),
        ("POST", PATH, b""),
        ("GET", PATH, BODY),
        ("PUT", PATH, BODY),
        ("POST", PATH.replace("state", "offer"), BODY),
        ("POST", PATH.replace("roster=7", "roster=8"), BODY),
        ("POST", PATH + "&x=1", BODY),
        ("POST", PATH.split("?", maxsplit=1)[0], BODY),
        ("POST", "/kiosk/v1/../v1/state?roster=7&presence=&boot=b0", BODY),
    ],
)
def test_a_request_that_was_changed_on_the_way_is_refused(method: str, path: str, body: bytes) -> None:
    with pytest.raises(SignatureRefused):
        verify(method, path, signed(), body, find_key=find)


def test_a_digest_that_was_changed_with_the_body_is_refused() -> None:
    forged = signed(body=b"other")["Content-Digest"]
    with pytest.raises(SignatureRefused):
        verify("POST", PATH, signed() | {"Content-Digest": forged}, b"other", find_key=find)


def test_another_key_under_the_same_id_is_refused() -> None:
    with pytest.raises(SignatureRefused):
        verify("POST", PATH, signed(), BODY, find_key=lambda _: OTHER.public_key())


def test_a_key_that_is_not_known_is_refused() -> None:
    with pytest.raises(SignatureRefused):
        verify("POST", PATH, signed(key=OTHER), BODY, find_key=find)


@pytest.mark.parametrize("created", [datetime(1970, 1, 1, tzinfo=UTC), datetime(2099, 12, 31, tzinfo=UTC)])
def test_a_kiosk_whose_clock_lies_is_still_heard(created: datetime) -> None:
    verify("POST", PATH, signed(created=created), BODY, find_key=find)


def test_a_replay_verifies_and_shows_the_same_nonce_for_the_server_to_remember() -> None:
    headers = signed(nonce="once")
    seen = [verify("POST", PATH, headers, BODY, find_key=find).nonce for _ in range(2)]
    assert seen == ["once", "once"]


def test_every_request_draws_a_nonce_of_its_own() -> None:
    nonces = {
        verify("GET", PATH, sign("GET", PATH, b"", key=KEY, created=NOON), b"", find_key=find).nonce for _ in range(20)
    }
    assert len(nonces) == 20


@pytest.mark.parametrize("name", ["Content-Digest", "Signature-Input", "Signature"])
@pytest.mark.parametrize(
    "value",
    [None, "", "x", "\x00", "a=(", "pyhms=()", "pyhms=:AAAA:", "pyhms=1", "é", 'pyhms=("@method");keyid=1', "x" * 9000],
)
def test_a_missing_or_hostile_header_is_refused(name: str, value: str | None) -> None:
    headers = signed()
    if value is None:
        del headers[name]
    else:
        headers[name] = value
    with pytest.raises(SignatureRefused):
        verify("POST", PATH, headers, BODY, find_key=find)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"@query" ', ""),
        (' "content-digest"', ""),
        ("created=1775012400", "created=1775012401"),
        ("created=1775012400", 'created="now"'),
        ("created=1775012400", "created=99999999999999999"),
        ('nonce="n-1"', 'nonce="n-2"'),
        (';nonce="n-1"', ""),
        ("tadaima-kiosk-1", "tadaima-kiosk-2"),
        ('alg="ed25519"', 'alg="hmac-sha256"'),
        ("pyhms=", "other="),
    ],
)
def test_a_changed_parameter_is_refused(old: str, new: str) -> None:
    headers = signed()
    assert old in headers["Signature-Input"]
    headers["Signature-Input"] = headers["Signature-Input"].replace(old, new)
    with pytest.raises(SignatureRefused):
        verify("POST", PATH, headers, BODY, find_key=find)


@pytest.mark.parametrize(
    "signed_too_little", [("@method", "@path"), ("@method", "@query"), ("@path", "@query"), ()], ids=repr
)
def test_our_own_key_over_less_than_everything_is_refused(
    signed_too_little: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signatures, "_COMPONENTS", signed_too_little)
    headers = signed()
    monkeypatch.undo()
    with pytest.raises(SignatureRefused):
        verify("POST", PATH, headers, BODY, find_key=find)


def test_our_own_key_for_another_purpose_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "TAG", "tadaima-something-else")
    headers = signed()
    monkeypatch.undo()
    with pytest.raises(SignatureRefused):
        verify("POST", PATH, headers, BODY, find_key=find)


@given(st.dictionaries(st.sampled_from(["Content-Digest", "Signature-Input", "Signature"]), st.text(max_size=60)))
def test_no_header_makes_the_check_fail_in_another_way(headers: dict[str, str]) -> None:
    with pytest.raises(SignatureRefused):
        verify("POST", PATH, headers, BODY, find_key=find)
