"""docs/protocol.md says everything that an implementer in another language needs, and says it as it is."""

import inspect
import json
import re
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attendance import wire
from attendance.clock import ClockReading, ClockState
from attendance.policy import Policy, WayMode
from attendance.records import AttendanceRecord, Direction, MadeBy
from attendance.signatures import TAG, sign
from attendance.wire import DoorProblem, ErrorCode, SyncProblem
from tests.attendance.wire_examples import LINES, MESSAGES

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json\n(.*?)\n```", DOCUMENT, re.DOTALL)
GOLDENS = ROOT / "tests" / "goldens" / "wire"
MESSAGE_NAMES = sorted({type(message).__name__ for message in MESSAGES.values()})


def named(*words: str) -> set[str]:
    """The words that the document does not name as code."""
    return {word for word in words if not re.search(rf'[`"./]{re.escape(word)}[`"\s(:?]', DOCUMENT)}


def test_every_message_is_named() -> None:
    assert named(*MESSAGE_NAMES) == set()


def test_every_path_is_named() -> None:
    paths = [value for name, value in inspect.getmembers(wire) if name.endswith("_PATH")]
    assert len(paths) == 4
    assert [path for path in paths if path not in DOCUMENT] == []


@pytest.mark.parametrize("codes", [ErrorCode, DoorProblem, SyncProblem, ClockState, Direction, MadeBy, WayMode])
def test_every_code_is_named(codes: type[StrEnum]) -> None:
    assert named(*codes) == set()


def test_every_field_is_named() -> None:
    structs: list[type[msgspec.Struct]] = [AttendanceRecord, ClockReading, Policy]
    structs += [kind for _, kind in inspect.getmembers(wire, inspect.isclass) if issubclass(kind, msgspec.Struct)]
    fields = {field.name for kind in structs for field in msgspec.structs.fields(kind)}
    assert len(fields) > 40
    assert named(*fields) == set()


@pytest.mark.parametrize("name", MESSAGES)
def test_every_golden_message_is_an_example(name: str) -> None:
    golden = json.loads((GOLDENS / f"{name}.json").read_bytes())
    assert golden in [json.loads(example) for example in EXAMPLES]


@pytest.mark.parametrize("name", LINES)
def test_every_golden_line_is_an_example_to_the_byte(name: str) -> None:
    assert (GOLDENS / f"{name}.json").read_text(encoding="utf-8") in EXAMPLES


def test_the_example_of_a_signature_is_what_the_code_makes() -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    target = "/kiosk/v1/state?roster=7&presence=&boot=b0"
    headers = sign(
        "POST", target, b'{"heads":[]}', key=key, created=datetime(2026, 4, 1, 3, 0, tzinfo=UTC), nonce="n-1"
    )
    assert TAG in DOCUMENT
    for name, value in headers.items():
        assert f"{name}: {value}\n" in DOCUMENT
