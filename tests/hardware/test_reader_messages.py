from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.reader import Medium, RawRead, TagType
from hardware.reader_messages import LONGEST_BYTES, Alive, Ended, Lost, Message, Missing, Opened, Read, decode, encode

raws = st.builds(
    RawRead,
    medium=st.sampled_from(Medium),
    payload=st.binary(max_size=300),
    reader=st.text(max_size=32),
    read_at_ns=st.integers(0, 2**63 - 1),
    tag=st.none() | st.sampled_from(TagType),
)
messages = st.one_of(
    st.builds(Opened, silence_s=st.none() | st.floats(0, 1e6)),
    st.builds(Read, raw=raws),
    st.builds(Alive),
    st.builds(Ended),
    st.builds(Lost, reason=st.text()),
    st.builds(Missing, driver=st.text(), remedy=st.text()),
)


@given(messages)
def test_a_message_crosses_whole_and_on_one_line(message: Message) -> None:
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line.removesuffix(b"\n")) == message


@given(st.binary(max_size=200) | st.builds(lambda message, cut: encode(message)[:cut], messages, st.integers(0, 20)))
def test_what_is_no_message_is_refused_without_being_quoted(line: bytes) -> None:
    with suppress(msgspec.DecodeError):  # Hypothesis may well come upon a message
        msgspec.json.decode(line, type=Message)
        return
    with pytest.raises(ValueError, match=r"^not a message of a reader's process$"):
        decode(line)


@pytest.mark.parametrize(
    "line", [b"", b'{"type":' * 5000, b"{}", b"[]", b'{"type":"opened"}', b'{"type":"read","raw":{}}', b"\xff\xfe"]
)
def test_half_a_message_is_none(line: bytes) -> None:
    with pytest.raises(ValueError, match="not a message"):
        decode(line)


def test_the_largest_text_of_a_tag_fits_in_a_line() -> None:
    raw = RawRead(Medium.NFC_TEXT, b"\xff" * 100_000, "door", 2**63 - 1, TagType.TYPE_4)
    assert len(encode(Read(raw))) < LONGEST_BYTES
