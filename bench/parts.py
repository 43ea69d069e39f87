"""The parts of a site that can be killed: a command in a process of its own, and a kiosk with its door and its sync."""

import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from bench.warm_start import WarmStart

_SCREEN = re.compile(r"(http://\S+)$")
_RECORDED = re.compile(r"recorded session=(\w+) seq=(\d+) kind=(\w+)")


@dataclass
class Part:
    """One command of the line."""

    name: str
    command: Sequence[str]
    warm: WarmStart
    mutant: str = ""
    leader: int = 0
    """Its process, 0 while it has none."""
    _read: int = 0

    def start(self) -> None:
        """Start it."""
        self.leader = self.warm.start(self.name, self.command, mutant=self.mutant)

    def kill(self) -> None:
        """Kill it with all its children."""
        self.warm.kill(self.leader)

    def revive(self) -> None:
        """Start it again if it is dead, as systemd does, and nothing of its last life is left."""
        if not self.warm.running(self.leader):
            self.kill()
            self.start()

    @property
    def log(self) -> str:
        """All it ever said."""
        log = self.warm.log(self.name)
        return log.read_text(encoding="utf-8") if log.exists() else ""

    def news(self) -> list[str]:
        """Return the lines it has said since it was last asked."""
        log = self.warm.log(self.name)
        if not log.exists():
            return []
        with log.open("rb") as file:
            file.seek(self._read)
            *lines, _ = file.read().split(b"\n")
        self._read += sum(len(line) + 1 for line in lines)
        return [line.decode() for line in lines]

    def processes(self) -> list[int]:
        """Return its processes, the first one first."""
        found = [self.leader]
        for process in found:
            with suppress(OSError):
                found += map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())
        return found


@dataclass
class Kiosk:
    """A kiosk: its door, its sync, and the card reader that stands in for a child's hand."""

    folder: Path
    door: Part
    sync: Part
    recorded: dict[tuple[str, int], str] = field(default_factory=dict)
    """What the door answered with "ok", by session and number: the kind."""
    screen: str = ""
    _reader: int = -1

    @property
    def data(self) -> Path:
        """What it keeps."""
        return self.folder / "data"

    def tap(self, token: str) -> None:
        """Hold a card to the reader, whether or not somebody reads."""
        os.write(self._reader, f"qr {token}\n".encode())

    def take_back(self) -> None:
        """Press "mistake" for what the screen shows now, if there is a screen."""
        if not self.screen:
            return
        url = urlsplit(self.screen)
        connection = HTTPConnection(str(url.hostname), url.port, timeout=1.0)
        with suppress(OSError, HTTPException, ValueError):
            connection.request("GET", "/events")
            stream = connection.getresponse()
            line = next(line for line in stream if line.startswith(b"data: "))
            stream.close()
            view = json.loads(line.removeprefix(b"data: "))
            connection.close()
            if view["undo_ms"] > 0:
                connection.request("POST", f"/undo/{view['answer']}", headers={"X-Tadaima-Page": view["process"]})
                connection.getresponse().read()
        connection.close()

    def look(self) -> None:
        """Hear what the door has said."""
        for line in self.door.news():
            if found := _RECORDED.search(line):
                self.recorded[found[1], int(found[2])] = found[3]
            elif found := _SCREEN.search(line):
                self.screen = found[1]

    def open_reader(self) -> None:
        """Plug the reader in; what is held to it while the door is dead is read by the next one."""
        os.mkfifo(self.folder / "reader")
        self._reader = os.open(self.folder / "reader", os.O_RDWR | os.O_NONBLOCK)

    def close_reader(self) -> None:
        """Let go of the reader."""
        if self._reader >= 0:
            os.close(self._reader)
