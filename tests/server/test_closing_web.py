"""What does not add up, on the staff page, for programs, and in the office's files."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Row

from attendance.catalogue import Language
from attendance.clock import ManualClock
from server.config import ServerSettings
from server.store import tables
from server.store.engine import Store
from tests.server import factories as make
from tests.server import web_site as web

pytestmark = pytest.mark.usefixtures("quick_passwords")

HOUR_MS = 60 * web.MINUTE_MS


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(web.AFTERNOON)


@pytest.fixture
def site(store: Store) -> Row[Any]:
    row = make.site(store, code="A", closes_at="19:00")
    web.add_login(store, "staff", site="A", language=Language.EN)
    web.add_login(store, "office", language=Language.EN)
    return row


@pytest.fixture
def app(store: Store, site: Row[Any], tmp_path: Path, clock: ManualClock) -> Flask:
    return web.pages(store, ServerSettings(data_dir=str(tmp_path)), clock)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser of staff."""
    client = app.test_client()
    web.log_in(client, "staff")
    return client


@pytest.fixture
def back(store: Store, site: Row[Any]) -> str:
    held: str = make.kiosk(store, site_id=site.id, name="Back").id
    return held


@pytest.fixture
def child(store: Store) -> str:
    held: str = make.child(store, name="Hana", kana="はな").id
    return held


def page(client: FlaskClient) -> str:
    return " ".join(client.get("/site/A").text.split())


def told(client: FlaskClient) -> dict[str, Any]:
    answer: dict[str, Any] = client.get("/site/A/now.json").get_json()
    return answer


def moves(store: Store, site: Row[Any], child: str, minutes: int, **values: Any) -> Row[Any]:
    """A movement so many minutes after 15:00."""
    at_ms = web.AFTERNOON_MS - HOUR_MS + minutes * web.MINUTE_MS
    return make.movement(store, site_id=site.id, child_id=child, at_ms=at_ms, **values)


def test_a_day_that_adds_up_has_nothing_to_check(client: FlaskClient, store: Store, site: Row[Any], child: str) -> None:
    moves(store, site, child, 0)
    moves(store, site, child, 30, direction="exit")
    moves(store, site, child, 40)
    assert "Please check" not in page(client)
    assert told(client)["contradictions"] == []


@pytest.mark.parametrize(
    ("ways", "said"),
    [
        (["entry", "entry"], "Came at 15:00, and came again at 15:10 without having left."),
        (["exit"], "Left at 15:00 without having come."),
        (["entry", "exit", "exit"], "Left at 15:10, and left again at 15:20 without having come back."),
    ],
)
def test_a_contradiction_is_told_in_a_plain_sentence_with_where_and_how(
    client: FlaskClient, store: Store, site: Row[Any], child: str, back: str, ways: list[str], said: str
) -> None:
    for number, way in enumerate(ways):
        moves(store, site, child, 10 * number, direction=way, kiosk_id=back, made_by="staff")
    shown = page(client)
    assert "Please check" in shown
    assert said in shown
    assert "Back, by staff" in shown
    assert shown.count("data-contradiction=") == 1


def test_a_movement_of_no_kiosk_is_told_by_how_it_was_made(
    client: FlaskClient, store: Store, site: Row[Any], child: str
) -> None:
    moves(store, site, child, 0, direction="exit", made_by="button")
    assert '<span class="where">by button</span>' in page(client)


def test_programs_read_contradictions_with_how_sure_their_times_are(
    client: FlaskClient, store: Store, site: Row[Any], child: str, back: str
) -> None:
    first = moves(store, site, child, 0, at_err_ms=1_200)
    again = moves(store, site, child, 10, kiosk_id=back, at_source="unsettled", at_err_ms=90_000)
    now = told(client)
    assert now["present"] == [
        {"id": child, "name": "Hana", "since_ms": first.at_ms, "since_err_ms": 1_200, "since_source": "anchor"}
    ]
    assert now["contradictions"] == [
        {
            "key": f"entry_again:{again.id}",
            "kind": "entry_again",
            "child": child,
            "name": "Hana",
            "at_ms": again.at_ms,
            "at_err_ms": 90_000,
            "at_source": "unsettled",
            "before_ms": first.at_ms,
            "before_err_ms": 1_200,
            "before_source": "anchor",
            "kiosk": "Back",
            "by": "card",
        }
    ]


def test_a_contradiction_and_what_a_time_is_worth_make_a_screen_ask_for_more(
    client: FlaskClient, store: Store, site: Row[Any], child: str
) -> None:
    moves(store, site, child, 0)
    again = {"If-None-Match": client.get("/site/A/now").headers["ETag"].strip('"')}
    assert client.get("/site/A/now", headers=again).status_code == 304
    second = moves(store, site, child, 10)
    answer = client.get("/site/A/now", headers=again)
    assert answer.status_code == 200
    again = {"If-None-Match": answer.headers["ETag"].strip('"')}
    assert client.get("/site/A/now", headers=again).status_code == 304
    with store.write() as conn:
        conn.execute(tables.movement.update().where(tables.movement.c.id == second.id).values(at_err_ms=200_000))
    answer = client.get("/site/A/now", headers=again)
    assert answer.status_code == 200
    assert "±4 min" in answer.text


@pytest.mark.parametrize(
    ("source", "err_ms", "said"),
    [
        ("anchor", 59_000, None),
        ("wall", 61_000, "±2 min"),
        ("unsettled", None, "time not settled"),
        ("unsettled", 600_000, "14:50 to 15:10"),
    ],
)
def test_how_sure_a_time_is_stands_beside_it(
    client: FlaskClient, store: Store, site: Row[Any], child: str, source: str, err_ms: int | None, said: str | None
) -> None:
    moves(store, site, child, 0, at_source=source, at_err_ms=err_ms)
    shown = page(client)
    assert said is None or said in shown
    assert ("±" in shown, "time not settled" in shown) == ("±" in (said or ""), source == "unsettled")


def test_staff_are_told_of_children_without_an_exit_when_the_site_has_closed(
    client: FlaskClient, store: Store, site: Row[Any], child: str, clock: ManualClock
) -> None:
    moves(store, site, child, 0)
    assert "1 child has no exit" not in page(client)
    clock.advance(3 * 3600)
    assert "It is past 19:00" in page(client)
    assert "1 child has no exit" in page(client)
    moves(store, site, child, 200, direction="exit")
    assert "It is past" not in page(client)


def test_the_office_sees_how_many_and_takes_the_list_away(
    app: Flask, store: Store, site: Row[Any], child: str, back: str
) -> None:
    office = app.test_client()
    web.log_in(office, "office")
    moves(store, site, child, 0, direction="exit", kiosk_id=back)
    shown = " ".join(office.get("/").text.split())
    assert 'data-contradictions data-label="Do not fit"><span class="tag late">1</span>' in shown
    (row,) = csv.DictReader(io.StringIO(office.get("/report/A/2026-04-15.csv").data.decode("utf-8-sig"), newline=""))
    assert row["Records that do not fit"] == "1"
