"""The staff panel's requests: who may ask, what is told, and what an attacker gets."""

import json
import logging
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from attendance.clock import ManualClock
from attendance.records import Direction
from attendance.staff_pin import hash_pin
from kiosk.answer import AnswerKind
from kiosk.errors import CacheError
from kiosk.screen import Screen
from kiosk.screen.app import TOKEN_HEADER, create_app
from kiosk.screen.staff_panel import STAFF_HEADER
from tests.kiosk.screen_parts import AFTERNOON, screen
from tests.kiosk.staff_parts import PIN, RememberedEntries, children

HOME = "http://127.0.0.1:8750"
PATHS = ("unlock", "children", "stay", "enter", "lock")
MOVE = {"child": "child-1", "direction": "exit"}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AFTERNOON)


@pytest.fixture
def door() -> RememberedEntries:
    return RememberedEntries()


@pytest.fixture
def shown(door: RememberedEntries, clock: ManualClock) -> Screen:
    return screen(clock=clock, staff=door)


@pytest.fixture
def client(shown: Screen) -> FlaskClient:
    return create_app(shown).test_client()


class Page:
    """A page of the screen, with the tokens it was given."""

    def __init__(self, client: FlaskClient, shown: Screen) -> None:
        self._client = client
        self.headers = {TOKEN_HEADER: shown.process, "Origin": HOME, "Sec-Fetch-Site": "same-origin"}

    def ask(self, what: str, message: object = None, **more: str) -> TestResponse:
        body = message if isinstance(message, bytes) else json.dumps(message or {})
        headers = self.headers | more
        return self._client.post(f"/staff/{what}", data=body, headers=headers, base_url=HOME)

    def unlock(self, pin: str = PIN) -> None:
        self.headers[STAFF_HEADER] = said(self.ask("unlock", {"pin": pin}))["token"]


@pytest.fixture
def page(client: FlaskClient, shown: Screen) -> Page:
    return Page(client, shown)


def said(response: TestResponse) -> Any:
    return json.loads(response.data)


def test_the_pin_opens_the_children_and_a_movement_is_entered_and_shown(
    page: Page, shown: Screen, door: RememberedEntries
) -> None:
    page.unlock()
    found = said(page.ask("children"))["children"]
    assert {each["child"] for each in found} == {"child-0", "child-1", "child-2"}
    assert said(page.ask("enter", MOVE))["answer"] == 1001
    assert door.entered == [("child-1", Direction.EXIT)]
    assert shown.view().kind == AnswerKind.OUT


def test_a_page_that_is_not_unlocked_learns_no_name_and_enters_nobody(page: Page, door: RememberedEntries) -> None:
    for what, message in (("children", None), ("enter", MOVE), ("stay", {"touched": True})):
        response = page.ask(what, message, **{STAFF_HEADER: "a guess"})
        assert response.status_code == 401
        assert "いしかわ" not in response.text
    assert (door.entered, door.looks) == ([], 0)


def test_the_page_itself_holds_no_name_and_no_pin(client: FlaskClient, door: RememberedEntries) -> None:
    html = client.get("/", base_url=HOME).text
    assert PIN not in html
    assert str(door.pin) not in html
    assert "あおき" not in html


