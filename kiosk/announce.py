"""How the door answers (step 7 of the straight line): all screens and signals get each answer, none holds it up."""

import logging
import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol, assert_never

from attendance.faults import where
from hardware.errors import HardwareError
from hardware.signal import Cue, Signal
from kiosk.answer import Answer, AnswerKind, DoorStatus
from kiosk.backoff import Backoff

log = logging.getLogger(__name__)


class Display(Protocol):
    """Shows answers and the door's status; both methods return at once."""

    def show(self, answer: Answer) -> None:
        """Show an answer. Thread: any."""
        ...

    def status(self, status: DoorStatus) -> None:
        """Show how the door is. Thread: any."""
        ...


def cue(kind: AnswerKind) -> Cue:
    """Return the sound and light of an answer."""
    match kind:
        case AnswerKind.IN:
            return Cue.IN
        case AnswerKind.OUT:
            return Cue.OUT
        case AnswerKind.AGAIN_IN | AnswerKind.AGAIN_OUT:
            return Cue.AGAIN
        case AnswerKind.UNDONE:
            return Cue.UNDONE
        case AnswerKind.UNKNOWN | AnswerKind.FOREIGN:
            return Cue.UNKNOWN
        case AnswerKind.STAFF:
            return Cue.STAFF
        case AnswerKind.ASK:
            return Cue.ASK
        case AnswerKind.BROKEN:
            return Cue.BROKEN
        case _:
            assert_never(kind)


class Announcer:
    """Passes answers to displays and signals; a `Display` itself. Thread: any, once started."""

    def __init__(self, signals: Sequence[Signal] = ()) -> None:
        self._displays: list[Display] = []
        self._players = [_Player(signal) for signal in signals]

    def add(self, display: Display) -> None:
        """Let a display take part; to be called before `start`."""
        self._displays.append(display)

    def start(self) -> None:
        """Open the signals in the background."""
        for player in self._players:
            player.start()

    def stop(self) -> None:
        """Silence the signals. Idempotent."""
        for player in self._players:
            player.stop()

    def show(self, answer: Answer) -> None:
        """Show and play an answer; what fails on the way is logged and left out."""
        for player in self._players:
            player.play(cue(answer.kind))
        for display in self._displays:
            try:
                display.show(answer)
            except Exception as error:  # noqa: BLE001 - the next display, and the next child, still get their answer
                log.error("display failed error=%s", type(error).__name__)  # noqa: TRY400 - its text may hold a name

    def status(self, status: DoorStatus) -> None:
        """Show how the door is."""
        for display in self._displays:
            try:
                display.status(status)
            except Exception as error:  # noqa: BLE001 - as above
                log.error("display failed error=%s", type(error).__name__)  # noqa: TRY400 - as above


class _Player:
    """One signal with a thread of its own, which opens it again and again while it is missing."""

    def __init__(self, signal: Signal) -> None:
        self._signal = signal
        self._cues: queue.SimpleQueue[Cue | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._backoff = Backoff()
        self._down = False
        self._thread = threading.Thread(target=self._run, name=f"signal-{signal.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def play(self, wanted: Cue) -> None:
        self._cues.put(wanted)

    def stop(self) -> None:
        if not self._stopping.is_set() and self._thread.is_alive():
            self._stopping.set()
            self._cues.put(None)
            self._thread.join(1.0)
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._signal.open()
                if self._down:
                    log.info("signal back signal=%s", self._signal.name)
                self._down = False
                self._play_until_stopped()
            except HardwareError as error:
                self._wait_down(str(error))
            except Exception as error:  # noqa: BLE001 - a driver's own bug must not silence the door for good
                self._wait_down(f"{type(error).__name__} at {where(error)}")
        self._signal.close()

    def _wait_down(self, reason: str) -> None:
        if not self._down:
            log.warning("signal down signal=%s reason=%r", self._signal.name, reason)
        self._down = True
        self._signal.close()
        self._stopping.wait(self._backoff.next_s())
        self._forget_missed()

    def _play_until_stopped(self) -> None:
        while (wanted := self._cues.get()) is not None:
            self._signal.play(wanted)
            self._backoff.reset()

    def _forget_missed(self) -> None:
        """A sound for a child who has gone would only confuse the next."""
        with suppress(queue.Empty):
            while self._cues.get_nowait() is not None:
                pass
