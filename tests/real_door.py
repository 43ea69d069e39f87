"""A door as it stands at a site, for tests: `tadaima-kiosk run` as a process, what its screen shows, logs and keeps."""

import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from attendance.chain import verify
from attendance.records import Body, JournalLine, SessionOpened, read_line
from kiosk.journal_reader import JournalReader
from kiosk.roster_cache import RosterCache
from tests.kiosk.door_parts import state
from tests.kiosk.enrolled import enrol
from tests.kiosk.test_cli import TADAIMA_KIOSK

PATIENCE_S = 30.0


def wait_until(happened: Callable[[], bool], what: Callable[[], object]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < until_s, what()
        time.sleep(0.02)


def set_up(folder: Path, readers: str) -> Path:
    """An enrolled kiosk that knows Hana and Taro, with these `[[readers]]`; its settings file."""
    enrol(folder / "data")
    cache = RosterCache.open(folder / "data" / "cache.db")
    cache.store_state(state())
    cache.close()
    file = folder / "kiosk.toml"
    head = f'data_dir = "{folder}/data"\nruntime_dir = "{folder}/run"\nlanguage = "en"\n[screen]\nport = 0\n'
    file.write_text(head + readers, encoding="utf-8")
    return file


class RealDoor:
    """A running door; everything it says is kept."""

    def __init__(self, config: Path) -> None:
        self.log: list[str] = []
        self.shown: list[str] = []
        """The kinds of the answers on the screen, one after another."""
        self.signs: list[str] = []
        """What the strip for staff said last."""
        self._data = config.parent / "data"
        self.process = subprocess.Popen(
            [*TADAIMA_KIOSK, "run", "--config", str(config)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self._url = urlsplit(self.process.stdout.readline().split()[-1])
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._listen, self._watch)]
        for thread in self._threads:
            thread.start()
        wait_until(lambda: bool(self.signs) or self.process.poll() is not None, self.told)

    def told(self) -> str:
        return "\n".join(self.log)

    def wait_for(self, pattern: str, times: int = 1) -> None:
        wait_until(lambda: sum(bool(re.search(pattern, line)) for line in list(self.log)) >= times, self.told)

    def wait_shown(self, *kinds: str) -> None:
        wait_until(lambda: self.shown[-len(kinds) :] == [*kinds], lambda: (self.shown, self.told()))

    def wait_sign(self, text: str) -> None:
        wait_until(lambda: any(text in sign for sign in self.signs), lambda: self.signs)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def lines(self) -> list[JournalLine]:
        """Every entry of the journal, its chain checked."""
        reader = JournalReader(self._data / "journal.db")
        try:
            sessions = [reader.read(head.session, 0, -1) for head in reader.heads()]
        finally:
            reader.close()
        for session in sessions:
            verify(session)
        return [line for session in sessions for line in session]

    def bodies(self) -> list[Body]:
        """What the journal holds beside the headers of its sessions."""
        bodies = [read_line(line).body for line in self.lines()]
        return [body for body in bodies if not isinstance(body, SessionOpened)]

    def _end(self, how: signal.Signals) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.wait(PATIENCE_S)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line.rstrip("\n"))

    def _watch(self) -> None:
        last = None
        connection = http.client.HTTPConnection(str(self._url.hostname), self._url.port, timeout=PATIENCE_S)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/events")
            with connection.getresponse() as response:
                for line in response:
                    if line.startswith(b"data: "):
                        view = json.loads(line.removeprefix(b"data: "))
                        self.signs = [sign["text"] for sign in view["signs"]]
                        if view["kind"] != "idle" and (view["answer"], view["kind"]) != last:
                            last = view["answer"], view["kind"]
                            self.shown.append(view["kind"])
        connection.close()


@contextmanager
def real_door(config: Path) -> Iterator[RealDoor]:
    """A door that has opened, and that ends with the test; it must not have shown a fault of its own."""
    door = RealDoor(config)
    try:
        yield door
    finally:
        door.stop()
    assert "Traceback" not in door.told()


def fifo(folder: Path, name: str) -> str:
    """A fake reader's device, and the settings of the reader."""
    os.mkfifo(folder / name)
    return f'[[readers]]\nname = "{name}"\nkind = "fake"\nsource = "{folder / name}"\n'


def tap(path: Path, *lines: str) -> None:
    """Lay cards on a fake reader."""
    with path.open("w") as device:
        device.write("".join(f"{line}\n" for line in lines))
