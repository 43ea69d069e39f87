"""`tadaima-server run`: the web process and the live process, each a gunicorn of its own, on sockets bound before.

Screens hold a thread for as long as they are open, so they get a process of their own; on SQLite one web process with
threads is faster than several (writers would wait for the file).
"""

import logging
import multiprocessing
import signal
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from types import FrameType
from typing import Any

import msgspec
from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from attendance.clock import Clock, SystemClock
from server.config import ServerSettings
from server.errors import ServerError
from server.store.engine import Store, open_store

log = logging.getLogger(__name__)

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_BACKLOG = 256
_GRACE_S = 10  # a worker lets kept-alive connections linger for 2 s, on a busy machine longer, and is killed after this
_STOP_S = 12.0
_KEEP_ALIVE_S = 30  # kiosks ask every few seconds; a connection is worth keeping
_STALLED_S = 5
"""A client that stops in the middle of a request or an answer, as one does that lost its network, keeps a thread for no
longer: without this for good, and a few such kiosks would silence the server."""
_Factory = Callable[[ServerSettings, Store, Clock], Flask]


class Part(StrEnum):
    """The processes that serve."""

    WEB = "web"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Listener:
    """A part and the socket it will serve."""

    part: Part
    socket: socket.socket

    @property
    def url(self) -> str:
        """The address a browser on this machine types."""
        host, port, *_ = self.socket.getsockname()
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(settings: ServerSettings, parts: Sequence[Part], announce: Callable[[Sequence[Listener]], None]) -> int:
    """Serve until told to stop, and return the exit status: 0, or 1 when a part died. Raises: ServerError.

    `announce` is called with what is served once connections are taken.
    """
    with _bound(settings, parts) as listeners:
        actual = _with_real_ports(settings, listeners)
        fork = multiprocessing.get_context("fork")  # the sockets are handed on by it
        processes = [
            fork.Process(target=_serve, args=(actual, listener), name=f"tadaima-{listener.part}")
            for listener in listeners
        ]
        stop = _StopAll(processes)
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)  # a child must not be told before it can listen
        for process in processes:
            process.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
        announce(listeners)
        wait([process.sentinel for process in processes])
        if not stop.asked:
            dead = [process.name for process in processes if not process.is_alive()]
            log.error("part died names=%s", ",".join(dead))
        stop.all()
        for process in processes:
            process.join(_STOP_S)
            if process.is_alive():
                process.kill()
                process.join()
        return 0 if stop.asked else 1


class _StopAll:
    """Passes SIGTERM and SIGINT on to the parts."""

    def __init__(self, processes: Sequence[ForkProcess]) -> None:
        self.asked = False
        self._processes = processes
        for number in _STOP_SIGNALS:
            signal.signal(number, self._hear)

    def all(self) -> None:
        """Ask every part that lives to end."""
        for process in self._processes:
            if process.pid is not None and process.is_alive():
                process.terminate()

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
        self.all()


@contextmanager
def _bound(settings: ServerSettings, parts: Sequence[Part]) -> Iterator[list[Listener]]:
    listeners: list[Listener] = []
    try:
        for part in parts:
            place = settings.bind if part is Part.WEB else settings.live
            listeners.append(Listener(part, _bind(place.host, place.port)))
        yield listeners
    finally:
        for listener in listeners:
            listener.socket.close()


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ServerError(f"{host}:{port} cannot be listened on ({error.strerror or error})") from error
    # gunicorn does so only for sockets it makes itself; without it an answer in two parts waits 40 ms for an ACK.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):  # connections have them from the socket that took them
        bound.setsockopt(socket.SOL_SOCKET, direction, struct.pack("ll", _STALLED_S, 0))
    return bound


def _with_real_ports(settings: ServerSettings, listeners: Sequence[Listener]) -> ServerSettings:
    """Return the settings with the ports that port 0 stood for, since pages name that of the live stream."""
    for listener in listeners:
        port = listener.socket.getsockname()[1]
        if listener.part is Part.WEB:
            settings = msgspec.structs.replace(settings, bind=msgspec.structs.replace(settings.bind, port=port))
        else:
            settings = msgspec.structs.replace(settings, live=msgspec.structs.replace(settings.live, port=port))
    return settings


def _serve(settings: ServerSettings, listener: Listener) -> None:
    """Be one part, in a process of its own; does not return."""
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)  # gunicorn sets its own
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
    logging.getLogger("gunicorn.error").addFilter(_is_fault_of_ours)
    _Gunicorn(settings, listener).run()


def _is_fault_of_ours(record: logging.LogRecord) -> bool:
    """Say whether a record is worth a line: gunicorn takes a stalled client for a fault, with a traceback."""
    return record.exc_info is None or not isinstance(record.exc_info[1], BlockingIOError)


class _Gunicorn(BaseApplication):  # type: ignore[misc]
    """One gunicorn: a master that keeps one worker alive."""

    def __init__(self, settings: ServerSettings, listener: Listener) -> None:
        self._settings = settings
        self._listener = listener
        self._app: Flask | None = None
        super().__init__()

    def load_config(self) -> None:
        """Tell gunicorn what to do; called by it."""
        live = self._listener.part is Part.LIVE
        options: dict[str, Any] = {
            "bind": [f"fd://{self._listener.socket.fileno()}"],
            "workers": 1,
            "worker_class": _Worker,
            "threads": self._settings.live.threads if live else self._settings.threads,
            "graceful_timeout": _GRACE_S,
            "keepalive": _KEEP_ALIVE_S,
            "proc_name": f"tadaima-{self._listener.part}",
            "control_socket_disable": True,
            "loglevel": "warning",
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Make the app; called by gunicorn in the worker, where database connections may be opened."""
        store = open_store(self._settings.store_url)
        self.cfg.set("worker_exit", lambda _arbiter, _worker: store.close())
        self._app = _factory(self._listener.part)(self._settings, store, SystemClock())
        return self._app

    def end_streams(self) -> None:
        """Let go of the screens that are open: the worker waits for all its answers to end."""
        if self._app is not None and self._listener.part is Part.LIVE:
            from server.web.live import end_streams

            end_streams(self._app)


class _Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker, which open streams would keep from ending."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; called by gunicorn on SIGTERM."""
        super().handle_exit(sig, frame)
        self.app.end_streams()

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at once; called by gunicorn on Ctrl-C."""
        self.app.end_streams()
        super().handle_quit(sig, frame)


def _factory(part: Part) -> _Factory:
    if part is Part.WEB:
        from server.app import create_app

        return create_app
    from server.web.live import create_live_app

    return create_live_app
