"""What is known of an NFC card (step 1 of the line): its identity from the anticollision, and the text on it.

Takes nfcpy's targets; calls nfcpy only to read a tag's NDEF message.
"""

from dataclasses import dataclass, field
from typing import Any

from hardware.reader import Medium

UID_SIZES_BYTES = (4, 7, 10)
_RANDOM_UID = 0x08
_RANDOM_IDM = b"\x01\xfe"
_SAK_ISO_14443_4 = 0x20
_SAK_CLASSIC_OR_DEP = 0x48
_NDEF_SYSTEM_POLL = bytes.fromhex("060012fc0100")
_POLLS = 2
"""For a FeliCa card's NDEF system; the card has just answered a poll, so it hears these."""
_POLL_S = 0.004
"""For the answer in the only slot. Source: nfcpy's Type3Tag.polling, 3.6 ms."""


@dataclass(frozen=True, slots=True)
class CardIdentity:
    """What identifies a card before its text is read: the same each time it is sensed, one for all random UIDs."""

    medium: Medium
    payload: bytes = field(repr=False)


def identify(target: Any, system_code: int) -> CardIdentity | None:
    """The identity that a sensed target shows, or None when it shows none that is well formed.

    A FeliCa card is known by the system that answered and its IDm there; `system_code` stands in for cards that do not
    name their system.
    """
    if target.brty.endswith("F"):
        return _identify_felica(bytes(target.sensf_res or b""), system_code)
    # Type 1 tags have no anticollision; they answer RID.
    uid = bytes(target.rid_res[2:6]) if target.rid_res else bytes(target.sdd_res or b"")
    if len(uid) not in UID_SIZES_BYTES:
        return None
    if is_random(target):
        return CardIdentity(Medium.NFC_RANDOM_UID, b"")
    return CardIdentity(Medium.NFC_UID, uid)


def is_random(target: Any) -> bool:
    """Whether a type A target shows a UID made up for this look, as phones do."""
    uid = bytes(target.sdd_res or b"")
    return len(uid) == UID_SIZES_BYTES[0] and uid[0] == _RANDOM_UID


def _identify_felica(answer: bytes, system_code: int) -> CardIdentity | None:
    idm, system = answer[1:9], answer[17:19]
    if len(idm) != 8:
        return None
    if idm.startswith(_RANDOM_IDM):
        return CardIdentity(Medium.NFC_RANDOM_UID, b"")
    return CardIdentity(Medium.FELICA_IDM, (system if len(system) == 2 else system_code.to_bytes(2, "big")) + idm)


def may_hold_text(target: Any) -> bool:
    """Whether it is worth asking the target for an NDEF message: Type 2, 3 and 4 tags, not MIFARE Classic."""
    if target.brty.endswith("F"):
        return not bytes(target.sensf_res[1:9]).startswith(_RANDOM_IDM)
    if target.rid_res or not target.sel_res:
        return False
    sak = target.sel_res[0]
    return bool(sak & _SAK_ISO_14443_4) or not sak & _SAK_CLASSIC_OR_DEP


def names_ndef_system(target: Any) -> bool:
    """Whether a FeliCa target answered for the system that holds NDEF messages."""
    return bytes(target.sensf_res[17:19]) == b"\x12\xfc"


def read_text(frontend: Any, target: Any) -> str | None:
    """The first text record on a tag, or None.

    Raises: OSError when the reader fails, AllowanceSpent, and whatever a hostile tag trips in nfcpy or ndeflib.
    """
    tag = _activate(frontend, target)
    if tag is None or tag.ndef is None or not tag.ndef.is_readable:
        return None
    return first_text(tag.ndef.octets)


def _activate(frontend: Any, target: Any) -> Any:
    """nfcpy's tag to read NDEF from, or None; straight, where nfcpy would sense a card again to learn its model."""
    import nfc.tag
    import nfc.tag.tt2

    if target.brty.endswith("F"):
        target = _ndef_side(frontend, target)
        return None if target is None else nfc.tag.activate(frontend, target)
    if target.sel_res[0] & _SAK_ISO_14443_4:
        return nfc.tag.activate(frontend, target)
    target.sel_req = target.sdd_res[:]  # should nfcpy sense it again, it is to find this tag only
    return nfc.tag.tt2.Type2Tag(frontend, target)


def _ndef_side(frontend: Any, target: Any) -> Any:
    """A FeliCa card's NDEF system as a target, or None for a card without. Raises: CommunicationError when it has gone.

    Asked in the same field: nfcpy would ask three times over, and another sense would take the field down and up again.
    """
    from nfc.clf import RemoteTarget

    if names_ndef_system(target):
        return target
    for _ in range(_POLLS):
        answer = frontend.ask(_NDEF_SYSTEM_POLL, _POLL_S)
        if answer is not None and len(answer) >= len(target.sensf_res) and answer[1] == 0x01:
            return RemoteTarget(target.brty, sensf_res=answer[1:])
    frontend.exchange(b"\x06\x00" + bytes(target.sensf_res[17:19]) + b"\x01\x00", _POLL_S)
    return None


def first_text(message: bytes) -> str | None:
    """The first text record of an NDEF message, or None when it has none. Raises: ndef.DecodeError."""
    import ndef

    texts = [record.text for record in ndef.message_decoder(message) if isinstance(record, ndef.TextRecord)]
    return next((str(text) for text in texts if text), None)
