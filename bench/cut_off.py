"""A site whose network goes down and whose server's name is not found, for real, in a network namespace of its own.

Everything runs in there: `ip link set lo down` cuts every connection without a word to either side, and a hosts file of
its own knows the server's name or does not. Run by `cut_off` as `python -m bench.cut_off ROUNDS`, which prints JSON.
"""

import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from bench.account import Account, close_account, has_settled, take_stock
from bench.figure import Counts, Row, measured, proved
from bench.house import House, house
from bench.warm_start import ROOT

NAME = "server.test"
FAULT = "network down, server's name not found"
ROUNDS, QUICK_ROUNDS = 20, 2
_CUT_S = 3.0
_HOSTS = Path("/etc/hosts")
_LOOKUP = Path("/etc/nsswitch.conf")


class NoNamespace(Exception):
    """This machine gives us no namespaces of our own; the text is what `unshare` said."""


def cut_off(rounds: int) -> Account:
    """Cut the network and lose the name that many times each, in namespaces of our own. Raises: NoNamespace."""
    command = ["unshare", "--mount", "--net", sys.executable, "-m", "bench.cut_off", str(rounds)]
    if os.geteuid() != 0:
        command.insert(1, "--map-root-user")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise NoNamespace(done.stderr)
    return Account(**json.loads(done.stdout.splitlines()[-1]))


def rows(*, quick: bool) -> list[Row]:
    """Measure, where this machine gives us namespaces."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    try:
        account = cut_off(rounds)
    except NoNamespace as error:
        print(f"{FAULT}: {error}")
        return [measured(FAULT, None, "", bar=0)]
    for example in account.examples:
        print(example)
    counts = Counts(2 * rounds, account.acknowledged, account.lost, account.doubled, account.wrong)
    return [proved(FAULT, counts)]


class _Network:
    """What there is of a network in here."""

    def __init__(self, hosts: Path) -> None:
        self._hosts = hosts
        self.up()
        self.know_name()

    def up(self) -> None:
        _do("ip", "link", "set", "lo", "up")

    def down(self) -> None:
        _do("ip", "link", "set", "lo", "down")

    def know_name(self) -> None:
        self._hosts.write_text(f"127.0.0.1 localhost {NAME}\n")

    def forget_name(self) -> None:
        self._hosts.write_text("127.0.0.1 localhost\n")


@contextmanager
def _network() -> Iterator[_Network]:
    """Bring the namespace's network up, with a hosts file that is seen in here only, and nobody else to ask."""
    with tempfile.TemporaryDirectory(prefix="tadaima-") as scratch:
        hosts, lookup = Path(scratch) / "hosts", Path(scratch) / "nsswitch.conf"
        hosts.touch()
        lookup.write_text("hosts: files\n")
        _do("mount", "--make-rprivate", "/")
        _do("mount", "--bind", str(hosts), str(_HOSTS))
        _do("mount", "--bind", str(lookup), str(_LOOKUP))
        try:
            yield _Network(hosts)
        finally:
            _do("umount", str(_LOOKUP))
            _do("umount", str(_HOSTS))


def _go_through(rounds: int) -> Account:
    account, chance, children = Account(), random.Random(1), itertools.count()
    with _network() as network, house(host=NAME) as open_house:
        for _ in range(rounds):
            for cut, heal in ((network.down, network.up), (network.forget_name, network.know_name)):
                _tap(open_house, 3, children)
                time.sleep(chance.uniform(0, 0.3))  # so that a request is under way, or none
                cut()
                _tap(open_house, 3, children)
                time.sleep(chance.uniform(0, _CUT_S))
                take_stock(open_house, account)
                heal()
        open_house.settle(lambda: has_settled(open_house))
        close_account(open_house, account)
    return account


def _tap(open_house: House, number: int, children: Iterator[int]) -> None:
    """Let children come, and wait until each has its answer: the door needs no network for it."""
    kiosk = open_house.kiosks[0]
    wanted = len(kiosk.recorded) + number
    for child in itertools.islice(children, number):
        open_house.tap(kiosk, child)
    open_house.wait_until(lambda: len(kiosk.recorded) >= wanted, "the door answers")


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    found = asdict(_go_through(int(sys.argv[1])))
    print(json.dumps({name: value for name, value in found.items() if not name.startswith("_")}))
