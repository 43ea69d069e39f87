"""Kills the real processes of the line at random moments, again and again, and counts what that lost.

A moment is drawn between two things that happen: so many answers, requests or mails later, and then some milliseconds.
Who is killed is drawn too: one or several of door, sync, server and dispatcher, each with all its processes or, of the
server, only one of them. What was killed is started again at once, and children go on holding cards to the reader.
"""

import math
import os
import random
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress

from sqlalchemy import func, select

from bench.account import Account, close_account, has_settled, take_stock
from bench.figure import Counts, Row, proved
from bench.house import House, Patience, house
from bench.parts import Part
from server.store.engine import using_store
from server.store.tables import delivery

CYCLES = 5_000
QUICK_CYCLES = 200
QUICK_S = 15.0
CORES = 2
CYCLES_A_HOUSE = 100
"""Then a new one is set up: journals grow no longer than a day's."""
CONTROL_CYCLES = 10
STOCK_EVERY = 10
_LONGEST_WAIT_S = 0.02
_MAIL_S = 30.0


def kill_again_and_again(
    cycles: int,
    *,
    seed: int = 1,
    door_mutant: str = "",
    dispatcher_mutant: str = "",
    longest_s: float = math.inf,
) -> tuple[int, Account]:
    """Open a house, kill in it, let it settle, and return how often was killed and what came of it.

    Mutants are named in bench.mutants; then only the part that is one is killed.
    """
    account, until_s = Account(), time.monotonic() + longest_s
    with house(door_mutant=door_mutant, dispatcher_mutant=dispatcher_mutant) as open_house:
        killer = _Killer(open_house, random.Random(seed))
        done = 0
        while done < cycles and time.monotonic() < until_s:
            killer.kill_once()
            done += 1
            if done % STOCK_EVERY == 0:
                take_stock(open_house, account)
        try:
            open_house.settle(lambda: has_settled(open_house))
        except Patience as error:
            account.count("wrong", [str(error)], f"seed {seed}")
        close_account(open_house, account)
    return done, account


class _Killer:
    """Draws moments and victims."""

    def __init__(self, open_house: House, chance: random.Random) -> None:
        self._house = open_house
        self._chance = chance
        self._child = 0

    def kill_once(self) -> None:
        """Let the line go on for a moment, kill, and start again what is dead."""
        self._tap()
        self._await_moment()
        parts = self._house.parts
        victims = self._chance.sample(parts, self._chance.choice((1, 1, 1, 2, 2, 3, len(parts))))
        victims = [part for part in parts if part.mutant] or victims
        self._chance.shuffle(victims)
        for victim in victims:
            self._kill(victim)
        for part in parts:
            part.revive()

    def _tap(self) -> None:
        for kiosk in self._house.kiosks:
            for _ in range(self._chance.choice((1, 1, 2, 3))):
                self._house.tap(kiosk, self._child)
                self._child += 1
            if self._chance.random() < 0.1:
                kiosk.take_back()

    def _await_moment(self) -> None:
        house = self._house
        signs = (self._answers, lambda: house.proxy.requests, lambda: house.mailbox.begun)
        sign, more, longest_s = self._chance.choice(signs), self._chance.choice((0, 1, 1, 2)), self._chance.random() / 2
        if house.dispatcher.mutant:  # which shows between its mark and the mail only
            sign, more, longest_s = self._marked, 1, _MAIL_S
        before, until_s = sign(), time.monotonic() + longest_s
        while sign() - before < more and time.monotonic() < until_s:
            time.sleep(0.001)
            house.look()
        if not house.dispatcher.mutant:
            time.sleep(self._chance.uniform(0, _LONGEST_WAIT_S))

    def _marked(self) -> int:
        """How many notices are marked as sent."""
        with using_store(self._house.store_url) as store, store.read() as conn:
            sent = select(func.count()).select_from(delivery).where(delivery.c.state == "sent")
            return int(conn.execute(sent).scalar_one())

    def _answers(self) -> int:
        return sum(len(kiosk.recorded) for kiosk in self._house.kiosks)

    def _kill(self, victim: Part) -> None:
        processes = victim.processes()
        if len(processes) == 1 or self._chance.random() < 0.5:
            victim.kill()
            return
        with suppress(ProcessLookupError):
            os.kill(self._chance.choice(processes), signal.SIGKILL)


def rows(*, quick: bool, longest_s: float = math.inf) -> list[Row]:
    """Measure, two houses at a time, until there were enough cycles or the time is over; then the controls."""
    began_s = time.monotonic()
    wanted, longest_s = (QUICK_CYCLES, min(longest_s, QUICK_S)) if quick else (CYCLES, longest_s)
    houses = range(math.ceil(wanted / CYCLES_A_HOUSE))
    with ProcessPoolExecutor(CORES) as pool:
        shares = [pool.submit(_share, seed, began_s + longest_s) for seed in houses]
        done = [share.result() for share in shares]
    account = sum((found for _, found in done), start=Account())
    print(
        f"kill -9: {sum(cycles for cycles, _ in done)} cycles in {time.monotonic() - began_s:.0f} s, "
        f"{account.repeated} notices came again under the same Message-ID"
    )
    door = kill_again_and_again(CONTROL_CYCLES, door_mutant="commit_in_batches")
    dispatcher = kill_again_and_again(CONTROL_CYCLES, dispatcher_mutant="mark_before_sending")
    return [
        _row("kill -9 of door, sync, server, dispatcher", sum(cycles for cycles, _ in done), account),
        _row("a door that commits in batches", *door, control=True),
        _row("a dispatcher that marks before it sends", *dispatcher, control=True),
    ]


def _share(seed: int, until_s: float) -> tuple[int, Account]:
    """Kill in one house, if there is time; the monotonic clock is the same in all processes."""
    left_s = until_s - time.monotonic()
    return kill_again_and_again(CYCLES_A_HOUSE, seed=seed, longest_s=left_s) if left_s > 0 else (0, Account())


def _row(fault: str, cycles: int, account: Account, *, control: bool = False) -> Row:
    if not control:
        for example in account.examples:
            print(example)
    return proved(
        fault, Counts(cycles, account.acknowledged, account.lost, account.doubled, account.wrong), control=control
    )
