"""How a file of a newer version becomes one of ours, after the software of a kiosk was put back to an older version.

Only for a file that can be fetched again: what the newer version knew beyond ours goes.
"""

import sqlite3
from contextlib import closing, suppress

from sqlite_utils import Database

from kiosk.schema import Disposable, Schema


def bring_back(db: Database, schema: Schema, disposable: Disposable) -> None:
    """Put our tables in the place of all others, with the rows they had; within the transaction of the caller.

    A table that the newer version named or shaped otherwise begins empty. No foreign keys may be enforced.
    Raises: sqlite3.Error.
    """
    kept = {
        name: (columns, db.execute(f"SELECT {', '.join(columns)} FROM {name}").fetchall())  # noqa: S608 - our own names
        for name, columns in _tables(schema).items()
        if {*columns} <= {*_columns(db, name)}
    }
    made = db.execute("SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
    for kind, name in made:
        if not name.startswith("sqlite_"):
            db.execute(f'DROP {kind} IF EXISTS "{name}"')
    schema.migrations.apply(db)
    for name, (columns, rows) in kept.items():
        places = ", ".join("?" * len(columns))
        put = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608 - our own names
        for row in rows:
            with suppress(sqlite3.IntegrityError):  # a value that ours do not take
                db.execute(put, row)
    db.execute(disposable.brought_back)


def _tables(schema: Schema) -> dict[str, list[str]]:
    """The columns of each of our tables, but for the one in which migrations are noted."""
    with closing(Database(memory=True, execute_plugins=False)) as ours:
        schema.migrations.apply(ours)
        return {name: _columns(ours, name) for name in ours.table_names() if not name.startswith("_")}


def _columns(db: Database, table: str) -> list[str]:
    return [column.name for column in db.table(table).columns]
