"""`tadaima-server dispatch` as the process that systemd starts and stops."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.notify.outbox import queue_moved
from server.store.engine import Store
from server.store.tables import delivery
from tests.server import factories as make
from tests.server.smtp_servers import Postbox, smtp_server

ROOT = Path(__file__).parents[2]


def command(store_url: str, *settings: str) -> list[str]:
    every = (f"database_url={store_url}", "notices.give_up_after_s=2000000000", *settings)
    pairs = [part for pair in every for part in ("--set", pair)]
    return [sys.executable, "-c", "from server.cli import main; main()", *pairs, "dispatch"]


@contextmanager
def running(arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        arguments, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def queue(store: Store) -> None:
    site = make.site(store)
    child = make.child(store, at=site.id)
    make.guardian(store, of=child.id)
    moved = make.movement(store, site_id=site.id, child_id=child.id)
    with store.write() as conn:
        assert queue_moved(conn, [moved.id], make.NOON_MS) == 1


def wait_for_mail(postbox: Postbox) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if postbox.taken:
            return
        pause.wait(0.01)
    pytest.fail("no mail within half a minute")


def test_it_sends_what_is_queued_while_it_runs_and_ends_cleanly_when_told(store: Store, store_url: str) -> None:
    with smtp_server() as postbox, running(command(store_url, f"smtp.port={postbox.port}")) as process:
        queue(store)
        wait_for_mail(postbox)
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=60)
    assert process.returncode == 0, complaints
    assert [row.state for row in make.rows(store, delivery)] == ["sent"]


def test_once_it_sends_what_is_due_and_ends(store: Store, store_url: str) -> None:
    queue(store)
    with smtp_server() as postbox, running([*command(store_url, f"smtp.port={postbox.port}"), "--once"]) as process:
        _, complaints = process.communicate(timeout=60)
    assert process.returncode == 0, complaints
    assert len(postbox.taken) == 1
    (line,) = complaints.decode().splitlines()
    (sent,) = make.rows(store, delivery)
    assert line.startswith("at=20")
    assert line.endswith(f"level=INFO logger=server.notify.dispatcher delivery settled id={sent.id} result=sent")


def test_a_password_file_that_is_not_there_is_told(store: Store, store_url: str, tmp_path: Path) -> None:
    missing = tmp_path / "password"
    with running([*command(store_url, f"smtp.password_file={missing}"), "--once"]) as process:
        _, complaints = process.communicate(timeout=60)
    assert process.returncode != 0
    assert f"smtp.password_file: {missing} cannot be read" in complaints.decode()
    assert "Traceback" not in complaints.decode()


def test_a_server_that_was_never_set_up_is_told_what_to_do(tmp_path: Path) -> None:
    with running([*command(f"sqlite:///{tmp_path}/tadaima.db"), "--once"]) as process:
        _, complaints = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "run tadaima-server init" in complaints.decode()