@pytest.mark.parametrize(
    "more",
    [
        {TOKEN_HEADER: ""},
        {TOKEN_HEADER: "a guess"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
    ],
)
def test_nobody_but_the_own_page_may_ask_even_with_the_token(
    page: Page, door: RememberedEntries, more: dict[str, str]
) -> None:
    page.unlock()
    for what in PATHS:
        assert page.ask(what, {"pin": PIN} | MOVE | {"touched": True}, **more).status_code in (403, 421)
    assert (door.entered, door.looks) == ([], 0)
    assert page.ask("stay", {"touched": False}).status_code == 204


@pytest.mark.parametrize("what", PATHS)
def test_looking_is_not_asking(client: FlaskClient, what: str) -> None:
    assert client.get(f"/staff/{what}", base_url=HOME).status_code == 405


def test_guessing_is_slow_and_told_kindly(page: Page, clock: ManualClock) -> None:
    answers = [page.ask("unlock", {"pin": f"{number:04}"}) for number in range(7)]
    assert [each.status_code for each in answers] == [403] * 4 + [429] * 3
    assert "ちがいます" in said(answers[0])["text"]
    assert (said(answers[-1])["wait_s"], "60びょう" in said(answers[-1])["text"]) == (60, True)
    assert page.ask("unlock", {"pin": PIN}).status_code == 429
    clock.advance(60)
    page.ask("unlock", {"pin": "0000"})
    assert "2ふん" in said(page.ask("unlock", {"pin": PIN}))["text"]
    clock.advance(120)
    page.unlock()


def test_a_token_is_of_no_use_after_the_panel_was_closed_or_stood_untouched(
    page: Page, door: RememberedEntries, clock: ManualClock
) -> None:
    page.unlock()
    assert page.ask("lock").status_code == 204
    assert page.ask("enter", MOVE).status_code == 401
    page.unlock()
    clock.advance(60)
    assert page.ask("enter", MOVE).status_code == 401
    assert door.entered == []


def test_touching_keeps_the_panel_and_another_pin_locks_it(
    page: Page, door: RememberedEntries, clock: ManualClock
) -> None:
    page.unlock()
    for _ in range(3):
        clock.advance(40)
        assert page.ask("stay", {"touched": True}).status_code == 204
    door.pin = hash_pin("9753")
    locked = page.ask("stay", {"touched": True})
    assert (locked.status_code, bool(said(locked)["text"])) == (401, True)


def test_a_child_who_is_gone_meanwhile_is_refused_kindly(page: Page, door: RememberedEntries) -> None:
    page.unlock()
    door.there = door.there[:1]
    gone = page.ask("enter", MOVE)
    assert (gone.status_code, "めいぼ" in said(gone)["text"]) == (410, True)
    assert page.ask("children").status_code == 200


def test_a_roster_that_cannot_be_read_is_said(
    page: Page, door: RememberedEntries, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable() -> None:
        raise CacheError("disk I/O error")

    page.unlock()
    monkeypatch.setattr(door, "children", unreadable)
    broken = page.ask("children")
    assert (broken.status_code, bool(said(broken)["text"])) == (503, True)


def test_a_site_without_a_pin_lets_nobody_in(page: Page, door: RememberedEntries) -> None:
    door.pin = None
    assert page.ask("unlock", {"pin": PIN}).status_code == 404


def test_a_screen_without_staff_has_no_panel() -> None:
    shown = screen()
    assert Page(create_app(shown).test_client(), shown).ask("unlock", {"pin": PIN}).status_code == 404


@pytest.mark.parametrize(
    ("what", "body", "status"),
    [
        ("unlock", b"", 400),
        ("unlock", b"[]", 400),
        ("unlock", b'{"pin": 471108}', 400),
        ("unlock", b'{"pin": "123456789"}', 400),
        ("unlock", b"\xff", 400),
        ("unlock", b"[" * 500, 400),
        ("unlock", b'{"pin": "' + b"1" * 100_000 + b'"}', 413),
        ("enter", b'{"child": "child-1", "direction": "up"}', 400),
        ("enter", b'{"child": null, "direction": "exit"}', 400),
        ("stay", b'{"touched": "yes"}', 400),
    ],
)
def test_what_no_page_of_ours_sends_does_nothing(
    page: Page, door: RememberedEntries, what: str, body: bytes, status: int
) -> None:
    page.unlock()
    assert page.ask(what, body).status_code == status
    assert door.entered == []
    assert [page.ask("unlock", {"pin": "0000"}).status_code for _ in range(4)] == [403] * 4


def test_every_answer_is_sealed_and_kept_by_nobody(page: Page) -> None:
    page.unlock()
    for what in PATHS:
        assert page.ask(what, {"touched": True}).headers["Cache-Control"] == "no-store"


def test_five_hundred_children_are_told_at_once(page: Page, door: RememberedEntries) -> None:
    door.there = children(500)
    page.unlock()
    assert len(said(page.ask("children"))["children"]) == 500


def test_no_log_holds_a_pin_or_a_token(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    page.ask("unlock", {"pin": "135790"})
    page.unlock()
    page.ask("children")
    page.ask("enter", MOVE)
    for secret in ("135790", PIN, page.headers[STAFF_HEADER], "child-1", "いしかわ"):
        assert secret not in caplog.text
