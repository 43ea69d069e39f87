"""The screen's web application: who may look, who may press, and what every answer carries."""

import json
from itertools import islice

import pytest
from flask.testing import FlaskClient

from attendance.records import Direction
from attendance.roster import COLOUR_HEX
from kiosk.answer import AnswerKind
from kiosk.screen import Screen
from kiosk.screen.app import TOKEN_HEADER, create_app
from tests.kiosk.screen_parts import RememberedPresses, answer, screen

HOME = "http://127.0.0.1:8750"


@pytest.fixture
def presses() -> RememberedPresses:
    return RememberedPresses()


@pytest.fixture
def shown(presses: RememberedPresses) -> Screen:
    return screen(presses)


@pytest.fixture
def client(shown: Screen) -> FlaskClient:
    return create_app(shown).test_client()


def by_own_page(shown: Screen, **more: str) -> dict[str, str]:
    return {TOKEN_HEADER: shown.process, "Origin": HOME, "Sec-Fetch-Site": "same-origin"} | more


def test_the_page_speaks_the_language_of_the_kiosk(client: FlaskClient) -> None:
    page = client.get("/", base_url=HOME).text
    assert '<html lang="ja">' in page
    assert "まちがえた" in page


@pytest.mark.parametrize("path", ["/", "/events", "/colours.css", "/static/screen.js", "/nowhere"])
def test_every_response_is_sealed(client: FlaskClient, path: str) -> None:
    response = client.get(path, base_url=HOME)
    response.close()
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in response.headers


def test_the_page_holds_no_script_and_no_style_of_its_own(client: FlaskClient) -> None:
    page = client.get("/", base_url=HOME).text
    assert "<style" not in page
    assert "style=" not in page
    assert page.count("<script") == page.count('<script type="module" src="/static/') == 2


def test_every_colour_of_a_mark_has_its_rule(client: FlaskClient) -> None:
    css = client.get("/colours.css", base_url=HOME).text
    assert [css.count(f'"{colour}"') for colour in COLOUR_HEX] == [1] * len(COLOUR_HEX)
    assert all(value in css for value in COLOUR_HEX.values())


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8750", "127.0.0.1.evil.example", "192.168.1.7:8750"])
def test_a_name_that_was_bent_to_this_machine_is_turned_away(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8750", "localhost:8750", "[::1]:8750", "localhost"])
def test_the_names_of_this_machine_are_served(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


def test_the_first_message_of_a_stream_is_what_is_shown_now(client: FlaskClient, shown: Screen) -> None:
    shown.show(answer(7))
    response = client.get("/events", base_url=HOME)
    retry, first = (chunk.decode() for chunk in islice(response.response, 2) if isinstance(chunk, bytes))
    response.close()
    assert retry == "retry: 500\n\n"
    assert first.startswith("data: {")
    assert first.endswith("}\n\n")
    assert json.loads(first.removeprefix("data: "))["answer"] == 7
    assert shown.pages == 0


def test_a_press_takes_the_shown_movement_back(client: FlaskClient, shown: Screen, presses: RememberedPresses) -> None:
    shown.show(answer(7, undo_s=8))
    response = client.post("/undo/7", base_url=HOME, headers=by_own_page(shown))
    assert (response.status_code, presses.undone) == (204, [7])
    assert shown.view().kind == AnswerKind.UNDONE


def test_a_press_chooses_the_way(client: FlaskClient, shown: Screen, presses: RememberedPresses) -> None:
    response = client.post("/choose/7/exit", base_url=HOME, headers=by_own_page(shown))
    assert (response.status_code, presses.chosen) == (204, [(7, Direction.EXIT)])
    assert shown.view().kind == AnswerKind.OUT


@pytest.mark.parametrize(
    "more",
    [
        {TOKEN_HEADER: ""},
        {TOKEN_HEADER: "a guess"},
        {TOKEN_HEADER: "あてずっぽう".encode().decode("latin-1")},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_press_by_anything_but_the_own_page_does_nothing(
    client: FlaskClient, shown: Screen, presses: RememberedPresses, more: dict[str, str]
) -> None:
    for path in ("/undo/7", "/choose/7/entry"):
        assert client.post(path, base_url=HOME, headers=by_own_page(shown, **more)).status_code == 403
    assert (presses.undone, presses.chosen) == ([], [])


def test_another_site_cannot_take_up_the_streams(client: FlaskClient, shown: Screen) -> None:
    assert client.get("/events", base_url=HOME, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert shown.pages == 0


@pytest.mark.parametrize("path", ["/undo/-1", "/undo/x", "/choose/7/up", "/choose/7"])
def test_a_press_on_nothing_is_not_found(client: FlaskClient, shown: Screen, path: str) -> None:
    assert client.post(path, base_url=HOME, headers=by_own_page(shown)).status_code == 404


@pytest.mark.parametrize("path", ["/undo/7", "/choose/7/entry"])
def test_looking_presses_nothing(client: FlaskClient, presses: RememberedPresses, path: str) -> None:
    assert client.get(path, base_url=HOME).status_code == 405
    assert presses.undone == []
