"""The child's screen in a real browser: what it looks like, what it says by itself, what a finger does."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect

from attendance.catalogue import Language
from attendance.clock import ClockReading, ManualClock, now
from attendance.records import Direction
from attendance.roster import DisplayName
from kiosk.answer import AnswerKind
from kiosk.screen import Screen, ScreenServer
from tests.kiosk.screen_parts import AFTERNOON, CAT, FROG, OWL, WHALE, RememberedPresses, answer, door_status, screen

SIZES: dict[str, ViewportSize] = {
    "800x480": {"width": 800, "height": 480},
    "1280x800": {"width": 1280, "height": 800},
    "720x1280": {"width": 720, "height": 1280},
}
IN_DOCUMENTS = {
    ("800x480", Language.JA): "",
    ("800x480", Language.JA_EASY): "-ja_easy",
    ("1280x800", Language.JA): "-1280x800",
    ("1280x800", Language.JA_EASY): "-1280x800-ja_easy",
}
"""Whose pictures `docs/screens` holds, and how their names end; CONTRIBUTING says how to renew them."""
PALETTE = 128
GREETED_AT = (("in_morning", AnswerKind.IN, 9), ("out_day", AnswerKind.OUT, 9), ("out", AnswerKind.OUT, 17))
LONG_NAMES = [
    DisplayName("神無月 俊之輔", "かんなづき しゅんのすけ"),
    DisplayName("勘解由小路 左衛門三郎", "かでのこうじ さえもんさぶろう"),
    DisplayName("マリア・フェルナンダ・ゴンサレス・デ・ラ・クルス", "まりあ ふぇるなんだ ごんされす でら くるす"),
]
WITH_UNDO = {AnswerKind.IN, AnswerKind.OUT}
# What no child should meet: text cut off or outside the screen, two things on top of each other.
BADLY_PLACED = """() => {
    const shown = ["#time", "#present", "#title", "#name", "#note", "#staff", "#figure", "#picture", "#choices",
                   "#undo", "#signs", "#recent"].map((id) => document.querySelector(id))
        .filter((element) => element.checkVisibility() && element.getBoundingClientRect().width > 0);
    const bad = [];
    const box = (element) => element.getBoundingClientRect();
    for (const element of shown) {
        const {left, top, right, bottom} = box(element);
        const outside = left < 0 || top < 0 || right > innerWidth + 0.5 || bottom > innerHeight + 0.5;
        if (outside) bad.push(`${element.id} outside`);
        if (element.scrollWidth > element.clientWidth + 1 && element.clientWidth) bad.push(`${element.id} cut off`);
    }
    for (const one of shown) for (const other of shown) {
        if (one.id >= other.id || one.contains(other) || other.contains(one)) continue;
        const a = box(one), b = box(other);
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
            bad.push(`${one.id} on ${other.id}`);
    }
    return bad;
}"""


# Draws the answer and presses its button in one breath, as a finger does that was meant for the button before.
HASTY_FINGER = """() => new MutationObserver((_, observer) => {
    observer.disconnect();
    document.querySelector("#undo").click();
}).observe(document.querySelector("#mark"), {attributes: true, attributeFilter: ["aria-label"]})"""


class HeldClock(ManualClock):
    """A clock that can be held, and with it the whole screen: a process that hangs."""

    def __init__(self) -> None:
        super().__init__(AFTERNOON)
        self.runs = threading.Event()
        self.runs.set()

    def read(self) -> ClockReading:
        self.runs.wait()
        return super().read()


@pytest.fixture
def presses() -> RememberedPresses:
    return RememberedPresses()


@pytest.fixture
def shown(presses: RememberedPresses) -> Screen:
    return screen(presses)


@pytest.fixture
def server(shown: Screen) -> Iterator[ScreenServer]:
    with serving(shown) as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: ScreenServer) -> Iterator[Page]:
    with opened(browser, server) as watching:
        yield watching


@contextmanager
def serving(shown: Screen, port: int = 0) -> Iterator[ScreenServer]:
    server = ScreenServer(shown, "127.0.0.1", port)
    server.start()
    yield server
    server.stop()


@contextmanager
def opened(browser: Browser, server: ScreenServer, size: str = "800x480", **options: Any) -> Iterator[Page]:
    context = browser.new_context(viewport=SIZES[size], **options)
    page = context.new_page()
    page.goto(server.url)
    expect(page.locator("#stale")).to_be_hidden()
    yield page
    context.close()


def see(page: Page, kind: str) -> None:
    expect(page.locator("body")).to_have_attribute("data-kind", kind)


def shrink(picture: Path) -> None:
    """Give a picture for the documents few colours, so that its file is small."""
    with Image.open(picture) as full:
        few = full.convert("RGB").quantize(PALETTE, dither=Image.Dither.NONE)
    few.save(picture, optimize=True)


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("size", SIZES)
def test_every_answer_fits_every_screen(
    browser: Browser, screenshots: Path, tmp_path: Path, size: str, language: Language
) -> None:
    clock = ManualClock(AFTERNOON)
    shown = screen(clock=clock, language=language)
    ending = IN_DOCUMENTS.get((size, language), "")
    folder = pictures = screenshots if (size, language) in IN_DOCUMENTS else tmp_path
    badly: dict[str, list[str]] = {}
    with serving(shown) as server, opened(browser, server, size) as page:

        def look(name: str) -> None:
            if problems := page.evaluate(BADLY_PLACED):
                badly[name] = problems
            path = folder / f"kiosk-{name}{ending}.png"
            page.screenshot(path=path)
            if folder != tmp_path:
                shrink(path)

        shown.status(door_status())
        expect(page.locator("#signs li")).to_have_count(1)
        look("idle")
        shown.status(door_status(connected=False, unsent=37, readers_down=("door-nfc", "door-qr"), short_of_space=True))
        expect(page.locator("#signs .trouble")).to_have_count(4)
        look("trouble")
        shown.status(door_status())
        for number, kind in enumerate(AnswerKind):
            shown.show(answer(number, kind, undo_s=8 if kind in WITH_UNDO else 0))
            see(page, kind)
            look(kind)
        for number, (name, kind, hour) in enumerate(GREETED_AT, start=50):
            clock.step((AFTERNOON.replace(hour=hour) - now(clock)).total_seconds())
            shown.show(answer(number, kind, undo_s=8))
            expect(page.locator("#title")).to_have_text(shown.words.text(f"screen.{name}.title"))
            look(name)
        clock.step((AFTERNOON - now(clock)).total_seconds())
        for number, mark in enumerate((OWL, FROG, WHALE, CAT), start=100):
            shown.show(answer(number, AnswerKind.IN if number % 2 else AnswerKind.OUT, mark=mark, name=None, undo_s=8))
        expect(page.locator("#recent li")).to_have_count(3)
        look("rush")
        folder = tmp_path
        for number, (kind, long) in enumerate(product((AnswerKind.IN, AnswerKind.STAFF), LONG_NAMES), start=200):
            shown.show(answer(number, kind, name=long, undo_s=8 if kind in WITH_UNDO else 0))
            expect(page.locator("#name")).to_contain_text(long.kana)
            look(f"name-{number}")
        server.stop()
        expect(page.locator("#stale")).to_be_visible()
        folder = pictures
        look("stale")
    assert badly == {}


def test_axe_finds_nothing_wrong_with_any_answer(
    shown: Screen, page: Page, violations: Callable[[Page], list[str]]
) -> None:
    shown.status(door_status(connected=False, unsent=37, readers_down=("door-nfc",)))
    expect(page.locator("#signs .trouble")).to_have_count(3)
    wrong = {"idle": violations(page)}
    for number, kind in enumerate(AnswerKind):
        shown.show(answer(number, kind, undo_s=8))
        see(page, kind)
        wrong[kind] = violations(page)
    assert {kind: found for kind, found in wrong.items() if found} == {}


def test_the_mark_fills_a_third_of_the_height_and_the_way_back_fits_a_small_thumb(shown: Screen, page: Page) -> None:
    shown.show(answer(undo_s=8))
    see(page, "in")
    mark, undo = page.locator("#mark").bounding_box(), page.locator("#undo").bounding_box()
    assert mark is not None
    assert undo is not None
    assert mark["height"] >= 0.35 * 480
    assert undo["height"] >= 72


def test_the_page_asks_nobody_but_the_kiosk_and_nothing_is_refused_to_it(
    browser: Browser, shown: Screen, server: ScreenServer
) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(error.message))
    page.goto(server.url)
    shown.show(answer(undo_s=8))
    see(page, "in")
    page.locator("#undo").click()
    see(page, "undone")
    context.close()
    assert {url for url in asked if not url.startswith(server.url)} == set()
    assert complaints == []


@pytest.mark.parametrize("language", list(Language))
def test_an_answer_is_read_aloud_at_once(browser: Browser, language: Language) -> None:
    shown = screen(language=language)
    with serving(shown) as server, opened(browser, server) as page:
        shown.show(answer())
        see(page, "in")
        live = page.locator("[aria-live=assertive]")
        expect(live).to_contain_text(shown.words.text("screen.in.title"))
        expect(live).to_contain_text(shown.words.text("screen.name", kana="たなか はな"))


def test_an_answer_leaves_by_itself_when_its_time_is_over(browser: Browser) -> None:
    clock = ManualClock(AFTERNOON)
    shown = screen(clock=clock)
    with serving(shown) as server, opened(browser, server) as page:
        shown.show(answer())
        see(page, "in")
        clock.advance(4)
        see(page, "idle")


def test_red_stays_until_a_record_is_written_again(browser: Browser) -> None:
    clock = ManualClock(AFTERNOON)
    shown = screen(clock=clock)
    with serving(shown) as server, opened(browser, server) as page:
        shown.show(answer(1, AnswerKind.BROKEN))
        see(page, "broken")
        shown.show(answer(2, AnswerKind.FOREIGN))
        see(page, "foreign")
        clock.advance(3600)
        see(page, "broken")
        shown.show(answer(3))
        see(page, "in")
        clock.advance(3600)
        see(page, "idle")


def test_a_finger_takes_the_movement_back(shown: Screen, page: Page, presses: RememberedPresses) -> None:
    shown.show(answer(7, undo_s=8))
    page.locator("#undo").click()
    see(page, "undone")
    expect(page.locator("#undo")).to_be_hidden()
    assert presses.undone == [7]


def test_a_keyboard_takes_the_movement_back(shown: Screen, page: Page, presses: RememberedPresses) -> None:
    shown.show(answer(7, undo_s=8))
    expect(page.locator("#undo")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("#undo")).to_be_focused()
    page.keyboard.press("Enter")
    see(page, "undone")
    assert presses.undone == [7]


def test_a_scanner_that_types_presses_nothing(shown: Screen, page: Page, presses: RememberedPresses) -> None:
    shown.show(answer(7, AnswerKind.ASK))
    see(page, "ask")
    page.keyboard.type("TABCDEFGHIJKLMNOPQRSTUVWXYZ23")
    page.keyboard.press("Enter")
    shown.show(answer(8, undo_s=8))
    see(page, "in")
    page.keyboard.press("Enter")
    assert (presses.chosen, presses.undone) == ([], [])


@pytest.mark.parametrize("direction", list(Direction))
def test_a_finger_says_which_way(shown: Screen, page: Page, presses: RememberedPresses, direction: Direction) -> None:
    shown.show(answer(7, AnswerKind.ASK))
    page.locator(f".choice[data-direction={direction}]").click()
    see(page, "in" if direction is Direction.ENTRY else "out")
    assert presses.chosen == [(7, direction)]


def test_a_finger_that_came_down_on_one_answer_does_not_undo_the_next(
    shown: Screen, page: Page, presses: RememberedPresses
) -> None:
    shown.show(answer(7, undo_s=8))
    page.locator("#undo").hover()
    page.mouse.down()
    shown.show(answer(8, AnswerKind.OUT, mark=OWL, undo_s=8))
    see(page, "out")
    with page.expect_request("**/undo/*") as pressed:
        page.mouse.up()
    assert pressed.value.url.endswith("/undo/7")


def test_a_finger_that_comes_just_after_the_next_answer_undoes_nothing(
    shown: Screen, page: Page, presses: RememberedPresses
) -> None:
    shown.show(answer(7, undo_s=8))
    expect(page.locator("#undo")).to_be_visible()
    page.evaluate(HASTY_FINGER)
    shown.show(answer(8, AnswerKind.OUT, mark=OWL, undo_s=8))
    see(page, "out")
    shown.show(answer(9, AnswerKind.AGAIN_IN))
    see(page, "again_in")
    assert presses.undone == []


def test_a_press_that_the_door_cannot_take_calls_for_a_teacher(shown: Screen, page: Page) -> None:
    shown.show(answer(7, undo_s=8))
    page.route("**/undo/*", lambda route: route.fulfill(status=500))
    page.locator("#undo").click()
    expect(page.locator("#stale")).to_be_visible()
    expect(page.locator("#stale")).to_be_hidden()


def test_a_process_that_hangs_turns_the_page_grey_and_its_return_ends_it(browser: Browser) -> None:
    clock = HeldClock()
    with serving(screen(clock=clock)) as server, opened(browser, server) as page:
        clock.runs.clear()
        expect(page.locator("#stale")).to_be_visible()
        expect(page.locator("#stale")).to_contain_text("せんせいを よんでね")
        clock.runs.set()
        expect(page.locator("#stale")).to_be_hidden()


def test_a_door_that_hangs_behind_its_screen_turns_the_page_grey(browser: Browser) -> None:
    clock = ManualClock(AFTERNOON)
    shown = screen(clock=clock)
    shown.status(door_status())
    with serving(shown) as server, opened(browser, server) as page:
        clock.advance(3)
        expect(page.locator("#stale")).to_be_visible()
        shown.status(door_status())
        expect(page.locator("#stale")).to_be_hidden()


def test_a_new_door_process_finds_its_page_again(browser: Browser) -> None:
    presses = RememberedPresses()
    with serving(screen()) as server, opened(browser, server) as page:
        server.stop()
        expect(page.locator("#stale")).to_be_visible()
        successor = screen(presses)
        successor.show(answer(7, undo_s=8))
        with serving(successor, server.port):
            expect(page.locator("#stale")).to_be_hidden()
            page.locator("#undo").click()
            see(page, "undone")
    assert presses.undone == [7]


def test_two_pages_show_the_same(browser: Browser, shown: Screen, server: ScreenServer, page: Page) -> None:
    with opened(browser, server) as other:
        shown.show(answer())
        for each in (page, other):
            see(each, "in")


def test_nothing_moves_for_who_asked_for_calm(browser: Browser, shown: Screen, server: ScreenServer) -> None:
    moving = "() => document.getAnimations().length"
    with opened(browser, server) as lively, opened(browser, server, reduced_motion="reduce") as calm:
        assert (lively.evaluate(moving), calm.evaluate(moving)) == (2, 0)
        shown.show(answer(1, AnswerKind.BROKEN))
        see(lively, "broken")
        see(calm, "broken")
        assert (lively.evaluate(moving), calm.evaluate(moving)) == (1, 0)
