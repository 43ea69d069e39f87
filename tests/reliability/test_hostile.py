"""Spoilt inputs of every kind: refused in the one way that is declared, and what comes after them is taken."""

import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from attendance.policy import Policy
from bench.hostile import PROBE_EVERY, feed
from bench.hostile_parts import Part, parts
from bench.hostile_seeds import CARDS, NDEF_MESSAGES
from bench.mutations import LONGEST_BYTES, Spoiler
from hardware.reader import Medium
from kiosk.answer import AnswerKind
from kiosk.consumer import Consumer
from tests.kiosk.door_parts import HANAS_TOKEN, door_rig

INPUTS = {
    "cards": 6000,
    "NDEF messages": 3000,
    "NFC tags through PC/SC": 1500,
    "wire messages": 3000,
    "journal lines": 2500,
    "key events": 1000,
    "messages of a reader's process": 2500,
    "Motion JPEG": 1000,
    "kiosk.toml": 200,
    "server.toml": 200,
    "signed requests": 60,
}
"""More than 20,000 in every run, with those at the door."""
AT_THE_DOOR = 300
MOST_BYTES = 8_000_000


@pytest.fixture(scope="module")
def all_parts() -> Iterator[dict[str, Part]]:
    with parts() as made:
        yield made


def test_no_part_is_left_out(all_parts: dict[str, Part]) -> None:
    assert all_parts.keys() == INPUTS.keys()
    assert sum(INPUTS.values()) + AT_THE_DOOR > 20_000


@pytest.mark.parametrize("name", INPUTS)
def test_spoilt_inputs_are_refused_and_sound_ones_taken_after_them(all_parts: dict[str, Part], name: str) -> None:
    eaten = feed(all_parts[name], INPUTS[name], seed=random.randrange(10**6))
    assert (eaten.crashes, eaten.blocked) == (0, 0), eaten.examples
    assert eaten.refused > 0 or not all_parts[name].refuses


def test_spoilt_inputs_take_no_memory_with_them(all_parts: dict[str, Part]) -> None:
    part = all_parts["Motion JPEG"]
    feed(part, PROBE_EVERY, seed=1)
    tracemalloc.start()
    try:
        feed(part, 4 * PROBE_EVERY, seed=2)
        held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert max(held, most) < MOST_BYTES


def test_a_door_answers_every_spoilt_card_and_the_child_after_it(tmp_path: Path) -> None:
    spoiler = Spoiler([*CARDS, HANAS_TOKEN.text.encode(), *NDEF_MESSAGES], seed=random.randrange(10**6))
    with door_rig(tmp_path, policy=Policy(repeat_window_s=0)) as rig:
        for number in range(AT_THE_DOOR):
            medium = list(Medium)[number % len(Medium)]
            answer = rig.door.handle(rig.read(payload=spoiler.next(), medium=medium))
            assert answer.kind is not AnswerKind.BROKEN
            if number % 20 == 0:
                assert rig.tap().kind in (AnswerKind.IN, AnswerKind.OUT)


def test_a_queue_of_spoilt_cards_holds_up_nobody(tmp_path: Path) -> None:
    spoiler = Spoiler(CARDS, seed=random.randrange(10**6))
    with door_rig(tmp_path, policy=Policy(repeat_window_s=0)) as rig:
        consumer = Consumer(rig.door, [], rig.shown)
        consumer.start()
        for _ in range(100):
            consumer.take(rig.read(payload=spoiler.next()))
        consumer.take(rig.read(HANAS_TOKEN))
        consumer.stop()
        assert rig.shown.answers[-1].kind is AnswerKind.IN


def test_a_part_that_crashes_or_blocks_is_found_out() -> None:
    def crash(data: bytes) -> None:
        if b"\xff" in data:
            raise KeyError(data)

    eaten = feed(Part(CARDS, crash, (ValueError,), lambda: False), PROBE_EVERY, seed=1)
    assert eaten.crashes > 0
    assert eaten.blocked == 1


def test_what_is_spoilt_differs_and_stays_small() -> None:
    spoiler = Spoiler(CARDS, seed=3)
    drawn = [spoiler.next() for _ in range(2000)]
    assert len(set(drawn)) > 1500
    assert max(map(len, drawn)) <= LONGEST_BYTES
