"""Records: one line, one hash, one meaning."""

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.cards import CardForm, CardRef
from attendance.clock import ClockReading, ClockState
from attendance.errors import WireError
from attendance.records import (
    FIRST_PREV,
    AttendanceRecord,
    Body,
    ClockStepped,
    Direction,
    Head,
    JournalLine,
    MadeBy,
    Moved,
    SessionOpened,
    Undone,
    UnknownCard,
    kind_of,
    line_hash,
    read_line,
    write_line,
)
from tests.attendance.factories import KIOSK, SESSION, moved, reading

text = st.text(max_size=20)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
sequence = st.integers(0, 2**31 - 1)
sessions = st.text(min_size=1, max_size=36)
cards = st.builds(CardRef, card_hash=digests, form=st.sampled_from(CardForm))
bodies: st.SearchStrategy[Body] = st.one_of(
    st.builds(
        SessionOpened,
        boot=text,
        app=text,
        key=text,
        heads=st.lists(st.builds(Head, sessions, sequence, digests), max_size=3).map(tuple),
    ),
    st.builds(
        Moved,
        child=text,
        direction=st.sampled_from(Direction),
        by=st.sampled_from(MadeBy),
        card=st.none() | cards,
    ),
    st.builds(Undone, seq=sequence),
    st.builds(UnknownCard, card=cards),
    st.builds(ClockStepped, step_ms=st.integers(-(2**53), 2**53)),
)
readings = st.builds(
    ClockReading,
    wall_ms=st.integers(0, 2**47),
    wall_err_ms=st.none() | st.integers(0, 10**6),
    boot_ns=st.integers(0, 2**63 - 1),
    state=st.sampled_from(ClockState),
)
records = st.builds(
    AttendanceRecord,
    kiosk=text,
    session=sessions,
    seq=sequence,
    at=readings,
    body=bodies,
    prev=digests,
    v=st.just(1),
)


def a_record(*, body: Body | None = None, seq: int = 1) -> AttendanceRecord:
    return AttendanceRecord(kiosk=KIOSK, session=SESSION, seq=seq, at=reading(), body=body or moved(), prev=FIRST_PREV)


def rehashed(line: str) -> JournalLine:
    return JournalLine(line=line, hash=line_hash(line))


@given(records)
def test_a_record_survives_being_written_and_read(record: AttendanceRecord) -> None:
    assert read_line(write_line(record)) == record


@given(records)
def test_the_line_is_sorted_compact_json_and_the_hash_is_of_its_utf8(record: AttendanceRecord) -> None:
    stored = write_line(record)
    loose = msgspec.json.decode(stored.line.encode())
    assert stored.line.encode() == msgspec.json.encode(loose, order="sorted")
    assert stored.hash == hashlib.sha256(stored.line.encode()).hexdigest()


def test_the_body_says_its_kind_in_the_line() -> None:
    for body in (
        SessionOpened(boot="b", app="a", key="k", heads=()),
        moved(),
        Undone(seq=1),
        UnknownCard(card=CardRef("0" * 64, CardForm.UID)),
        ClockStepped(step_ms=-1),
    ):
        line = msgspec.json.decode(write_line(a_record(body=body)).line.encode())
        assert line["body"]["kind"] == kind_of(body)


def test_any_changed_character_breaks_the_hash() -> None:
    stored = write_line(a_record())
    for place in range(len(stored.line)):
        changed = stored.line[:place] + chr(ord(stored.line[place]) ^ 1) + stored.line[place + 1 :]
        with pytest.raises(WireError, match="hash"):
            read_line(JournalLine(changed, stored.hash))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"kind":"movement"', '"kind":"sneeze"'),
        ('"kind":"movement"', '"kind":"undo"'),
        ('"direction":"entry"', '"direction":"sideways"'),
        ('"v":1', '"v":2'),
        ('"seq":1', '"seq":-1'),
        ('"seq":1', '"seq":1.0'),
        ('"seq":1', '"seq":2147483648'),
        ('"seq":1', '"seq":1,"seq":1'),
        ('"seq":1', '"seq": 1'),
        ('"seq":1', '"seq":1,"sex":"f"'),
        ('"wall_ms":1775012400000', '"wall_ms":99999999999999999999'),
        ('"wall_ms":1775012400000', '"wall_ms":-1'),
        (f'"session":"{SESSION}"', '"session":""'),
        (f'"session":"{SESSION}"', f'"session":"{"s" * 37}"'),
        (f'"session":"{SESSION}"', '"session":"\\u0073"'),
        ("{", "[" * 100_000),
    ],
)
def test_a_line_that_is_well_hashed_but_not_understood_is_a_wire_error(old: str, new: str) -> None:
    line = write_line(a_record()).line
    assert old in line
    with pytest.raises(WireError, match="journal line"):
        read_line(rehashed(line.replace(old, new, 1)))


def test_text_that_is_not_utf8_is_a_wire_error() -> None:
    with pytest.raises(WireError):
        read_line(JournalLine("\ud800", "0" * 64))
