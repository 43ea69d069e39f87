"""What tests of the server share: a store with the newest schema, on a database of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.store.engine import Store, open_store, sqlite_url
from server.store.migrations import migrate


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the newest schema and no rows, to be copied."""
    path = tmp_path_factory.mktemp("store") / "tadaima.db"
    made = open_store(sqlite_url(path))
    migrate(made)
    made.close()
    return path


@pytest.fixture
def store_url(migrated_database: Path, tmp_path: Path) -> str:
    """The URL of a database with the newest schema and no rows, this test's own."""
    path = tmp_path / "tadaima.db"
    shutil.copyfile(migrated_database, path)
    return sqlite_url(path)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store with the newest schema and no rows."""
    opened = open_store(store_url)
    yield opened
    opened.close()
