"""Two real kiosks and the real server in any order of events: nothing is lost, doubled or invented."""

import random

from bench.sync_model.machine import try_out

EXAMPLES_OVER_HTTP = 8
EXAMPLES_STRAIGHT = 16
EXAMPLES_ON_POSTGRESQL = 4
STEPS = 15


def test_whatever_happens_between_kiosks_and_server_over_http_ends_well() -> None:
    outcome = try_out(EXAMPLES_OVER_HTTP, sockets=True, seed=random.randrange(10**6), steps=STEPS)
    assert outcome.fault == ""
    assert outcome.examples >= EXAMPLES_OVER_HTTP
    assert outcome.acknowledged > outcome.examples


def test_whatever_happens_between_kiosks_and_server_without_sockets_ends_well() -> None:
    outcome = try_out(EXAMPLES_STRAIGHT, sockets=False, seed=random.randrange(10**6), steps=STEPS)
    assert outcome.fault == ""
    assert outcome.examples >= EXAMPLES_STRAIGHT


def test_whatever_happens_ends_well_on_postgresql_too() -> None:
    outcome = try_out(EXAMPLES_ON_POSTGRESQL, sockets=False, postgresql=True, seed=random.randrange(10**6), steps=STEPS)
    assert outcome.fault == ""
    assert outcome.acknowledged > outcome.examples >= EXAMPLES_ON_POSTGRESQL
