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
from collections.abc import Callable
from contextlib import suppress

from bench.account import Account, close_account, has_settled, take_stock
from bench.figure import Row, measured
from bench.house import House, Part, house

CYCLES = 5_000
QUICK_CYCLES = 150
CYCLES_A_HOUSE = 200
"""Then a new one is set up: journals grow no longer than a day's."""
CONTROL_CYCLES = 40
STOCK_EVERY = 10
_LONGEST_WAIT_S = 0.02
_MAIL_S = 5.0


def kill_again_and_again(
    cycles: int,
    *,
    seed: int = 1,
    door_mutant: str = "",
    dispatcher_mutant: str = "",
    longest_s: float = math.inf,
) -> tuple[int, Account]:
    """Open a house, kill in it, let it settle, and return how often was killed and what came of it.

    Mutants are named in bench.mutants; a part that is one is killed each time.
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
        _settle(open_house)
        close_account(open_house, account)
    return done, account


def _settle(open_house: House) -> None:
    """Start everything once more, so that nobody sits out a wait, and give all that is under way time to arrive."""
    for part in open_house.parts:
        part.kill()
        part.start()
    open_house.wait_until(_seldom(lambda: has_settled(open_house)), "everything arrives and every notice is sent")


def _seldom(question: Callable[[], bool], every_s: float = 0.1) -> Callable[[], bool]:
    """Ask a costly question only now and then."""
    next_s = 0.0

    def asked() -> bool:
        nonlocal next_s
        if time.monotonic() < next_s:
            return False
        answer = question()
        next_s = time.monotonic() + every_s
        return answer

    return asked


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
        victims += [part for part in parts if part.mutant and part not in victims]
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
        signs: list[Callable[[], int]] = [self._answers, lambda: house.proxy.requests, lambda: house.mailbox.begun]
        sign, more, longest_s = self._chance.choice(signs), self._chance.choice((0, 1, 1, 2)), self._chance.random() / 2
        if house.dispatcher.mutant:  # which shows between a mail's arrival and the answer only
            sign, more, longest_s = signs[-1], 1, _MAIL_S
        before, until_s = sign(), time.monotonic() + longest_s
        while sign() - before < more and time.monotonic() < until_s:
            time.sleep(0.001)
            house.look()
        time.sleep(self._chance.uniform(0, _LONGEST_WAIT_S))

    def _answers(self) -> int:
        return sum(len(kiosk.recorded) for kiosk in self._house.kiosks)

    def _kill(self, victim: Part) -> None:
        processes = victim.processes()
        if len(processes) == 1 or self._chance.random() < 0.5:
            victim.kill()
            return
        with suppress(ProcessLookupError):
            os.kill(self._chance.choice(processes), signal.SIGKILL)


def rows(*, quick: bool, longest_s: float = 900.0) -> list[Row]:
    """Measure: kill until there were enough cycles or the time is over, then the controls."""
    account, done = Account(), 0
    began_s = time.monotonic()
    wanted = QUICK_CYCLES if quick else CYCLES
    longest_s = 15.0 if quick else longest_s
    houses = 0
    while done < wanted and (left_s := began_s + longest_s - time.monotonic()) > 0:
        houses += 1
        cycles, found = kill_again_and_again(min(CYCLES_A_HOUSE, wanted - done), seed=houses, longest_s=left_s)
        done, account = done + cycles, account + found
    for example in account.examples:
        print(example)
    name = "kill -9 of door, sync, server, dispatcher"
    figures = [
        measured(f"{name}: cycles", done, "cycles", bar=None if quick else CYCLES, better="higher"),
        measured(f"{name}: time", round(time.monotonic() - began_s), "s"),
        measured(f"{name}: acknowledged", account.acknowledged, "entries"),
        measured(f"{name}: lost", account.lost, "", bar=0),
        measured(f"{name}: doubled", account.doubled, "", bar=0),
        measured(f"{name}: wrong", account.wrong, "", bar=0),
        measured(f"{name}: notices that came again under their Message-ID", account.repeated, "mails"),
    ]
    return figures + _controls(10 if quick else CONTROL_CYCLES)


def _controls(cycles: int) -> list[Row]:
    _, door = kill_again_and_again(cycles, door_mutant="commit_in_batches")
    _, dispatcher = kill_again_and_again(cycles, dispatcher_mutant="mark_before_sending")
    return [
        measured("kill -9, door that commits in batches: lost", door.lost, "entries", bar=0, control=True),
        measured("kill -9, dispatcher that marks first: lost", dispatcher.lost, "notices", bar=0, control=True),
    ]
