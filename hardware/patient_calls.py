"""Calls into a library that may never return, made on a thread of their own, so that whoever waits can give up.

pcscd waits for a card as long as the card asks for more time, and its library for pcscd; neither can be told to stop.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
_LOOK_UP_S = 0.1
"""How often who waits looks whether it is still to wait."""
_PARTING_S = 0.5


class StillBusy(Exception):
    """The call has not returned and nobody waits for it any more; no other can be made before it does."""


class PatientCalls:
    """A thread that makes one call at a time. Thread: one caller; `end` from any."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._under_way: Future[Any] | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, wanted: Callable[[], bool], function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function and return what it does, for as long as `wanted`. Raises: StillBusy, what it raises."""
        if not self.settled(wanted):
            raise StillBusy
        future: Future[R] = Future()

        def job() -> None:
            try:
                future.set_result(function(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - handed to the caller
                future.set_exception(error)

        self._under_way = future
        self._jobs.put(job)
        if not self.settled(wanted):
            raise StillBusy
        return future.result()

    @property
    def busy(self) -> bool:
        """Whether a call is under way that was given up."""
        return self._under_way is not None and not self._under_way.done()

    def settled(self, wanted: Callable[[], bool]) -> bool:
        """Wait for the call that is under way, for as long as `wanted`, and return whether it has ended."""
        while self._under_way is not None:
            try:
                self._under_way.exception(_LOOK_UP_S)
            except TimeoutError:
                if not wanted():
                    return False
            else:
                self._under_way = None
        return True

    def end(self, *last: Callable[[], object]) -> None:
        """Have the thread make some last calls and end, without waiting long for it. Thread: any."""
        for function in last:
            self._jobs.put(function)
        self._jobs.put(None)
        self._thread.join(_PARTING_S)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
