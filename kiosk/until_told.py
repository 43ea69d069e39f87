"""How the door process, and the readers' view in its place, wait to be told to end."""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def until_told() -> Iterator[Callable[[], object]]:
    """Yield a function that returns once SIGTERM or SIGINT has come since the context began. Thread: the main one."""
    # A Python handler runs between two steps of the main thread: one that is about to wait for a lock sleeps on, and
    # the handler with it. The byte that the interpreter writes to this socket is there whenever it is looked for.
    hearing, telling = socket.socketpair()
    with hearing, telling:
        telling.setblocking(False)  # noqa: FBT003 - its signature
        fd_before = signal.set_wakeup_fd(telling.fileno(), warn_on_full_buffer=False)
        before = {each: signal.signal(each, lambda *_: None) for each in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield lambda: hearing.recv(1)
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
            signal.set_wakeup_fd(fd_before)
