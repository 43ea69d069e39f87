"""The staff panel in a real browser, and what a person does there again and again."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect

from attendance.catalogue import Language
from attendance.clock import ManualClock
from kiosk.screen import Screen
from tests.kiosk.screen_parts import RememberedPresses, door_status, screen
from tests.kiosk.staff_parts import PIN, RememberedEntries
from tests.kiosk.test_screen_browser import opened, serving


def at_the_door(
    door: RememberedEntries,
    *,
    clock: ManualClock | None = None,
    presses: RememberedPresses | None = None,
    language: Language = Language.JA_EASY,
) -> Screen:
    """A screen whose staff enter children at `door`."""
    made = screen(presses, clock, language=language, staff=door)
    made.status(door_status(by_staff=door.pin is not None))
    return made


@contextmanager
def at_the_panel(browser: Browser, shown: Screen, size: str = "800x480") -> Iterator[Page]:
    """A tablet at the door."""
    with serving(shown) as server, opened(browser, server, size, has_touch=True) as page:
        yield page


def steady(page: Page) -> None:
    """Wait as long as a person does between two touches."""
    page.wait_for_timeout(450)


def type_pin(page: Page, pin: str = PIN) -> None:
    steady(page)
    for digit in pin:
        page.locator(f"#pad [data-digit='{digit}']").click()
    page.locator("#try").click()


def unlock(page: Page) -> None:
    page.locator("#by-staff").click()
    type_pin(page)
    expect(page.locator("#who")).to_be_visible()
    steady(page)


def touch_child(page: Page, name: str) -> None:
    page.locator("#children button", has_text=name).click()
    expect(page.locator("#way")).to_be_visible()
    steady(page)
