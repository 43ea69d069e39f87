"""Signed requests from kiosk to server: RFC 9421 with Ed25519 over method, path, query and body digest.

Host and scheme are left out on purpose: municipal proxies end TLS and rewrite them. The age of a signature is not
judged, since kiosk clocks lie; the server remembers nonces, and every message may be repeated without harm.
"""

import hashlib
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, HTTPSignatureKeyResolver
from http_message_signatures.algorithms import ED25519
from http_message_signatures.exceptions import HTTPMessageSignaturesException

from attendance.errors import SignatureRefused

TAG = "tadaima-kiosk-1"
ANSWERS_HEADER = "Tadaima-Answers"
"""In an answer: the nonce of the request that it answers, so that no proxy passes off an older one as this one's."""
_COMPONENTS = ("@method", "@path", "@query")
_ANY_CLOCK = timedelta(days=365 * 100)

logging.getLogger("http_message_signatures").setLevel(logging.WARNING)  # it logs whole signature bases at debug


@dataclass(slots=True)
class _Request:
    """What the library asks of a message."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Signed:
    """What a good signature proves."""

    key_id: str
    nonce: str


class _Keys(HTTPSignatureKeyResolver):
    def __init__(
        self,
        *,
        private: Ed25519PrivateKey | None = None,
        public: Callable[[str], Ed25519PublicKey | None] | None = None,
    ) -> None:
        self._private = private
        self._public = public

    def resolve_private_key(self, key_id: str) -> Any:  # noqa: ARG002 - one key is all there is
        return self._private

    def resolve_public_key(self, key_id: str) -> Any:
        return self._public(key_id) if self._public else None


class _Verifier(HTTPMessageVerifier):
    max_clock_skew = _ANY_CLOCK


def key_id(public: Ed25519PublicKey) -> str:
    """Return the id of a key: the first 32 hexadecimal digits of the SHA-256 of its 32 raw bytes."""
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:32]


def sign(
    method: str,
    path_and_query: str,
    body: bytes,
    *,
    key: Ed25519PrivateKey,
    created: datetime,
    nonce: str | None = None,
) -> dict[str, str]:
    """Return the headers that sign a request; `nonce` is drawn when not given."""
    request = _Request(method=method, url=_url(path_and_query))
    HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=_Keys(private=key)).sign(
        request,
        key_id=key_id(key.public_key()),
        created=created.astimezone(UTC),
        nonce=nonce or secrets.token_urlsafe(16),
        tag=TAG,
        covered_component_ids=_COMPONENTS,
        body=body,
    )
    return request.headers


def verify(
    method: str,
    path_and_query: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    find_key: Callable[[str], Ed25519PublicKey | None],
) -> Signed:
    """Return who signed the request and with which nonce. Raises: SignatureRefused."""
    request = _Request(method=method, url=_url(path_and_query), headers={k.lower(): v for k, v in headers.items()})
    verifier = _Verifier(signature_algorithm=ED25519, key_resolver=_Keys(public=find_key))
    try:
        results = verifier.verify(
            request, max_age=None, expect_tag=TAG, require_components=(*_COMPONENTS, "content-digest"), body=body
        )
        parameters = results[0].parameters
        return Signed(key_id=str(parameters["keyid"]), nonce=str(parameters["nonce"]))
    except (HTTPMessageSignaturesException, KeyError, IndexError, ValueError) as error:
        raise SignatureRefused(type(error).__name__) from error


def _url(path_and_query: str) -> str:
    """Return an absolute URL, which the library wants; its host is not signed."""
    return f"https://server.invalid{path_and_query}"
