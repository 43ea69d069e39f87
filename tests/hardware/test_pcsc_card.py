"""What cards say through a PC/SC reader, without one: kinds from ATRs, NDEF on every type, FeliCa in every carriage."""

from collections.abc import Callable
from contextlib import suppress

import ndef
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.nfc_identity import ANY_SYSTEM, CardIdentity
from hardware.nfc_tag import first_text
from hardware.pcsc_card import Kind, Transmit, kind_of, read_number, read_type_2, read_type_4
from hardware.pcsc_felica import identify, read_type_3
from hardware.reader import Medium, TagType
from hardware.soft_tags import SoftTag, Type2Tag, Type3Tag, Type4Tag, ndef_message
from tests.hardware.soft_pcsc import Carriage, PcscCard

UID = bytes.fromhex("04a1b2c3d4e580")
IDM = bytes.fromhex("012e4c1122334455")
STORAGE_ATR = "3b8f8001804f0ca000000306{standard:02x}{name:04x}0000000000"
CARRIAGES = {"ACS ACR1252 00 00": Carriage.DIRECT, "ACS ACR122U 00 00": Carriage.PN532, "SONY": Carriage.TRANSPARENT}


def transmit_to(tag: SoftTag, carriage: Carriage = Carriage.NONE) -> Transmit:
    card = PcscCard(tag, carriage)
    tag.reset()

    def transmit(apdu: bytes) -> bytes:
        answer = card.answer(apdu)
        assert answer is not None
        return answer

    return transmit


def text_message(text: str) -> bytes:
    return ndef_message(text=text) or b""


@pytest.mark.parametrize(
    ("standard", "name", "tag"),
    [
        (0x03, 0x0003, TagType.TYPE_2),
        (0x03, 0x003A, TagType.TYPE_2),
        (0x00, 0x0000, TagType.TYPE_2),
        (0x03, 0x0001, TagType.MIFARE_CLASSIC),
        (0x03, 0x0002, TagType.MIFARE_CLASSIC),
        (0x03, 0xFF88, TagType.MIFARE_CLASSIC),
        (0x03, 0x0030, TagType.TYPE_1),
        (0x03, 0xF004, TagType.TYPE_1),
        (0x11, 0x003B, TagType.TYPE_3),
        (0x03, 0xF011, TagType.TYPE_3),
        (0x11, 0x0000, TagType.TYPE_3),
    ],
)
def test_a_storage_card_is_what_its_standard_and_name_say(standard: int, name: int, tag: TagType) -> None:
    assert kind_of(bytes.fromhex(STORAGE_ATR.format(standard=standard, name=name))) == Kind(tag)


@pytest.mark.parametrize(
    "atr", [STORAGE_ATR.format(standard=0x0B, name=0x0014), "3b6500002063cb6800", "", "3b", "3f65"]
)
def test_contact_cards_and_vicinity_cards_are_of_no_use(atr: str) -> None:
    assert kind_of(bytes.fromhex(atr)) is None


@given(st.binary(max_size=40))
def test_any_atr_has_a_kind_or_none(atr: bytes) -> None:
    kind = kind_of(atr)
    assert kind is None or kind.tag is not None


def test_a_four_byte_number_under_an_atr_as_type_b_has_it_counts_only_with_an_answer_to_select() -> None:
    type_b_like = Kind(TagType.TYPE_4, iso_dep=True, historical_bytes=8)
    short_uid = bytes.fromhex("a1b2c3d4")
    has_ats = transmit_to(Type4Tag(short_uid, None))

    def has_none(apdu: bytes) -> bytes:
        return b"\x6a\x81" if apdu[2] == 0x01 else has_ats(apdu)

    assert read_number(has_ats, type_b_like) == short_uid
    assert read_number(has_none, type_b_like) is None
    assert read_number(transmit_to(Type4Tag(UID, None)), type_b_like) == UID


@given(st.text(min_size=1, max_size=200))
def test_text_on_a_type_2_tag_comes_back(text: str) -> None:
    message = text_message(text)
    assert read_type_2(transmit_to(Type2Tag(UID, message))) == message


@given(st.text(min_size=1, max_size=400))
def test_text_on_a_type_4_tag_comes_back(text: str) -> None:
    message = text_message(text)
    assert read_type_4(transmit_to(Type4Tag(UID, message))) == message


@pytest.mark.parametrize("reader", CARRIAGES)
@pytest.mark.parametrize("length", [1, 40, 55, 600])
def test_text_on_a_type_3_tag_comes_back_in_every_carriage(reader: str, length: int) -> None:
    message = text_message("x" * length)
    assert read_type_3(reader, transmit_to(Type3Tag(IDM, message), CARRIAGES[reader])) == message


def tag_with_memory(data: bytes) -> Type2Tag:
    tag = Type2Tag(UID, text_message("x" * 200))
    tag.memory = tag.memory[:16] + data + bytes(max(0, len(tag.memory) - 16 - len(data)))
    return tag


MESSAGE = text_message("おかえり")


@pytest.mark.parametrize(
    ("area", "message"),
    [
        (b"\x00\x00\x03%s%s\xfe", MESSAGE),
        (b"\x01\x03\xa0\x0c\x34\x03%s%s\xfe", MESSAGE),  # lock control, as NTAG213 has it
        (b"\x01\x03\xa0\x0c\x34\x02\x03\xb0\x02\x04\x03%s%s\xfe", MESSAGE),
        (b"\xfd\x04abcd\x03%s%s\xfe", MESSAGE),  # a proprietary TLV
        (b"\x03\xff\x00%s%s\xfe", MESSAGE),  # the longer length, where the shorter would do
        (b"\xfe\x03%s%s", None),
        (b"\x03\xff\x00", b""),
    ],
)
def test_what_stands_before_the_message_is_stepped_over(area: bytes, message: bytes | None) -> None:
    filled = area % (bytes([len(MESSAGE)]), MESSAGE) if b"%s" in area else area
    assert read_type_2(transmit_to(tag_with_memory(filled))) == message


