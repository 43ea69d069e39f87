"""Each way to break the protocol is found out by what the machine checks; the same events end well without it."""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from bench.sync_model.events import EVENTS, live
from bench.sync_model.machine import Ground, ground
from bench.sync_model.mutants import MUTANTS


@pytest.fixture(scope="module")
def on() -> Iterator[Ground]:
    with ground(sockets=False) as made:
        yield made


def test_every_mutant_has_events_that_it_shows_in() -> None:
    assert EVENTS.keys() == MUTANTS.keys()


@pytest.mark.parametrize("name", EVENTS)
def test_a_broken_rule_of_the_protocol_is_found_out(on: Ground, name: str) -> None:
    with pytest.raises(AssertionError):
        live(on, EVENTS[name], MUTANTS[name])


@pytest.mark.parametrize("name", EVENTS)
def test_the_same_events_end_well_when_nothing_is_broken(on: Ground, name: str) -> None:
    live(on, EVENTS[name], nullcontext)
