"""Setting the stage: a server, two enrolled kiosks, their cards and their devices, all in one folder."""

import csv
import itertools
import re
import secrets
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import msgspec

from attendance.cards import CardToken
from attendance.catalogue import Catalogue
from attendance.staff_pin import draw_pin
from provisioning.demo.day import REPEAT_WINDOW_S, RHYTHMS, Door, Tap
from provisioning.demo.processes import Ensemble
from provisioning.errors import DemoFailed

SITE = "sakura"
UNDO_S = 3
LOGIN, OFFICE_LOGIN = "shien", "yakusho"
LOOPBACK = "127.0.0.1"
CLAIM = "\0tadaima-demo"
"""A name of Linux's abstract sockets: it is in no folder and goes with its process."""
FIRST_UID = {"2": "04a00000000000", "3": "02fe000000000000", "4": "04a00000000000"}
"""By NFC Forum type, in hexadecimal; the cards after it count up."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens."""

    web: int
    live: int
    smtp: int
    mailbox: int
    screens: Mapping[Door, int]
    nfc: int


@dataclass(frozen=True, slots=True)
class Child:
    """One of the invented children."""

    number: str
    name: str = field(repr=False)
    email: str | None = field(repr=False)
    """Of the guardian who is written to, None without consent."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What is set up and not yet running."""

    folder: Path
    ports: Ports
    password: str = field(repr=False)
    pin: str = field(repr=False)
    """With which staff enter a child who has no card."""
    tokens: Mapping[str, CardToken] = field(repr=False)
    """By the child's number."""
    children: tuple[Child, ...]

    @property
    def web(self) -> str:
        """The address of the staff screen."""
        return f"http://{LOOPBACK}:{self.ports.web}"

    @property
    def live(self) -> str:
        """The address of the live stream."""
        return f"http://{LOOPBACK}:{self.ports.live}"

    @property
    def mailbox(self) -> str:
        """The address of the mailbox."""
        return f"http://{LOOPBACK}:{self.ports.mailbox}"

    def screen(self, door: Door) -> str:
        """The address of a door's child's screen."""
        return f"http://{LOOPBACK}:{self.ports.screens[door]}"

    @property
    def server_toml(self) -> Path:
        """The server's settings."""
        return self.folder / "server.toml"

    def kiosk_toml(self, door: Door) -> Path:
        """A kiosk's settings."""
        return self.folder / door / "kiosk.toml"

    def data_dir(self, door: Door) -> Path:
        """A kiosk's data."""
        return self.folder / door / "data"

    def schedule(self, door: Door) -> Path:
        """What is held to a door, and when."""
        return self.folder / f"{door}.json"

    @property
    def mail_dir(self) -> Path:
        """What the mailbox keeps."""
        return self.folder / "mail"


def program(name: str) -> str:
    """Return the path of one of our console commands: beside this Python, as it was installed."""
    return str(Path(sys.executable).with_name(name))


@contextmanager
def claimed_ports() -> Iterator[Ports]:
    """Give one demo of this machine the well-known ports where they are free, and the others any free ones.

    To look whether a port is free is not enough: a demo listens later, and on the soft cards' port only while it plays.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as claim:
        try:
            claim.bind(CLAIM)
            ports = Ports(
                web=_free(8000),
                live=_free(8001),
                smtp=_free(8025),
                mailbox=_free(8026),
                screens={Door.QR: _free(8750), Door.NFC: _free(8751)},
                nfc=_free(8760, socket.SOCK_DGRAM),
            )
        except OSError:
            ports = Ports(
                web=_free(),
                live=_free(),
                smtp=_free(),
                mailbox=_free(),
                screens={Door.QR: _free(), Door.NFC: _free()},
                nfc=_free(kind=socket.SOCK_DGRAM),
            )
        yield ports


def set_up(folder: Path, ports: Ports, ensemble: Ensemble, words: Catalogue) -> Stage:
    """Make the server's database with a site, its children and two logins, and write all settings."""
    _write(
        folder / "server.toml",
        f'data_dir = "{folder / "server"}"',
        f"[bind]\nport = {ports.web}",
        f"[live]\nport = {ports.live}",
        f'[smtp]\nport = {ports.smtp}\nsender = "Tadaima <tadaima@example.com>"',
    )
    password, pin = secrets.token_urlsafe(9), draw_pin()
    _write(folder / "password", password)
    roster = folder / "roster.csv"
    roster.write_bytes((resources.files("provisioning.demo") / "roster.csv").read_bytes())
    with_password = ("--password-file", str(folder / "password"))
    server = (program("tadaima-server"), "--config", str(folder / "server.toml"))
    ensemble.run(*server, "init")
    ensemble.run(*server, "sites", "add", SITE, words.text("demo.site"))
    ensemble.run(*server, "sites", "set", SITE, f"repeat_window_s={REPEAT_WINDOW_S}", f"undo_s={UNDO_S}")
    ensemble.run(*server, "sites", "pin", SITE, "--pin", pin)
    ensemble.run(*server, "roster", "import", str(roster), "--site", SITE, "--apply")
    ensemble.run(*server, "account", "add", LOGIN, "--role", "staff", "--site", SITE, *with_password)
    ensemble.run(*server, "account", "add", OFFICE_LOGIN, "--role", "office", *with_password)
    tokens = ensemble.run(*server, "cards", "tokens", SITE).splitlines()[1:]
    return Stage(
        folder=folder,
        ports=ports,
        password=password,
        pin=pin,
        tokens={number: CardToken.from_text(text) for number, text in csv.reader(tokens)},
        children=tuple(_children(roster)),
    )