def test_bytes_that_a_lock_control_tlv_reserves_within_the_data_are_not_part_of_the_message() -> None:
    # 16 lock bits, two bytes, at byte 16 * 2 + 0: in the middle of the message.
    area = b"\x01\x03\x20\x10\x04\x03" + bytes([len(MESSAGE)]) + MESSAGE
    area = area[:16] + b"\xaa\xbb" + area[16:]
    assert read_type_2(transmit_to(tag_with_memory(area))) == MESSAGE


def test_a_message_that_would_end_beyond_the_memory_is_none() -> None:
    tag = tag_with_memory(b"\x03\xff\x03\x00" + MESSAGE)
    assert read_type_2(transmit_to(tag)) is None


def test_a_type_2_tag_without_a_container_is_asked_no_further() -> None:
    tag = tag_with_memory(b"")
    tag.memory = bytes(len(tag.memory))
    assert read_type_2(transmit_to(tag)) is None


def test_a_type_4_card_whose_message_is_longer_than_its_file_has_none() -> None:
    tag = Type4Tag(UID, MESSAGE)
    tag.files[b"\xe1\x04"] = b"\x7f\xff" + MESSAGE
    assert read_type_4(transmit_to(tag)) is None


def test_a_type_4_card_whose_message_is_longer_than_its_container_allows_has_none() -> None:
    tag = Type4Tag(UID, MESSAGE)
    container = tag.files[b"\xe1\x03"]
    tag.files[b"\xe1\x03"] = container[:11] + len(MESSAGE).to_bytes(2, "big") + container[13:]
    assert read_type_4(transmit_to(tag)) is None


def test_a_felica_card_whose_message_is_longer_than_its_blocks_has_none() -> None:
    tag = Type3Tag(IDM, MESSAGE)
    tag.blocks[0] = tag.attribute_block(len(MESSAGE), 1)
    assert read_type_3("ACR1252", transmit_to(tag, Carriage.DIRECT)) is None


def test_a_transparent_session_is_ended_whatever_came_of_it() -> None:
    for message in (MESSAGE, None):
        card = PcscCard(Type3Tag(IDM, message), Carriage.TRANSPARENT)
        said: list[bytes] = []

        def transmit(apdu: bytes, card: PcscCard = card, said: list[bytes] = said) -> bytes:
            said.append(apdu)
            return card.answer(apdu) or b""

        read_type_3("SONY", transmit)
        assert said[-1] == bytes.fromhex("ffc20000028200")


def test_a_type_4_card_without_the_ndef_application_has_no_message() -> None:
    assert read_type_4(transmit_to(Type4Tag(UID, None))) is None


def test_a_type_4_card_that_must_not_be_read_has_no_message() -> None:
    tag = Type4Tag(UID, MESSAGE)
    container = bytearray(tag.files[b"\xe1\x03"])
    container[13] = 0x80
    tag.files[b"\xe1\x03"] = bytes(container)
    assert read_type_4(transmit_to(tag)) is None


@pytest.mark.parametrize("reader", CARRIAGES)
def test_a_felica_card_is_known_by_the_first_system_that_answers(reader: str) -> None:
    transmit = transmit_to(Type3Tag(IDM, MESSAGE), CARRIAGES[reader])
    other = b"\x11" + IDM[1:]
    assert identify(reader, transmit, IDM, (ANY_SYSTEM,)) == CardIdentity(Medium.FELICA_IDM, b"\x00\x03" + IDM)
    assert identify(reader, transmit, IDM, (0xFE00, 0x12FC)) == CardIdentity(Medium.FELICA_IDM, b"\x12\xfc" + other)
    assert identify(reader, transmit, IDM, (0xFE00,)) is None


def test_where_no_frame_gets_through_a_felica_card_has_the_list_of_its_systems_or_just_its_idm() -> None:
    listed = transmit_to(Type3Tag(IDM, MESSAGE), Carriage.SYSTEM_LIST)
    bare = transmit_to(Type3Tag(IDM, MESSAGE), Carriage.NONE)
    assert identify("Identiv", listed, IDM, (ANY_SYSTEM,)) == CardIdentity(Medium.FELICA_IDM, b"\x00\x03" + IDM)
    assert identify("Identiv", bare, IDM, (ANY_SYSTEM,)) == CardIdentity(Medium.FELICA_IDM, b"\xff\xff" + IDM)
    assert identify("Identiv", bare, IDM, (0xFE00,)) is None
    assert read_type_3("Identiv", bare) is None


@given(answers=st.lists(st.binary(min_size=2, max_size=48), min_size=1, max_size=30), ok=st.booleans())
@pytest.mark.parametrize(
    "read", [read_type_2, read_type_4, *(lambda t, name=name: read_type_3(name, t) for name in CARRIAGES)]
)
def test_whatever_a_card_answers_reading_ends_with_a_message_or_none(
    read: Callable[[Transmit], bytes | None], answers: list[bytes], ok: bool
) -> None:
    turns = iter(range(100_000))

    def transmit(apdu: bytes) -> bytes:
        number = next(turns)
        assert number < 70_000, "reading does not end"
        return answers[number % len(answers)] + (b"\x90\x00" if ok else b"")

    message = read(transmit)
    assert message is None or isinstance(message, bytes)
    with suppress(ndef.DecodeError):
        first_text(message or b"")
