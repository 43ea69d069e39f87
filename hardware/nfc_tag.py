"""What is known of an NFC card (step 1 of the line): its identity from the anticollision, and the text on it.

Takes nfcpy's targets; calls nfcpy only to read a tag's NDEF message.
"""

from typing import Any

from hardware.nfc_identity import CardIdentity, identity_of_idm, identity_of_uid, is_random_idm, is_random_uid
from hardware.reader import TagType

_SAK_ISO_14443_4 = 0x20
_SAK_CLASSIC = 0x08
_SAK_DEP = 0x40
_NDEF_SYSTEM_POLL = bytes.fromhex("060012fc0100")
_POLLS = 2
"""For a FeliCa card's NDEF system; the card has just answered a poll, so it hears these."""
_POLL_S = 0.004
"""For the answer in the only slot. Source: nfcpy's Type3Tag.polling, 3.6 ms."""


def identify(target: Any, system_code: int) -> CardIdentity | None:
    """The identity that a sensed target shows, or None when it shows none that is well formed.

    A FeliCa card is known by the system that answered and its IDm there; `system_code` stands in for cards that do not
    name their system.
    """
    if target.brty.endswith("F"):
        answer = bytes(target.sensf_res or b"")
        idm, system = answer[1:9], answer[17:19]
        return identity_of_idm(idm, int.from_bytes(system, "big") if len(system) == 2 else system_code)
    # Type 1 tags have no anticollision; they answer RID.
    return identity_of_uid(bytes(target.rid_res[2:6]) if target.rid_res else bytes(target.sdd_res or b""))


def is_random(target: Any) -> bool:
    """Whether a type A target shows a UID made up for this look, as phones do."""
    return is_random_uid(bytes(target.sdd_res or b""))


def tag_type(target: Any) -> TagType | None:
    """What the target is by the technology that found it and its SAK; None for what is no tag."""
    if target.brty.endswith("F"):
        return TagType.TYPE_3
    if target.rid_res:
        return TagType.TYPE_1
    if not target.sel_res:
        return None
    sak = target.sel_res[0]
    if sak & _SAK_ISO_14443_4:
        return TagType.TYPE_4
    if sak & _SAK_CLASSIC:
        return TagType.MIFARE_CLASSIC
    return None if sak & _SAK_DEP else TagType.TYPE_2


def may_hold_text(target: Any) -> bool:
    """Whether it is worth asking the target for an NDEF message: Type 2, 3 and 4 tags, not MIFARE Classic."""
    if target.brty.endswith("F"):
        return not is_random_idm(bytes(target.sensf_res[1:9]))
    return tag_type(target) in (TagType.TYPE_2, TagType.TYPE_4)


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
        from hardware.nfc_type4 import QuickType4Tag

        return QuickType4Tag(frontend, target)
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

    try:
        texts = [record.text for record in ndef.message_decoder(message) if isinstance(record, ndef.TextRecord)]
    except ValueError as error:  # ndeflib lets it slip for types and languages that are not ASCII, or too long
        raise ndef.DecodeError("not a message") from error
    return next((str(text) for text in texts if text), None)
