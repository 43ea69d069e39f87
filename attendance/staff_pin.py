"""The staff PIN: a few digits that keep children's fingers off the kiosk; made on the server, checked at the door.

Only its slow, salted hash travels and rests. A PIN is short: whoever has the hash can try them all, so it is no lock
against thieves (docs/data-protection.md).
"""

import hashlib
import hmac
import re
import secrets
from base64 import b64decode, b64encode

DIGITS_MIN, DIGITS_MAX = 4, 8
DRAWN_DIGITS = 6
_SCHEME = "scrypt-8192-8-1"
"""Names the parameters below: 8 MiB and some tens of milliseconds for a try, which a finger does not feel."""
_COST, _BLOCK, _PARALLEL = 8192, 8, 1
_MEMORY_BYTES = 32 * 2**20
_SALT_BYTES, _HASH_BYTES = 16, 32
_DIGITS = re.compile(rf"[0-9]{{{DIGITS_MIN},{DIGITS_MAX}}}", re.ASCII)
_RUN = "01234567890"


def is_pin(text: str) -> bool:
    """Say whether a text has the form of a PIN: 4 to 8 digits."""
    return _DIGITS.fullmatch(text) is not None


def is_easy(pin: str) -> bool:
    """Say whether children try it first: one digit over and over, or digits in a row."""
    return len(set(pin)) == 1 or pin in _RUN or pin in _RUN[::-1]


def draw_pin() -> str:
    """Return a new random PIN."""
    while True:
        pin = f"{secrets.randbelow(10**DRAWN_DIGITS):0{DRAWN_DIGITS}}"
        if not is_easy(pin):
            return pin


def hash_pin(pin: str) -> str:
    """Return the hash that stands for a PIN, with a salt of its own; slow on purpose."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return "$".join((_SCHEME, _text(salt), _text(_scrypt(pin, salt))))


def is_understood(hashed: str) -> bool:
    """Say whether this version can check a hash; a later server may send another kind."""
    return _parts(hashed) is not None


def matches(pin: str, hashed: str) -> bool:
    """Say whether a PIN is the one behind a hash; slow on purpose, and False for a hash that is not understood."""
    parts = _parts(hashed)
    if parts is None or not is_pin(pin):
        return False
    salt, wanted = parts
    return hmac.compare_digest(_scrypt(pin, salt), wanted)


def _parts(hashed: str) -> tuple[bytes, bytes] | None:
    """Return salt and hash."""
    match hashed.split("$"):
        case [scheme, salt, wanted] if scheme == _SCHEME:
            try:
                return b64decode(salt, validate=True), b64decode(wanted, validate=True)
            except ValueError:
                return None
        case _:
            return None


def _scrypt(pin: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        pin.encode(), salt=salt, n=_COST, r=_BLOCK, p=_PARALLEL, maxmem=_MEMORY_BYTES, dklen=_HASH_BYTES
    )


def _text(raw: bytes) -> str:
    return b64encode(raw).decode("ascii")
