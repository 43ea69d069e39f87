"""The readers' view in a real browser: what an installer sees, on the kiosk's own screen and on a laptop."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from attendance.catalogue import Language
from hardware.synthetic_scene import Pose
from kiosk.config import ReaderKind, ReaderSettings
from kiosk.live.app import LiveServer
from kiosk.live.standing import CardBook
from kiosk.live.watched_reader import WatchedReaders
from kiosk.screen import ScreenServer
from kiosk.timekeeping import KioskClock
from tests.kiosk.door_parts import HANAS_TOKEN
from tests.kiosk.live_parts import book, fifo, still, watching, words
from tests.kiosk.screen_parts import screen

SIZES: dict[str, ViewportSize] = {
    "800x480": {"width": 800, "height": 480},
    "1280x800": {"width": 1280, "height": 800},
}
IN_DOCUMENTS = ("800x480", Language.JA)
"""Whose pictures `docs/screens` holds; CONTRIBUTING says how to renew them."""
NEAR = Pose(size=0.26, yaw=12, pitch=-8, roll=-6, thumb=0.05, thumb_at=45, x=0.44)
FAR = Pose(size=0.13, yaw=5, x=0.5, light=0.22)
POSTER = "HTTPS://EVIL.EXAMPLE/X"
HOSTILE = "<img src=x onerror=document.title='owned'>\u202e\x1b[2J" + "A" * 4096
# What nobody who aims a camera should meet: text cut off, a page wider than the screen.
BADLY_PLACED = """() => [...document.querySelectorAll("h1, h2, p, li, span, nav a, canvas")]
    .filter((element) => element.checkVisibility() && element.getBoundingClientRect().width > 0)
    .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5
        || element.getBoundingClientRect().left < 0
        || (element.clientWidth && element.scrollWidth > element.clientWidth + 1))
    .map((element) => `${element.tagName} ${element.className} ${element.textContent}`)"""
PAINTED = """([red, green, blue]) => {
    const canvas = document.querySelector("canvas");
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let painted = 0;
    for (let at = 0; at < data.length; at += 4)
        if (data[at] === red && data[at + 1] === green && data[at + 2] === blue && data[at + 3] === 255) painted += 1;
    return painted;
}"""
GREEN, ORANGE = [0, 224, 154], [255, 162, 31]


@pytest.fixture
def known(tmp_path: Path) -> Iterator[CardBook]:
    with book(tmp_path) as opened:
        yield opened


@contextmanager
def serving(readers: WatchedReaders, language: Language = Language.EN, port: int = 0) -> Iterator[LiveServer]:
    server = LiveServer(readers.each, words(language), KioskClock(), host="127.0.0.1", port=port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def opened(browser: Browser, url: str, size: str = "800x480") -> Iterator[Page]:
    context = browser.new_context(viewport=SIZES[size])
    page = context.new_page()
    page.goto(url)
    yield page
    context.close()


def door(folder: Path, pose: Pose, payload: str = HANAS_TOKEN.text) -> tuple[ReaderSettings, ...]:
    """A camera that sees a card, an NFC reader, and a scanner that is not plugged in."""
    device = folder / "nfc"
    if not device.exists():
        os.mkfifo(device)
    missing = ReaderSettings(name="scanner", kind=ReaderKind.KEYS, source="/dev/input/by-id/usb-Scanner-event-kbd")
    return still(folder, payload=payload, pose=pose), fifo(device), missing


def tap(folder: Path, *lines: str) -> None:
    with (folder / "nfc").open("w") as device:
        device.writelines(f"{line}\n" for line in lines)


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("size", SIZES)
def test_everything_fits_and_the_picture_is_seen_without_scrolling(
    browser: Browser,
    known: CardBook,
    screenshots: Path,
    tmp_path: Path,
    violations: Callable[[Page], list[str]],
    size: str,
    language: Language,
) -> None:
    folder = screenshots if (size, language) == IN_DOCUMENTS else tmp_path
    wrong: dict[str, list[str]] = {}
    for name, pose, tone in (("card", NEAR, "good"), ("far", FAR, "care")):
        with (
            watching(door(tmp_path, pose), known) as readers,
            serving(readers, language) as server,
            opened(browser, server.url, size) as page,
        ):
            expect(page.locator(".verdict")).to_have_attribute("data-tone", tone)
            expect(page.locator(".hints li")).to_have_count(0 if name == "card" else 1)
            expect(page.locator(".down .remedy")).to_be_visible()
            tap(tmp_path, f"nfc_text {HANAS_TOKEN.text}", "nfc_uid 04A1B2C3", "nfc_random_uid")
            expect(page.locator("#reader-1 .reads li")).to_have_count(3)
            expect(page.locator("section.seen")).to_have_count(1)
            wrong[name] = page.evaluate(BADLY_PLACED) + violations(page)
            canvas = page.locator("canvas").bounding_box()
            assert canvas is not None
            assert canvas["y"] + canvas["height"] <= SIZES[size]["height"]
            page.screenshot(path=folder / f"live-{name}.png")
            page.screenshot(path=tmp_path / f"whole-{name}.png", full_page=True)
    assert wrong == {"card": [], "far": []}


def test_a_card_is_outlined_in_green_and_another_code_in_orange(
    browser: Browser, known: CardBook, tmp_path: Path
) -> None:
    for payload, painted, other, tone in ((HANAS_TOKEN.text, GREEN, ORANGE, "good"), (POSTER, ORANGE, GREEN, "bad")):
        with (
            watching(door(tmp_path, NEAR, payload), known) as readers,
            serving(readers) as server,
            opened(browser, server.url) as page,
        ):
            expect(page.locator(".verdict")).to_have_attribute("data-tone", tone)
            expect(page.locator("section.seen")).to_have_count(1)
            page.wait_for_function(f"() => ({PAINTED})({painted}) > 500")
            assert page.evaluate(PAINTED, other) == 0


def test_the_picture_is_gone_from_the_page_when_the_view_has_ended(
    browser: Browser, known: CardBook, tmp_path: Path
) -> None:
    with (
        watching(door(tmp_path, NEAR), known) as readers,
        serving(readers) as server,
        opened(browser, server.url) as page,
    ):
        page.wait_for_function(f"() => ({PAINTED})({GREEN}) > 500")
        server.stop()
        expect(page.locator("#ended")).to_be_visible()
        page.wait_for_function(f"() => ({PAINTED})({GREEN}) === 0")


def test_the_picture_of_a_camera_that_is_lost_is_gone_and_the_remedy_is_there(
    browser: Browser, known: CardBook, tmp_path: Path
) -> None:
    with (
        watching(door(tmp_path, NEAR)[:1], known) as readers,
        serving(readers) as server,
        opened(browser, server.url) as page,
    ):
        page.wait_for_function(f"() => ({PAINTED})({GREEN}) > 500")
        for path in tmp_path.glob("frame_*.png"):
            path.unlink()
        expect(page.locator(".down .remedy")).to_be_visible()
        page.wait_for_function(f"() => ({PAINTED})({GREEN}) === 0")
        still(tmp_path, pose=NEAR)
        page.wait_for_function(f"() => ({PAINTED})({GREEN}) > 500")


def test_a_hostile_card_is_shown_as_what_it_is(browser: Browser, known: CardBook, tmp_path: Path) -> None:
    with (
        watching(door(tmp_path, NEAR), known) as readers,
        serving(readers) as server,
        opened(browser, server.url) as page,
    ):
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(error.message))
        expect(page.locator("section.seen")).to_have_count(1)
        tap(tmp_path, f"nfc_text {HOSTILE}")
        expect(page.locator("#reader-1 .start")).to_have_text("<img…")
        assert page.title() == words().text("live.page")
        assert page.locator("img").count() == 0
        assert complaints == []


def test_the_childs_screen_becomes_the_view_and_turns_back_by_itself(
    browser: Browser, known: CardBook, tmp_path: Path
) -> None:
    child = ScreenServer(screen(), "127.0.0.1", 0)
    child.start()
    with watching(door(tmp_path, NEAR), known) as readers, opened(browser, child.url) as page:
        expect(page.locator("#stale")).to_be_hidden()
        child.stop()
        with serving(readers, port=child.port):
            expect(page.locator("h1")).to_have_text(words().text("live.banner"))
            expect(page.locator("section.seen")).to_have_count(1)
        again = ScreenServer(screen(), "127.0.0.1", child.port)
        again.start()
        expect(page.locator("#stale")).to_be_hidden()
        expect(page.locator("#title")).to_be_visible()
        again.stop()
