"""Identities and texts of tags, without any reader."""

from types import SimpleNamespace
from typing import Any

import ndef
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hardware.nfc_tag import first_text, identify, may_hold_text, tag_type
from hardware.reader import Medium, TagType
from hardware.soft_tags import ndef_message


def type_a(uid: bytes, sak: int = 0x00) -> Any:
    return SimpleNamespace(brty="106A", sdd_res=bytearray(uid), sel_res=bytearray([sak]), rid_res=None)


def felica(idm: bytes, system: bytes = b"") -> Any:
    return SimpleNamespace(brty="212F", sensf_res=bytearray(b"\x01" + idm + bytes(8) + system))


@given(st.binary(min_size=3, max_size=3), st.binary(min_size=3, max_size=3))
def test_all_random_uids_are_one_identity(one: bytes, other: bytes) -> None:
    assert identify(type_a(b"\x08" + one), 0xFFFF) == identify(type_a(b"\x08" + other), 0xFFFF)


@given(st.binary(max_size=12))
def test_only_uids_of_the_sizes_there_are_make_an_identity(uid: bytes) -> None:
    identity = identify(type_a(uid), 0xFFFF)
    assert (identity is not None) == (len(uid) in (4, 7, 10))


def test_a_seven_byte_uid_that_begins_with_08_is_not_random() -> None:
    identity = identify(type_a(bytes.fromhex("08112233445566")), 0xFFFF)
    assert identity is not None
    assert identity.medium is Medium.NFC_UID


def test_a_felica_card_is_known_by_the_system_that_answered_or_else_by_the_one_polled() -> None:
    idm = bytes(range(8))
    named = identify(felica(idm, b"\x00\x03"), 0xFFFF)
    unnamed = identify(felica(idm), 0x88B4)
    assert named is not None
    assert named.payload == b"\x00\x03" + idm
    assert unnamed is not None
    assert unnamed.payload == b"\x88\xb4" + idm


def test_a_felica_answer_cut_short_is_no_card() -> None:
    assert identify(felica(b""), 0xFFFF) is not None  # eight zero bytes follow
    assert identify(SimpleNamespace(brty="212F", sensf_res=b"\x01\x02"), 0xFFFF) is None


def test_a_type_1_tag_is_known_by_what_it_answers_to_rid() -> None:
    topaz = SimpleNamespace(brty="106A", rid_res=bytes.fromhex("1148a1b2c3d4"), sdd_res=None, sel_res=None)
    identity = identify(topaz, 0xFFFF)
    assert identity is not None
    assert identity.payload == bytes.fromhex("a1b2c3d4")
    assert not may_hold_text(topaz)


@pytest.mark.parametrize(
    ("sak", "worth_it"), [(0x00, True), (0x20, True), (0x28, True), (0x08, False), (0x18, False), (0x40, False)]
)
def test_mifare_classic_and_peers_are_not_asked_for_text(sak: int, worth_it: bool) -> None:
    assert may_hold_text(type_a(b"\x04" + bytes(6), sak)) == worth_it


@pytest.mark.parametrize(
    ("target", "tag"),
    [
        (type_a(b"\x04" + bytes(6), 0x00), TagType.TYPE_2),
        (type_a(bytes(4), 0x08), TagType.MIFARE_CLASSIC),
        (type_a(bytes(4), 0x18), TagType.MIFARE_CLASSIC),
        (type_a(bytes(4), 0x88), TagType.MIFARE_CLASSIC),
        (type_a(bytes(4), 0x20), TagType.TYPE_4),
        (type_a(bytes(4), 0x28), TagType.TYPE_4),
        (type_a(bytes(4), 0x40), None),
        (felica(bytes(8)), TagType.TYPE_3),
        (SimpleNamespace(brty="106A", rid_res=bytes(6), sdd_res=None, sel_res=None), TagType.TYPE_1),
        (SimpleNamespace(brty="106B", rid_res=None, sdd_res=None, sel_res=None), None),
    ],
)
def test_a_tag_is_of_the_type_that_its_technology_and_sak_say(target: Any, tag: TagType | None) -> None:
    assert tag_type(target) is tag


def test_an_identity_does_not_show_its_uid() -> None:
    assert "payload" not in repr(identify(type_a(bytes.fromhex("a1b2c3d4")), 0xFFFF))


@given(st.text(min_size=1, max_size=600))
def test_text_comes_back_as_it_was_written(text: str) -> None:
    assert first_text(ndef_message(uri="https://example.org/", text=text) or b"") == text


def test_utf_16_text_is_text_too() -> None:
    message = b"".join(ndef.message_encoder([ndef.TextRecord("ただいま", encoding="UTF-16")]))
    assert first_text(message) == "ただいま"


@given(st.binary(max_size=80))
@example(b"\x11\x01\x00\x80")  # a record type that is not ASCII
@example(b"\xd1\x01\x03T\x02\xff\xff")  # nor a language
def test_arbitrary_bytes_are_no_text_or_a_decode_error_or_a_text(message: bytes) -> None:
    try:
        text = first_text(message)
    except ndef.DecodeError:
        return
    assert text is None or text
