"""The real server under test: the app on a real database, over sockets or without, restored to what that held."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from flask import Flask
from requests.adapters import HTTPAdapter
from sqlalchemy import insert, select
from urllib3.response import HTTPResponse

from attendance.catalogue import Language
from attendance.clock import ManualClock, from_ms, local_day
from attendance.presence import Movement
from attendance.signatures import key_id
from bench.sync_model.database import Database
from server.app import create_app
from server.backup.restore import take_as_sent
from server.catalogues import catalogues
from server.config import ServerSettings
from server.enrolment import issue, redeem
from server.headcount import movements_of_day
from server.keys import load_secrets, make_secrets
from server.roster.apply import apply
from server.roster.check import RosterGuardian, RosterRow
from server.services import Services, bind
from server.store import tables
from server.store.engine import Store, open_store
from server.store.ids import child_id_of, new_id
from server.store.migrations import migrate

NOON = datetime(2026, 4, 15, 3, tzinfo=UTC)
CHILDREN = 3
LATE = 2
"""Children who are enrolled in the midst of it all."""
SITE_CODE = "sakura"
_FIRST_DAY = date(2020, 4, 1)
_WORDS = catalogues()[Language.EN]


class RealServer:
    """One app for many lives: to begin anew is to be restored. Thread: one, but for what it serves."""

    def __init__(self, folder: Path, database: Database) -> None:
        self._database = database
        self.clock = ManualClock(NOON)
        make_secrets(folder)
        self._settings = ServerSettings(data_dir=str(folder), database_url=self._database.url)
        self._secrets = load_secrets(folder)
        self.store = open_store(self._settings.store_url)
        migrate(self.store)
        self.site, known = self._fill(self.store)
        late = (child_id_of(self._secrets.names, _row(number).number) for number in range(CHILDREN, CHILDREN + LATE))
        self.children = (*known, *late)
        """Those of the beginning, and those who come later."""
        self.app: Flask = create_app(self._settings, self.store, self.clock)
        self.beginning = self.backup()
        """What each life begins with."""

    def begin_anew(self) -> None:
        """Go back to the beginning, and its time."""
        self.clock = ManualClock(NOON)
        self._put(self.beginning)

    def backup(self) -> Any:
        """Return what the database holds, with every connection to it closed."""
        self.store.close()
        return self._database.content()

    def restore(self, content: Any) -> None:
        """Go back to what the database held then."""
        self._put(content)
        take_as_sent(self.store, self.clock.read().wall_ms)

    def _put(self, content: Any) -> None:
        self.store.close()
        self._database.put(content)
        self.store = open_store(self._settings.store_url)
        services = Services(settings=self._settings, store=self.store, clock=self.clock, secrets=self._secrets)
        bind(self.app, services)

    def enrol(self, public: Ed25519PublicKey) -> str:
        """Make a kiosk of a key, as the office and an installer do, and return its id."""
        now_ms = self.clock.read().wall_ms
        with self.store.write() as conn:
            code = issue(conn, SITE_CODE, "door", now_ms, who="bench").code
        return str(redeem(self.store, code, public, "bench", now_ms).id)

    def knows(self, key: Ed25519PrivateKey) -> bool:
        """Say whether a kiosk with this key is enrolled."""
        with self.store.read() as conn:
            asked = select(tables.kiosk.c.id).where(tables.kiosk.c.key_id == key_id(key.public_key()))
            return conn.execute(asked).first() is not None

    def known(self) -> set[int]:
        """Return which of the children are on the roster."""
        with self.store.read() as conn:
            ids = set(conn.execute(select(tables.child.c.id)).scalars())
        return {number for number, child in enumerate(self.children) if child in ids}

    def import_roster(self, late: Iterable[int]) -> None:
        """Bring in a file of those of the children who come later."""
        with self.store.write() as conn:
            rows = [_row(number) for number in sorted(late)]
            apply(conn, self.site, rows, _WORDS, self.clock.read().wall_ms, master=self._secrets.names)

    def movements(self, at_ms: int) -> list[Movement]:
        """Return what counts on the local day of an instant."""
        with self.store.read() as conn:
            return movements_of_day(conn, self.site, local_day(from_ms(at_ms)))

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what the database holds, past all of the server's own code."""
        return self._database.ask(sql)

    def close(self) -> None:
        self.store.close()

    @staticmethod
    def _fill(store: Store) -> tuple[str, tuple[str, ...]]:
        site, children = new_id(), tuple(new_id() for _ in range(CHILDREN))
        with store.write() as conn:
            conn.execute(insert(tables.site).values(id=site, code=SITE_CODE, name="Sakura"))
            for number, child in enumerate(children):
                mark = {"animal": "cat", "colour": "blue"}
                conn.execute(
                    insert(tables.child).values(id=child, number=f"N{number}", name="Child", kana="ko", **mark)
                )
                enrolled = {"child_id": child, "site_id": site, "from_day": _FIRST_DAY}
                conn.execute(insert(tables.enrolment).values(id=new_id(), **enrolled))
                guardian = new_id()
                told = {"email": f"g{number}@example.jp", "consented_at_ms": 0}
                conn.execute(insert(tables.guardian).values(id=guardian, **told))
                conn.execute(insert(tables.guardianship).values(guardian_id=guardian, child_id=child))
        return site, children


def _row(number: int) -> RosterRow:
    guardian = RosterGuardian(
        name="Guardian", email=f"g{number}@example.jp", language=Language.JA, consented_on=_FIRST_DAY
    )
    return RosterRow(
        row=2 + number,
        number=f"N{number}",
        name="Child",
        kana="ko",
        school_class="",
        unit="",
        from_day=_FIRST_DAY,
        until_day=None,
        weekdays="1111100",
        guardians=(guardian,),
    )


class Shortcut(HTTPAdapter):
    """Brings a request to the server's app without a socket between them."""

    def __init__(self, app: Flask) -> None:
        super().__init__()
        self._client = app.test_client()

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
        """Return the app's answer, as requests gives it."""
        parts = urlsplit(request.url or "")
        answer = self._client.open(
            parts.path,
            method=request.method,
            query_string=parts.query,
            data=request.body,
            headers=[(name, value) for name, value in request.headers.items() if name != "Content-Length"],
        )
        return response_of(request, answer.status_code, dict(answer.headers), answer.data)


def response_of(
    request: requests.PreparedRequest, status: int, headers: dict[str, str], body: bytes
) -> requests.Response:
    """Return an answer as requests gives it, made of its parts."""
    response = requests.Response()
    response.status_code, response.request, response.url = status, request, request.url or ""
    response.headers.update(headers)
    response.raw = HTTPResponse(body=BytesIO(body), headers=headers, status=status, preload_content=False)
    return response
