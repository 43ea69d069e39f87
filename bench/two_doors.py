"""Two kiosks at a site, as processes: how soon a child of one door is known at the other, and bad networks."""

import random
import time
from contextlib import closing

from attendance.presence import movement_id
from bench.account import Account, close_account, has_settled, take_stock
from bench.bad_network import HARMS
from bench.fault_proxy import Harm
from bench.figure import Counts, Row, measured, percentile, proved
from bench.house import house
from bench.parts import Kiosk
from kiosk.roster_cache import RosterCache
from kiosk.sync import SHARED_INTERVAL_S

SHARED_WITHIN_S = 2.0
USUAL_INTERVAL_S = 2.0
TAPS, QUICK_TAPS = 60, 8
BAD_S, QUICK_BAD_S = 60.0, 8.0


def shared_after_s(taps: int, *, seed: int = 1) -> list[float]:
    """Let children come by one door at moments at random, and return how long each time the other took to know."""
    chance, waits = random.Random(seed), []
    with house(kiosks=2, interval_s=USUAL_INTERVAL_S) as open_house:
        here, there = open_house.kiosks
        open_house.settle(lambda: _knows_of_both(there), revive=False)
        with closing(RosterCache.open(there.data / "cache.db", read_only=True)) as cache:

            def known() -> set[str]:
                told = cache.presence()
                return set() if told is None else {each.id for each in told.movements}

            for number in range(taps):
                time.sleep(chance.uniform(0, SHARED_INTERVAL_S))
                before = set(here.recorded)
                open_house.tap(here, number)
                open_house.wait_until(lambda before=before: set(here.recorded) > before, "an answer")  # type: ignore[misc]
                answered_s = time.monotonic()
                (key,) = set(here.recorded) - before
                open_house.wait_until(lambda key=key: movement_id(*key) in known(), "the other door knows")  # type: ignore[misc]
                waits.append(time.monotonic() - answered_s)
    return waits


def go_through_bad_networks(longest_s: float, *, seed: int = 1, revive: bool = False) -> tuple[int, int, Account]:
    """Let children come by both doors while three requests in four come to harm; then let all arrive.

    With `revive` nobody sits out a long wait then. Returns how many requests there were, how many of them in the
    busiest ten seconds, and what came of it.
    """
    chance, account = random.Random(seed), Account()
    with house(kiosks=2) as open_house:
        proxy, until_s, child = open_house.proxy, time.monotonic() + longest_s, 0
        proxy.next_harm = lambda: Harm.NONE if chance.random() < 0.25 else chance.choice(HARMS)
        first = proxy.requests
        marks = [(time.monotonic(), first)]
        while time.monotonic() < until_s:
            for kiosk in open_house.kiosks:
                open_house.tap(kiosk, child)
                child += 1
            time.sleep(chance.uniform(0.2, 0.8))
            take_stock(open_house, account)
            marks.append((time.monotonic(), proxy.requests))
        requests = proxy.requests - first
        proxy.next_harm = lambda: Harm.NONE
        open_house.settle(lambda: has_settled(open_house), revive=revive)
        close_account(open_house, account)
    busiest = max(after - before for at_s, before in marks for later_s, after in marks if 0 <= later_s - at_s <= 10.0)
    return requests, busiest, account


def rows(*, quick: bool) -> list[Row]:
    """Measure both."""
    waits = shared_after_s(QUICK_TAPS if quick else TAPS)
    requests, busiest, account = go_through_bad_networks(QUICK_BAD_S if quick else BAD_S, revive=quick)
    for example in account.examples:
        print(example)
    counts = Counts(requests, account.acknowledged, account.lost, account.doubled, account.wrong)
    return [
        proved("two kiosks as processes, three requests in four harmed", counts),
        measured("two kiosks, harmed: requests in the busiest 10 s", busiest, "requests", bar=60),
        measured("a child of one door known at the other, half of them", percentile(waits, 0.5), "s"),
        measured("a child of one door known at the other, slowest", max(waits), "s", bar=SHARED_WITHIN_S),
    ]


def _knows_of_both(kiosk: Kiosk) -> bool:
    with closing(RosterCache.open(kiosk.data / "cache.db", read_only=True)) as cache:
        return cache.policy().kiosks_at_site > 1
