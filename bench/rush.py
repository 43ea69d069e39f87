"""A rush at a door with two NFC readers: every tap of two schedules of soft cards is in the journal once, in its order.

The cards are laid by processes of their own and read through the whole of nfcpy, over UDP. A rush in the field is 30
children in five minutes; here they come forty times as close, and every tenth hand wobbles.
"""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Self

import msgspec

from attendance.cards import CardToken
from attendance.policy import Policy
from bench.figure import Row, measured
from bench.practice_door import PracticeDoor, card_tap, disk_folder, new_tokens
from hardware.nfc_nfcpy import NfcReader
from hardware.reader import RawRead
from hardware.soft_card import ScheduledTap

SEED = 23
CHILDREN_EACH = 40
"""Of each reader; none comes back before the others have been."""
HOLD_S = (0.3, 0.4)
GAP_S = (0.05, 0.1)
WOBBLE_EVERY = 10
WOBBLE_S = 0.2
"""How long the card of a wobbling hand is out of the field, and then in it again."""
HOLD_OFF_S = 1.0
"""As `hold_off_s` in kiosk.toml by default."""
FORGETS_EVERY = 20
_SETTLE_S = 1.0
_NO_REPEATS = Policy(repeat_window_s=0)
"""A child who comes back within seconds is recorded each time."""


def rows(taps: int, control_taps: int) -> list[Row]:
    """So many taps over two readers, and meanwhile a few at a door whose readers double and lose some."""
    with ThreadPoolExecutor() as pool:
        door = pool.submit(measure, taps, (NfcReader, NfcReader))
        control = pool.submit(measure, control_taps, (_Hasty, _Forgetful))
        wrong, (doubled, lost) = sum(door.result()), control.result()
    return [
        measured(f"reads lost or doubled, {taps} taps by soft cards over two NFC readers", wrong, "", bar=0),
        measured("the same at a reader without a hold-off", doubled, "", bar=0, control=True),
        measured(f"the same at a reader that drops one in {FORGETS_EVERY}", lost, "", bar=0, control=True),
    ]


def measure(taps: int, kinds: Sequence[type[NfcReader]]) -> list[int]:
    """How many reads of each reader were lost, doubled or out of order. Raises: RuntimeError when cards stop coming."""
    tokens = new_tokens(CHILDREN_EACH * len(kinds))
    queues = [
        [number * CHILDREN_EACH + tap % CHILDREN_EACH for tap in range(taps // len(kinds))]
        for number, _ in enumerate(kinds)
    ]
    with ExitStack() as stack:
        folder = stack.enter_context(disk_folder())
        hands = [
            stack.enter_context(Hand(folder / f"{number}.json", schedule(queue, tokens, random.Random(SEED + number))))
            for number, queue in enumerate(queues)
        ]
        readers = [
            kind(f"reader-{number}", f"udp:127.0.0.1:{hand.port}", hold_off_s=HOLD_OFF_S)
            for number, (kind, hand) in enumerate(zip(kinds, hands, strict=True))
        ]
        door = stack.enter_context(closing(PracticeDoor(folder, tokens, _NO_REPEATS, readers)))
        door.consumer.start()
        for hand in hands:
            hand.start()
        for hand in hands:
            hand.wait()
        time.sleep(_SETTLE_S)
        door.consumer.stop()
        moved = door.moved()
        came = [[door.children[child] for child in queue] for queue in queues]
    return [count_wrong(each, [child for child in moved if child in {*each}]) for each in came]


def count_wrong(came: Sequence[str], recorded: Sequence[str]) -> int:
    """The fewest entries to add and take out to make the one sequence of the other: what was lost and doubled.

    Source: Myers 1986, the greedy O(ND) difference.
    """
    furthest = {1: 0}
    for wrong in range(len(came) + len(recorded)):
        for diagonal in range(-wrong, wrong + 1, 2):
            down = diagonal == -wrong or (diagonal < wrong and furthest[diagonal - 1] < furthest[diagonal + 1])
            at = furthest[diagonal + 1] if down else furthest[diagonal - 1] + 1
            while at < len(came) and at - diagonal < len(recorded) and came[at] == recorded[at - diagonal]:
                at += 1
            furthest[diagonal] = at
            if at >= len(came) and at - diagonal >= len(recorded):
                return wrong
    return len(came) + len(recorded)


def schedule(queue: Sequence[int], tokens: Sequence[CardToken], chance: random.Random) -> list[ScheduledTap]:
    """When each child of a queue holds its card, and for how long."""
    at_s = chance.uniform(*HOLD_S)
    taps: list[ScheduledTap] = []
    for number, child in enumerate(queue, start=1):
        hold_s = chance.uniform(*HOLD_S)
        taps.append(card_tap(child, tokens[child], at_s=at_s, hold_s=hold_s))
        at_s += hold_s
        if number % WOBBLE_EVERY == 0:
            taps.append(card_tap(child, tokens[child], at_s=at_s + WOBBLE_S, hold_s=WOBBLE_S))
            at_s += 2 * WOBBLE_S
        at_s += chance.uniform(*GAP_S)
    return taps


class Hand:
    """A process that lays the cards of a schedule on a reader at `udp:127.0.0.1:<port>`; a context manager."""

    def __init__(self, file: Path, taps: Sequence[ScheduledTap]) -> None:
        file.write_bytes(msgspec.json.encode(taps))
        command = [sys.executable, "-m", "hardware.soft_card", "--schedule", str(file), "--wait-start"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._told = ""
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._process.__enter__()
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline().split()[1].removeprefix("port="))
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._process.kill()
        self._thread.join()
        self._process.__exit__(None, None, None)

    def start(self) -> None:
        """Begin with the first card."""
        assert self._process.stdin is not None
        self._process.stdin.write("start\n")
        self._process.stdin.flush()

    def wait(self) -> None:
        """Return after the last card. Raises: RuntimeError when it never came."""
        self._thread.join()
        if not self._told.startswith("done"):
            raise RuntimeError("a hand ended before its last card")

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._told = line


class _Hasty(NfcReader):
    """A reader that takes a card for a new one as soon as it missed it once."""

    def __init__(self, name: str, path: str, *, hold_off_s: float) -> None:  # noqa: ARG002 - as the real one
        super().__init__(name, path, hold_off_s=0.0)


class _Forgetful(NfcReader):
    """A reader that loses reads."""

    def reads(self) -> Iterator[RawRead]:
        for number, raw in enumerate(super().reads(), start=1):
            if number % FORGETS_EVERY:
                yield raw
