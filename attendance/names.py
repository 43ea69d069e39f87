"""Display names, sealed for the kiosk: the pack rests on its disk, the key comes per boot and stays in memory."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from attendance.errors import WireError
from attendance.roster import DisplayName

_NONCE_BYTES = 12  # RFC 8439, section 2.8
_DOMAIN = b"tadaima names 1\0"


class SealedNames(msgspec.Struct, frozen=True):
    """Names by child id, encrypted and authenticated."""

    nonce: bytes
    box: bytes

    def __repr__(self) -> str:
        return f"SealedNames({len(self.box)} bytes)"


def kiosk_key(master: bytes, kiosk: str) -> bytes:
    """Return the key of one kiosk's packs, so that a stolen one opens no other's."""
    return hmac.new(master, _DOMAIN + kiosk.encode(), hashlib.sha256).digest()


def seal(names: Mapping[str, DisplayName], key: bytes) -> SealedNames:
    """Return the pack of names under a 32-byte key, with a fresh nonce."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    plain = msgspec.json.encode(dict(names), order="sorted")
    return SealedNames(nonce=nonce, box=ChaCha20Poly1305(key).encrypt(nonce, plain, _DOMAIN))


def unseal(pack: SealedNames, key: bytes) -> dict[str, DisplayName]:
    """Return the names. Raises: WireError when key and pack do not belong together."""
    try:
        plain = ChaCha20Poly1305(key).decrypt(pack.nonce, pack.box, _DOMAIN)
        return msgspec.json.decode(plain, type=dict[str, DisplayName])
    except (InvalidTag, ValueError) as error:
        raise WireError("names", "key and pack do not belong together") from error
