"""Ids the server makes: UUIDv7, so that rows made one after another lie beside each other in every index.

Those of children follow from their numbers, so that a roster brought in again gives the children it gave before.
"""

import hashlib
import hmac
from uuid import UUID

from uuid_utils import uuid7

_CHILD_DOMAIN = b"tadaima child 1\0"


def new_id() -> str:
    """Return a fresh id of 36 characters, later than every id this process made before. Thread: any."""
    return str(uuid7())


def child_id_of(master: bytes, number: str) -> str:
    """Return the id of the child with a municipality's number: a UUID of version 8, which tells nobody the number.

    Source: RFC 9562, section 5.8.
    """
    drawn = int.from_bytes(hmac.new(master, _CHILD_DOMAIN + number.encode(), hashlib.sha256).digest()[:16])
    versioned = drawn & ~(0xF << 76) | 8 << 76
    return str(UUID(int=versioned & ~(0b11 << 62) | 0b10 << 62))
