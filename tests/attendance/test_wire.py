"""The wire: bytes that never change, and what is made of everything else that arrives."""

import inspect
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance import wire
from attendance.chain import verify
from attendance.errors import WireError
from attendance.names import SealedNames
from attendance.policy import Policy
from attendance.presence import Movement
from attendance.records import JournalLine, line_hash, read_line, write_line
from attendance.roster import DisplayName
from attendance.wire import EnrolResponse, EntriesRequest, OfferResponse, Receipt, StateResponse, decode, encode
from tests.attendance.wire_examples import LINES, MESSAGES, RECORDS

GOLDENS = Path(__file__).parents[1] / "goldens" / "wire"
PARTS = {"Heard", "Health", "KioskNow", "PresencePart", "Problem", "RosterPart", "Want"}
HTML = b"<!doctype html><title>Welcome to Station Wi-Fi</title>"


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_is_written_as_its_golden_and_read_back(name: str) -> None:
    golden, message = (GOLDENS / f"{name}.json").read_bytes(), MESSAGES[name]
    assert encode(message) == golden
    assert decode(golden, type(message)) == message


@pytest.mark.parametrize("name", LINES)
def test_a_journal_line_is_written_as_its_golden_and_read_back(name: str) -> None:
    golden, (record, _) = (GOLDENS / f"{name}.json").read_text(encoding="utf-8"), LINES[name]
    assert write_line(record).line == golden
    assert read_line(JournalLine(golden, line_hash(golden))) == record


def test_every_message_there_is_has_a_golden_and_no_golden_is_left_over() -> None:
    structs = {
        name
        for name, kind in inspect.getmembers(wire, inspect.isclass)
        if kind.__module__ == wire.__name__ and issubclass(kind, msgspec.Struct)
    }
    assert {type(message).__name__ for message in MESSAGES.values()} == structs - PARTS
    assert {path.stem for path in GOLDENS.glob("*.json")} == {*MESSAGES, *LINES}


def test_the_goldens_of_lines_are_one_session() -> None:
    head = verify(line for _, line in RECORDS)
    assert head is not None
    assert head.hash == "05a000cc90fa269df67ce513dc7f1766041e6f92419b69fcb532167fdfd32178"


@pytest.mark.parametrize("name", MESSAGES)
def test_a_field_from_a_later_version_is_ignored(name: str) -> None:
    message = MESSAGES[name]
    loose = msgspec.json.decode(encode(message))
    loose["from_a_later_version"] = {"deep": [1]}
    assert decode(msgspec.json.encode(loose), type(message)) == message


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b'"ok"', HTML, b"\xff\xfe", b'{"x":' + b"[" * 200_000, b'{"session":"\\ud800"}', b'{"a":1'],
)
def test_what_is_not_the_message_is_a_wire_error(name: str, body: bytes) -> None:
    kind = type(MESSAGES[name])
    with pytest.raises(WireError, match=kind.__name__):
        decode(body, kind)


@given(st.binary(max_size=300))
def test_no_body_makes_decoding_fail_in_another_way(body: bytes) -> None:
    try:
        decode(body, OfferResponse)
    except WireError:
        return
    raise AssertionError


@pytest.mark.parametrize(
    "body",
    [
        b'{"session":"","from_seq":0,"entries":[]}',
        b'{"session":"s","from_seq":-1,"entries":[]}',
        b'{"session":"s","from_seq":4294967296,"entries":[]}',
        b'{"session":"s","from_seq":0,"entries":[{"line":"x"}]}',
    ],
)
def test_numbers_and_ids_beyond_what_can_be_stored_are_a_wire_error(body: bytes) -> None:
    with pytest.raises(WireError):
        decode(body, EntriesRequest)


def test_500_entries_of_a_kibibyte_fit_into_a_request() -> None:
    line = JournalLine(line="\\" * 512, hash="0" * 64)
    request = EntriesRequest(session="s", from_seq=0, entries=(line,) * 500)
    assert len(encode(request)) < wire.MAX_BODY_BYTES / 3


def test_secrets_do_not_show() -> None:
    enrolled, state = MESSAGES["enrol_response"], MESSAGES["state_response"]
    assert isinstance(enrolled, EnrolResponse)
    assert isinstance(state, StateResponse)
    assert repr(enrolled.uid_key) not in repr(enrolled)
    assert repr(state.names_key) not in repr(state)


def test_a_query_for_news_names_what_the_kiosk_has() -> None:
    query = wire.state_query(roster_version="7", presence_version="", boot="b0")
    assert dict(query) == {"roster": "7", "presence": "", "boot": "b0"}


def test_an_older_peer_may_leave_out_what_has_a_default() -> None:
    assert decode(b'{"session":"s","through":0,"hash":"h"}', Receipt).quarantined == ()
    assert msgspec.json.decode(b"{}", type=Policy) == Policy()
    assert msgspec.json.decode(b'{"nonce":"","box":""}', type=SealedNames) == SealedNames(b"", b"")
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b"{}", type=DisplayName)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b"{}", type=Movement)
