"""The database of the server under test: kept as it was, put back to that, and asked past all of our own code."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import psycopg
from sqlalchemy import delete, insert, make_url, select

from server.store.engine import sqlite_url, using_store
from server.store.tables import metadata

_COMPANIONS = ("-wal", "-shm")


class Database(Protocol):
    """One that nobody has open while it is kept or put back."""

    url: str

    def content(self) -> Any:
        """Return all it holds, for `put`."""
        ...

    def put(self, content: Any) -> None:
        """Make it hold this and nothing else."""
        ...

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        ...


class SqliteFile:
    """A file in a folder, copied whole."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "tadaima.db"
        self.url = sqlite_url(self._file)

    def content(self) -> Any:
        """Return the bytes of the file."""
        return self._file.read_bytes()

    def put(self, content: Any) -> None:
        """Write the bytes of the file, and leave no log of another beside it."""
        for companion in _COMPANIONS:
            self._file.with_name(self._file.name + companion).unlink(missing_ok=True)
        self._file.write_bytes(content)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        with closing(sqlite3.connect(self._file)) as connection:
            return connection.execute(sql).fetchall()


class PostgresqlDatabase:
    """One on PostgreSQL, whose schema stays while its rows come and go: a copy of it would cost ten times that."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._address = make_url(url).set(drivername="postgresql").render_as_string()

    def content(self) -> Any:
        """Return the rows of each table."""
        with using_store(self.url) as store, store.read() as conn:
            return {table: [row._asdict() for row in conn.execute(select(table))] for table in metadata.sorted_tables}

    def put(self, content: Any) -> None:
        """Write the rows of each table, and no others."""
        with using_store(self.url) as store, store.write() as conn:
            for table in reversed(metadata.sorted_tables):
                conn.execute(delete(table))
            for table, rows in content.items():
                if rows:
                    conn.execute(insert(table), rows)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        with psycopg.connect(self._address) as connection:
            return connection.execute(sql.encode()).fetchall()
