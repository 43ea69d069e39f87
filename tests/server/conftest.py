"""What tests of the server share: a store with the newest schema, on a database of its own, SQLite or PostgreSQL."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher
from flask import Flask

from attendance.clock import ManualClock
from server.app import create_app
from server.config import ServerSettings
from server.keys import make_secrets
from server.store.engine import Store, open_store, sqlite_url
from server.store.migrations import migrate
from server.web import accounts
from tests.server.factories import NOON
from tests.server.notified_house import House
from tests.server.smtp_servers import Postbox, smtp_server

if TYPE_CHECKING:
    from bench.postgresql import Cluster

FOR_ROOT = ["test_doctor_disks.py"]
"""What only root may do everywhere: mount real filesystems, give files away."""
collect_ignore = [] if os.geteuid() == 0 else FOR_ROOT


KINDS = ("sqlite", "postgresql")
ON_BOTH = {
    "test_cards",
    "test_cards_bind",
    "test_clock_check",
    "test_closing",
    "test_closing_ledger",
    "test_enrolment",
    "test_headcount",
    "test_kiosk_api",
    "test_kiosk_api_sync",
    "test_ledger",
    "test_ledger_owners",
    "test_ledger_remembered",
    "test_migrations",
    "test_neighbours",
    "test_notify_dispatcher",
    "test_notify_dispatchers",
    "test_notify_outbox",
    "test_quarantine",
    "test_report_daily",
    "test_roster_apply",
    "test_store",
    "test_told_earlier",
    "test_web_accounts",
    "test_web_live",
}
"""Modules of tests whose store is once on SQLite and once on PostgreSQL."""


def pytest_report_header() -> list[str]:
    return [f"server: not root, so {each} is left out" for each in collect_ignore]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of a database, of those modules where it matters, on each kind; a mark says which one alone."""
    only = [kind for kind in KINDS if metafunc.definition.get_closest_marker(f"only_{kind}")]
    if "database_kind" in metafunc.fixturenames and (only or metafunc.module.__name__.rpartition(".")[2] in ON_BOTH):
        metafunc.parametrize("database_kind", only or KINDS)


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the newest schema and no rows, to be copied."""
    path = tmp_path_factory.mktemp("store") / "tadaima.db"
    made = open_store(sqlite_url(path))
    migrate(made)
    made.close()
    return path


@pytest.fixture
def database_kind() -> str:
    """The kind of database that this test is about."""
    return "sqlite"


@pytest.fixture
def store_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with the newest schema and no rows, this test's own."""
    if database_kind == "sqlite":
        shutil.copyfile(request.getfixturevalue("migrated_database"), tmp_path / "tadaima.db")
        yield sqlite_url(tmp_path / "tadaima.db")
    else:
        cluster: Cluster = request.getfixturevalue("postgresql")
        with cluster.database() as url:
            yield url


@pytest.fixture
def empty_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any schema, this test's own."""
    if database_kind == "sqlite":
        yield sqlite_url(tmp_path / "empty.db")
    else:
        cluster: Cluster = request.getfixturevalue("postgresql")
        with cluster.empty_database() as url:
            yield url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store with the newest schema and no rows."""
    opened = open_store(store_url)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> ManualClock:
    """Noon on the day of the factories."""
    return ManualClock(NOON)


@pytest.fixture
def server_settings(store_url: str, tmp_path: Path) -> ServerSettings:
    """Settings of a server that was set up below this test's folder."""
    make_secrets(tmp_path)
    return ServerSettings(data_dir=str(tmp_path), database_url=store_url)


@pytest.fixture
def app(server_settings: ServerSettings, store: Store, clock: ManualClock) -> Flask:
    """The web process's app over `store`."""
    return create_app(server_settings, store, clock)


@pytest.fixture
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords at next to no cost, for tests that are about something else."""
    monkeypatch.setattr(accounts, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
def folder(store: Store, tmp_path: Path) -> Path:
    """The data folder of a server that was set up; `store` is open in it."""
    make_secrets(tmp_path)
    return tmp_path


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    """A mail server that keeps what it is given."""
    with smtp_server() as opened:
        yield opened


@pytest.fixture
def house(store: Store, store_url: str, postbox: Postbox) -> Iterator[House]:
    """A child, a guardian, and a dispatcher that sends to the postbox."""
    made = House(store, store_url, postbox.port)
    yield made
    made.mail.close()
