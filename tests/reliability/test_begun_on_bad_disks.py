"""Door and sync begun on a real disk that is full, has no inodes or may not be written; then the disk is well again."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from attendance.clock import SystemClock
from attendance.records import Head, Moved
from kiosk.door_report import read_report
from kiosk.identity import load_key
from kiosk.roster_cache import RosterCache
from tests.kiosk.door_parts import HANAS_TOKEN
from tests.kiosk.sync_parts import moved, open_journal
from tests.kiosk.test_cli import TADAIMA_KIOSK
from tests.model_server import ModelServer
from tests.real_door import PATIENCE_S, fifo, real_door, set_up, tap, wait_until
from tests.reliability.real_disks import fill, run, tmpfs

FILES = 40
NEWS = frozenset({"cache_unusable", "journal_unwritable"})


@dataclass(frozen=True)
class Trouble:
    """A way for a disk to take nothing, and how that ends."""

    name: str
    news: frozenset[str]
    """What the server is told of it."""
    begin: Callable[[Path], None]
    end: Callable[[Path], None]


def _use_up_inodes(disk: Path) -> None:
    with suppress(OSError):
        for number in range(FILES):
            (disk / f"filler-{number}").touch()


def _remove_fillers(disk: Path) -> None:
    for filler in disk.glob("filler*"):
        filler.unlink()


TROUBLES = [
    Trouble("full", NEWS | {"disk_full"}, lambda disk: fill(disk / "filler"), _remove_fillers),
    Trouble("no inodes", NEWS | {"disk_full"}, _use_up_inodes, _remove_fillers),
    Trouble(
        "read-only",
        NEWS,
        lambda disk: run("mount", "-o", "remount,ro", disk),
        lambda disk: run("mount", "-o", "remount,rw", disk),
    ),
]


@pytest.fixture(params=TROUBLES, ids=lambda trouble: trouble.name)
def trouble(request: pytest.FixtureRequest) -> Trouble:
    assert isinstance(request.param, Trouble)
    return request.param


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """The disk of an enrolled kiosk, at `data`; its runtime folder is elsewhere, as at a site."""
    with tmpfs(tmp_path / "data", files=FILES) as mounted:
        yield mounted


@pytest.fixture
def config(tmp_path: Path, disk: Path) -> Path:
    assert disk.exists()
    return set_up(tmp_path, fifo(tmp_path, "front"))


@contextmanager
def sync(config: Path, server: ModelServer) -> Iterator["subprocess.Popen[str]"]:
    command = [*TADAIMA_KIOSK, "sync", "--config", str(config), "--set", f"server_url={server.url}"]
    command += ["--set", "sync.interval_s=1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
            assert process.poll() is None
        finally:
            process.terminate()
            _, told = process.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in told


def leave_journal(disk: Path, *, killed: bool = False) -> Head:
    """A journal with an entry that the server lacks, as a door leaves it that ended, or that was killed."""
    with closing(open_journal(disk, SystemClock())) as journal:
        journal.append(moved())
        (head,) = journal.heads()
        files = {file: file.read_bytes() for file in disk.glob("journal.db*")} if killed else {}
    for file, content in files.items():
        file.write_bytes(content)
    return head


@pytest.mark.parametrize("first", [True, False])
def test_a_door_begun_on_a_bad_disk_is_red_and_goes_on_by_itself(
    config: Path, disk: Path, trouble: Trouble, first: bool
) -> None:
    if not first:
        leave_journal(disk)
    trouble.begin(disk)
    with real_door(config) as door:
        door.wait_shown("broken")
        wait_until(lambda: read_report(config.parent / "run").broken, door.told)
        tap(config.parent / "front", f"qr {HANAS_TOKEN.text}")
        door.wait_for("answered .*kind=broken")
        trouble.end(disk)
        wait_until(lambda: not read_report(config.parent / "run").broken, door.told)
        tap(config.parent / "front", f"qr {HANAS_TOKEN.text}")
        door.wait_shown("in")
        door.stop()
        assert sum(isinstance(body, Moved) for body in door.bodies()) == (1 if first else 2)


@pytest.mark.parametrize("killed", [False, True])
def test_sync_begun_on_a_bad_disk_brings_entries_and_tells_of_it_and_goes_on_by_itself(
    config: Path, disk: Path, trouble: Trouble, killed: bool
) -> None:
    head = leave_journal(disk, killed=killed)
    with ModelServer() as server:
        server.trust(load_key(disk).public_key())
        trouble.begin(disk)
        with sync(config, server) as process:
            wait_until(lambda: len(server.ledger.sessions.get(head.session, [])) == head.seq + 1, process.poll)
        with real_door(config), sync(config, server) as process:
            wait_until(lambda: trouble.news <= problems(server), lambda: problems(server))
            trouble.end(disk)
            wait_until(lambda: head in acks(disk), process.poll)
            wait_until(lambda: not NEWS & problems(server), lambda: problems(server))


def problems(server: ModelServer) -> set[str]:
    return set(server.offers[-1].health.problems) if server.offers else set()


def acks(disk: Path) -> list[Head]:
    with closing(RosterCache.open(disk / "cache.db", read_only=True)) as cache:
        return cache.acks()