def enrol_kiosk(stage: Stage, ensemble: Ensemble, door: Door, source: str) -> None:
    """Enrol a door's kiosk by the real handshake, with the server running, and write its settings."""
    server = (program("tadaima-server"), "--config", str(stage.server_toml))
    said = ensemble.run(*server, "kiosks", "code", SITE, door.value)
    code = re.search(r"\b[A-Z0-9]{4}-?[A-Z0-9]{6}\b", said)
    if code is None:
        raise DemoFailed("no enrolment code was given", tail=said.splitlines())
    data_dir = stage.data_dir(door)
    data_dir.mkdir(parents=True)
    ensemble.run(
        program("tadaima-provision"), "enrol", "--server", stage.web, "--code", code[0], "--data-dir", str(data_dir)
    )
    kind = "qr_camera" if door is Door.QR else "nfc"
    _write(
        stage.kiosk_toml(door),
        f'data_dir = "{data_dir}"\nruntime_dir = "{stage.folder / door.value / "run"}"',
        f"[screen]\nport = {stage.ports.screens[door]}",
        "[sync]\ninterval_s = 0.5",
        f'[[readers]]\nname = "{door.value}"\nkind = "{kind}"\nsource = "{source}"\nhold_off_s = 0.5',
    )


def write_schedules(stage: Stage, taps: Sequence[Tap], *, lead_s: float) -> None:
    """Write what the hand at the QR door and the soft cards at the NFC door are to do, from `lead_s` on."""
    strangers = {door: CardToken.new() for door in Door}

    def text(tap: Tap) -> str:
        return (strangers[tap.door] if tap.child is None else stage.tokens[tap.child]).text

    hand = [
        {"payload": text(tap), "at_s": lead_s + tap.at_s, "hold_s": RHYTHMS[Door.QR].hold_s}
        for tap in taps
        if tap.door is Door.QR
    ]
    tags = [
        {
            "at_s": lead_s + tap.at_s,
            "hold_s": RHYTHMS[Door.NFC].hold_s,
            "type": kind,
            "uid": f"{int(FIRST_UID[kind], 16) + index:0{len(FIRST_UID[kind])}x}",
            "text": text(tap),
        }
        for index, (tap, kind) in enumerate(
            zip((tap for tap in taps if tap.door is Door.NFC), itertools.cycle(FIRST_UID), strict=False)
        )
    ]
    stage.schedule(Door.QR).write_bytes(msgspec.json.encode(hand))
    stage.schedule(Door.NFC).write_bytes(msgspec.json.encode(tags))


def _children(roster: Path) -> Iterator[Child]:
    with roster.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for number, name, *_, email, _language, consent in rows:
            yield Child(number=number, name=name, email=email if consent else None)


def _write(path: Path, *parts: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _free(well_known: int | None = None, kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return the well-known port if there is one and nothing listens on it, else any free one."""
    for port in (0,) if well_known is None else (well_known, 0):
        with socket.socket(socket.AF_INET, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind is socket.SOCK_STREAM))
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            bound: int = probe.getsockname()[1]
            return bound
    raise DemoFailed("no free port on this machine")
