"""The database's history, oldest first; forward only. `migrate` brings a store to the newest schema."""

from enum import StrEnum, auto
from importlib import resources

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from server.errors import StoreError
from server.store.engine import Store

CONNECTION = "connection"


def migrate(store: Store, revision: str = "head") -> None:
    """Bring the store to the newest schema, or up to an older one, in one transaction; any number of processes may.

    Raises: StoreError when the store is of a newer version than this software, or cannot hold every name.
    """
    with store.write() as conn:
        store.require_unicode(conn)
        _refuse_newer(conn)
        config = _config()
        config.attributes[CONNECTION] = conn
        command.upgrade(config, revision)


class Schema(StrEnum):
    """The age of a store's schema, by what this software wants."""

    OLDER = auto()
    """Or none at all: `migrate` brings it up."""
    CURRENT = auto()
    NEWER = auto()


def is_set_up(store: Store) -> bool:
    """Say whether a store has a schema of ours, of whatever age. Raises: StoreError."""
    with store.read() as conn:
        return _revision(conn) is not None


def schema_of(store: Store) -> Schema:
    """Return which schema a store has. Raises: StoreError."""
    with store.read() as conn:
        revision = _revision(conn)
    if revision == _scripts().get_current_head():
        return Schema.CURRENT
    return Schema.OLDER if revision is None or revision in _known() else Schema.NEWER


def require_current(store: Store) -> None:
    """Make sure that the store has exactly the schema of this software. Raises: StoreError."""
    with store.read() as conn:
        if _refuse_newer(conn) != _scripts().get_current_head():
            raise StoreError("the database is not set up for this version; run tadaima-server init")


def _refuse_newer(conn: Connection) -> str | None:
    """Return the store's revision, None for an empty one."""
    revision = _revision(conn)
    if revision is not None and revision not in _known():
        raise StoreError(
            f"the database has schema {revision}, which a newer version made; install that version, or restore a backup"
        )
    return revision


def _revision(conn: Connection) -> str | None:
    return MigrationContext.configure(conn).get_current_revision()


def _known() -> set[str]:
    return {script.revision for script in _scripts().walk_revisions()}


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files(__name__)).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
