"""The whole line as it stands at a site, in one folder: a server, a dispatcher, a mail server, and kiosks with doors.

Every part is the real command in a process of its own, which can be killed; between kiosks and server stands a proxy.
"""

import csv
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import select

from bench.fault_proxy import FaultProxy, Harm
from bench.mailbox import Mailbox, mail_server
from bench.parts import Kiosk, Part
from bench.power_cuts import MEMORY
from bench.warm_start import WarmStart
from kiosk.roster_cache import RosterCache
from server.store.engine import sqlite_url, using_store
from server.store.tables import child

SITE = "sakura"
UNDO_S = 1
PATIENCE_S = 90.0
"""No proof fails because a machine is slow."""
LOOK_S = 0.004
_LISTENING = re.compile(r"^listening web=(\S+)")


class Patience(Exception):
    """Something that must happen did not; the text says what, and what was said last."""


@dataclass
class House:
    """Everything together. Thread: one."""

    folder: Path
    warm: WarmStart
    mailbox: Mailbox
    proxy: FaultProxy
    server: Part
    dispatcher: Part
    kiosks: list[Kiosk] = field(default_factory=list)
    tokens: list[tuple[str, str]] = field(default_factory=list)
    """Every child and its card."""
    taps: Counter[str] = field(default_factory=Counter)
    """How often each child's card was held to a reader."""

    @property
    def store_url(self) -> str:
        """The server's database."""
        return sqlite_url(self.folder / "server" / "tadaima.db")

    @property
    def parts(self) -> list[Part]:
        """All that can be killed."""
        return [self.server, self.dispatcher, *(part for kiosk in self.kiosks for part in (kiosk.door, kiosk.sync))]

    def tap(self, kiosk: Kiosk, number: int) -> None:
        """Let one of the children hold its card to a door."""
        child_id, token = self.tokens[number % len(self.tokens)]
        self.taps[child_id] += 1
        kiosk.tap(token)

    def look(self) -> None:
        """Hear what everybody has said, and find the server where it listens now."""
        for line in self.server.news():
            if found := _LISTENING.search(line):
                url = urlsplit(found[1])
                self.proxy.upstream = (str(url.hostname), int(url.port or 0))
        for kiosk in self.kiosks:
            kiosk.look()

    def wait_until(self, happened: Callable[[], bool], what: str) -> None:
        """Look until something has happened. Raises: Patience."""
        until_s = time.monotonic() + PATIENCE_S
        while not happened():
            if time.monotonic() > until_s:
                last = "\n".join(f"{part.name}: {line}" for part in self.parts for line in part.log.split("\n")[-6:])
                raise Patience(f"{what}\n{last}")
            time.sleep(LOOK_S)
            self.look()

    def open(self) -> None:
        """Start everything, and wait until every door knows its children."""
        for part in self.parts:
            if not part.leader:
                part.start()
        for kiosk in self.kiosks:
            self.wait_until(lambda kiosk=kiosk: "reader up" in kiosk.door.log, "a door opens")  # type: ignore[misc]
            names = kiosk.folder / "run" / "names.key"
            self.wait_until(names.exists, "a kiosk gets its roster")
            self.wait_until(lambda kiosk=kiosk: _has_roster(kiosk), "a kiosk keeps its roster")  # type: ignore[misc]

    def add_kiosk(self, name: str, *, host: str = "", interval_s: float = 0.2, mutant: str = "") -> Kiosk:
        """Enrol a kiosk of the site by the real handshake; `host` is another name by which it knows the server."""
        folder = self.folder / name
        folder.mkdir()
        code = self._serve("kiosks", "code", SITE, name).split("\n")[0]
        enrolling = ("enrol", "--server", self.proxy.url, "--code", code, "--data-dir", str(folder / "data"))
        self.warm.run("enrol", "tadaima-provision", *enrolling)
        url = f"http://{host}:{self.proxy.port}" if host else ""
        config = folder / "kiosk.toml"
        config.write_text(
            f'data_dir = "{folder}/data"\nruntime_dir = "{folder}/run"\nserver_url = "{url}"\nlanguage = "en"\n'
            f"[screen]\nport = 0\n[sync]\ninterval_s = {interval_s}\ntimeout_s = 2\n"
            f'[[readers]]\nname = "front"\nkind = "fake"\nsource = "{folder}/reader"\n'
        )
        commands = {each: ("tadaima-kiosk", each, "--config", str(config)) for each in ("run", "sync")}
        kiosk = Kiosk(
            folder,
            door=Part(f"{name}-door", commands["run"], self.warm, mutant),
            sync=Part(f"{name}-sync", commands["sync"], self.warm),
        )
        kiosk.open_reader()
        self.kiosks.append(kiosk)
        return kiosk

    def set_up(self) -> None:
        """Make the server with a site and its children, and start it."""
        roster = self.folder / "roster.csv"
        roster.write_bytes((resources.files("provisioning.demo") / "roster.csv").read_bytes())
        self._serve("init")
        self._serve("sites", "add", SITE, "Sakura")
        self._serve("sites", "set", SITE, "repeat_window_s=0", f"undo_s={UNDO_S}")
        self._serve("roster", "import", str(roster), "--site", SITE, "--apply")
        rows = csv.reader(self._serve("cards", "tokens", SITE).splitlines()[1:])
        with using_store(self.store_url) as store, store.read() as conn:
            ids = {row.number: row.id for row in conn.execute(select(child.c.number, child.c.id))}
        self.tokens = [(ids[number], token) for number, token in rows]
        self.server.start()
        self.wait_until(lambda: self.proxy.upstream is not None, "the server listens")

    def settle(self, has_settled: Callable[[], bool], *, revive: bool = True) -> None:
        """Give all that is under way time to arrive; `revive` starts everything once more, so that nobody waits."""
        for part in self.parts if revive else []:
            part.kill()
            part.start()
        next_s = 0.0

        def asked() -> bool:  # now and then: it is a costly question
            nonlocal next_s
            if time.monotonic() < next_s:
                return False
            answer = has_settled()
            next_s = time.monotonic() + 0.1
            return answer

        self.wait_until(asked, "everything arrives and every notice is sent")

    def _serve(self, *arguments: str) -> str:
        return self.warm.run("setting-up", "tadaima-server", *self.server.command[1:3], *arguments)


