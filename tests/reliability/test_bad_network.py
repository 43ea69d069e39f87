"""Sync against a real server over a bad network: what is not so is not believed, nothing is lost, nobody hurries."""

from collections.abc import Iterator

import pytest

from bench.bad_network import (
    HARM_STEPS,
    HARMS,
    MIXED_STEPS,
    MOST_REQUESTS_A_MINUTE,
    Bench,
    believing_sync,
    bench,
    mixed,
)
from bench.fault_proxy import Harm
from bench.two_doors import go_through_bad_networks

BAD_S = 3.0


@pytest.fixture(scope="module")
def line() -> Iterator[Bench]:
    with bench() as made:
        yield made


@pytest.mark.xdist_group("bad network")
@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.name.lower())
def test_a_bad_network_costs_time_and_nothing_else(line: Bench, harm: Harm) -> None:
    suffered = line.suffer([harm] * HARM_STEPS)
    assert suffered.clean, suffered
    assert suffered.requests_a_minute <= MOST_REQUESTS_A_MINUTE, suffered


@pytest.mark.xdist_group("bad network")
@pytest.mark.parametrize("seed", [1, 2])
def test_one_harm_after_another_costs_time_and_nothing_else(line: Bench, seed: int) -> None:
    suffered = line.suffer(mixed(MIXED_STEPS // 2, seed=seed))
    assert suffered.clean, suffered


def test_a_sync_that_takes_any_200_for_an_acknowledgement_loses_entries() -> None:
    with bench(believing_sync) as made:
        assert made.suffer([Harm.NONE] * HARM_STEPS).lost == 0
        assert made.suffer([Harm.PORTAL] * HARM_STEPS).lost > 0


def test_two_kiosks_bring_everything_through_bad_networks_once() -> None:
    requests, _, account = go_through_bad_networks(BAD_S, revive=True)
    assert account.clean, account
    assert requests > 0
    assert account.acknowledged > 0
