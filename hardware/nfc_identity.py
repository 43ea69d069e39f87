"""What an NFC card is known by before its text is read: its number, or one identity for all that make theirs up."""

from dataclasses import dataclass, field

from hardware.reader import Medium

ANY_SYSTEM = 0xFFFF
"""FeliCa's wildcard: a card answers with its first system, always the same one."""
UID_SIZES_BYTES = (4, 7, 10)
_RANDOM_UID = 0x08
_RANDOM_IDM = b"\x01\xfe"
_IDM_BYTES = 8


@dataclass(frozen=True, slots=True)
class CardIdentity:
    """What identifies a card before its text is read: the same each time it is sensed, one for all random UIDs."""

    medium: Medium
    payload: bytes = field(repr=False)


def identity_of_uid(uid: bytes) -> CardIdentity | None:
    """The identity of an ISO 14443 type A card, or None when the UID is not well formed."""
    if len(uid) not in UID_SIZES_BYTES:
        return None
    return CardIdentity(Medium.NFC_RANDOM_UID, b"") if is_random_uid(uid) else CardIdentity(Medium.NFC_UID, uid)


def identity_of_idm(idm: bytes, system_code: int) -> CardIdentity | None:
    """The identity of a FeliCa card in one of its systems, or None when the IDm is not well formed."""
    if len(idm) != _IDM_BYTES:
        return None
    if is_random_idm(idm):
        return CardIdentity(Medium.NFC_RANDOM_UID, b"")
    return CardIdentity(Medium.FELICA_IDM, system_code.to_bytes(2, "big") + idm)


def is_random_uid(uid: bytes) -> bool:
    """Whether a UID is made up for this look, as phones do."""
    return len(uid) == UID_SIZES_BYTES[0] and uid[0] == _RANDOM_UID


def is_random_idm(idm: bytes) -> bool:
    """Whether an IDm is made up for this look, as phones talking to each other do."""
    return idm.startswith(_RANDOM_IDM)