@contextmanager
def house(
    *,
    kiosks: int = 1,
    opened: bool = True,
    host: str = "",
    interval_s: float = 0.2,
    door_mutant: str = "",
    dispatcher_mutant: str = "",
) -> Iterator[House]:
    """A site that is open, or with kiosks enrolled and only the server running; everything ends with the context.

    In memory: a kill leaves what was written to a file.
    """
    with (
        tempfile.TemporaryDirectory(dir=MEMORY, prefix="tadaima-") as scratch,
        mail_server(late=bool(dispatcher_mutant)) as mailbox,  # a mutant shows before the mail is taken only
        FaultProxy(lambda: Harm.NONE) as proxy,
    ):
        folder = Path(scratch)
        config = folder / "server.toml"
        config.write_text(
            f'data_dir = "{folder}/server"\nthreads = 8\n[bind]\nport = 0\n[live]\nport = 0\n'
            f'[notices]\nlease_s = 1\n[smtp]\nport = {mailbox.port}\nsender = "tadaima@example.com"\n'
        )
        command = ("tadaima-server", "--config", str(config))
        with WarmStart(folder) as warm:
            server = Part("server", (*command, "run", "--only", "web"), warm)
            dispatcher = Part("dispatcher", (*command, "dispatch"), warm, dispatcher_mutant)
            made = House(folder, warm, mailbox, proxy, server, dispatcher)
            try:
                made.set_up()
                for number in range(kiosks):
                    made.add_kiosk(f"kiosk-{number}", host=host, interval_s=interval_s, mutant=door_mutant)
                if opened:
                    made.open()
                yield made
            finally:
                for kiosk in made.kiosks:
                    kiosk.close_reader()


def _has_roster(kiosk: Kiosk) -> bool:
    with closing(RosterCache.open(kiosk.data / "cache.db", read_only=True)) as cache:
        return cache.versions()[0] != ""
