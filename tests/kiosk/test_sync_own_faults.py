"""Sync on a kiosk that is revoked, or whose own files fail: the rest goes on, and what is wrong is reported."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from attendance.records import Head
from kiosk.sync import LONGEST_BACKOFF_S
from tests.kiosk.sync_parts import Kiosk, kiosk_at, model
from tests.model_server import ModelServer


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model() as running:
        yield running


@pytest.fixture
def kiosk(tmp_path: Path, server: ModelServer) -> Iterator[Kiosk]:
    with kiosk_at(tmp_path, server.url) as one:
        yield one


def test_a_revoked_kiosk_forgets_everybody_and_keeps_every_entry(kiosk: Kiosk, server: ModelServer) -> None:
    kiosk.append()
    kiosk.settle()
    before = kiosk.held()
    server.revoked = set(server.keys)
    step = kiosk.sync.step()
    assert step.wait_s >= LONGEST_BACKOFF_S / 2
    assert kiosk.cache.holder("child-1") is None
    assert kiosk.cache.sealed_names() is None
    assert not kiosk.names_key.exists()
    assert kiosk.held() == before
    kiosk.sync.step()


def test_a_revoked_kiosk_forgets_everybody_even_when_the_key_cannot_be_removed(
    kiosk: Kiosk, server: ModelServer
) -> None:
    kiosk.settle()
    kiosk.names_key.unlink()
    kiosk.names_key.mkdir()
    server.revoked = set(server.keys)
    kiosk.sync.step()
    assert kiosk.cache.holder("child-1") is None
    assert kiosk.cache.sealed_names() is None


def test_without_a_journal_the_kiosk_is_still_heard(tmp_path: Path, server: ModelServer) -> None:
    with kiosk_at(tmp_path, server.url) as kiosk:
        kiosk.journal.close()
        for path in tmp_path.glob("journal.db*"):
            path.unlink()
        assert kiosk.sync.step().wakeable
        assert server.offers[0].heads == ()
        assert server.offers[0].now.session is None


def test_a_journal_that_cannot_be_read_is_reported(kiosk: Kiosk, server: ModelServer, tmp_path: Path) -> None:
    kiosk.journal.close()
    kiosk.reader.close()
    (tmp_path / "journal.db").write_bytes(b"not a database" * 1000)
    for _ in range(2):
        kiosk.sync.step()
    assert server.offers[-1].health.problems == ("journal_unreadable",)


def test_a_cache_that_cannot_be_used_does_not_keep_entries_from_the_server(
    kiosk: Kiosk, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kiosk.append()
    kiosk.cache.close()
    monkeypatch.setattr(kiosk.cache, "_path", Path("/proc/nowhere/cache.db"))
    kiosk.sync.step()
    kiosk.sync.step()
    assert server.ledger.sessions == kiosk.held()
    assert server.offers[-1].health.problems == ("cache_unusable",)


def test_a_folder_for_the_key_that_cannot_be_looked_into_is_reported(
    kiosk: Kiosk, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kiosk.sync, "_names_key_path", kiosk.folder / ("x" * 300) / "names.key")
    kiosk.sync.step()
    kiosk.sync.step()
    assert server.offers[-1].health.problems == ("names_key_unwritable",)


def test_a_folder_for_the_key_that_cannot_be_made_is_reported(kiosk: Kiosk, server: ModelServer) -> None:
    kiosk.names_key.parent.write_bytes(b"a file where the folder should be")
    kiosk.sync.step()
    kiosk.sync.step()
    assert server.offers[-1].health.problems == ("names_key_unwritable",)
    assert kiosk.cache.holder("child-1") is not None


def test_acks_survive_a_cache_that_was_thrown_away(kiosk: Kiosk, server: ModelServer) -> None:
    kiosk.append()
    kiosk.settle()
    (head,) = kiosk.reader.heads()
    kiosk.cache.store_acks([], forget=[head.session])
    kiosk.sync.step()
    assert kiosk.cache.acks() == [Head(head.session, head.seq, head.hash)]
