"""A real PostgreSQL for tests and bench: a cluster of this process's own on a Unix socket, gone when it is closed.

As root it runs as another user, which PostgreSQL insists on. It ends with whoever started it, also by a kill.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import psycopg

from server.store.engine import using_store
from server.store.migrations import migrate
from server.store.tables import metadata

DEBIAN = Path("/usr/lib/postgresql")
"""Where Debian puts the programs of each version, off everybody's PATH."""
USER = "tadaima"
_MIGRATED = "migrated"
_STARTS_WITHIN_S = 60
_INITDB = [
    f"--username={USER}",
    "--auth=trust",
    "--no-sync",
    "--encoding=UTF8",
    # By a language, as on many servers: no text is sorted as bytes are unless we say so.
    "--locale=C.UTF-8",
    "--locale-provider=icu",
    "--icu-locale=ja",
]
_OPTIONS = {
    "fsync": "off",  # nobody cuts the power here
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "listen_addresses": "",
}
_FORGET = ";".join(
    [
        "SET lock_timeout = '10s'",  # a transaction that a test left open is told
        *(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)),
    ]
)


class Cluster:
    """A running cluster with a database of the newest schema, to be copied. Raises: RuntimeError, which says why."""

    def __init__(self) -> None:
        self._names = map("t{}".format, count())
        self._free: list[str] = []
        with ExitStack() as undo:
            self.folder = Path(tempfile.mkdtemp(prefix="tadaima-pg-"))  # short, as the path of a socket must be
            undo.callback(shutil.rmtree, self.folder)
            self._start(undo)
            self._execute(f"CREATE DATABASE {_MIGRATED} TEMPLATE template0")
            with using_store(self.url(_MIGRATED)) as store:
                migrate(store)
            self._undo = undo.pop_all()

    def close(self) -> None:
        """Stop it and remove all of it."""
        self._undo.close()

    def url(self, database: str) -> str:
        """Return the URL of one of its databases, as a server's settings name it."""
        return f"postgresql+psycopg://{USER}@/{database}?host={self.folder}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Return a connection past our code; each statement is a transaction of its own."""
        return psycopg.connect(host=str(self.folder), user=USER, dbname=database, autocommit=True)

    @contextmanager
    def database(self) -> Iterator[str]:
        """Give the URL of a database with the newest schema and no rows for as long as the block lasts.

        It is used again without its rows, which costs a tenth of a new one, unless a test took a table away.
        """
        if not self._free:
            self._free.append(self._create(f"TEMPLATE {_MIGRATED}"))
        name = self._free.pop()
        yield self.url(name)
        try:
            with self.connect(name) as connection:
                connection.execute(_FORGET)
        except psycopg.errors.UndefinedTable:
            self._drop(name)
        else:
            self._free.append(name)

    @contextmanager
    def empty_database(self, options: str = "") -> Iterator[str]:
        """Give the URL of a database with nothing in it for as long as the block lasts, made with these options."""
        name = self._create(f"TEMPLATE template0 {options}")
        yield self.url(name)
        self._drop(name)

    def _create(self, options: str) -> str:
        name = next(self._names)
        self._execute(f"CREATE DATABASE {name} {options}")
        return name

    def _drop(self, name: str) -> None:
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with self.connect() as connection:
            connection.execute(statement.encode())

    def _start(self, undo: ExitStack) -> None:
        data, log = self.folder / "data", self.folder / "log"
        other = _other_user()
        if other is not None:
            os.chown(self.folder, other.pw_uid, other.pw_gid)
        as_user = [] if other is None else [f"--reuid={other.pw_uid}", f"--regid={other.pw_gid}", "--clear-groups"]
        run = ["setpriv", "--pdeathsig=QUIT", *as_user, "--"]
        options = [f"--{name}={value}" for name, value in _OPTIONS.items()]
        options.append(f"--unix-socket-directories={self.folder}")
        with log.open("wb") as said:
            made = subprocess.run(
                [*run, programs() / "initdb", *_INITDB, data], stdout=said, stderr=said, cwd=self.folder, check=False
            )
            if made.returncode:
                raise RuntimeError(f"initdb failed:\n{log.read_text()}")
            server = subprocess.Popen(
                [*run, programs() / "postgres", "-D", data, *options], stdout=said, stderr=said, cwd=self.folder
            )
        undo.callback(_stop, server)
        until = time.monotonic() + _STARTS_WITHIN_S
        while not self._answers():
            if server.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True


def programs() -> Path:
    """Return the folder of PostgreSQL's programs, of the newest version there is. Raises: RuntimeError."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve()] if on_path else []
    found += sorted(DEBIAN.glob("*/bin/initdb"), key=lambda each: int(each.parts[-3]), reverse=True)
    if not found:
        raise RuntimeError("PostgreSQL's server is missing: script/setup installs it, or your system's package manager")
    return found[0].parent


def _other_user() -> pwd.struct_passwd | None:
    """Return who is to run the server when this is root: PostgreSQL refuses to run as that."""
    if os.geteuid() != 0:
        return None
    by_name = {each.pw_name: each for each in pwd.getpwall()}
    return by_name.get("postgres") or by_name["nobody"]


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)  # ends all sessions and stops in order
    server.wait()
