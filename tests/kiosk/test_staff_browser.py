"""What is done at the staff panel in a real browser: by finger, by mouse and by keyboard, with cards read meanwhile."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page, expect

from attendance.clock import ManualClock
from attendance.records import Direction
from attendance.roster import DisplayName
from attendance.staff_pin import hash_pin
from kiosk.answer import AnswerKind, ChildNow, Whereabouts
from kiosk.screen import Screen, ScreenServer
from tests.kiosk.screen_parts import AFTERNOON, OWL, RememberedPresses, answer, door_status
from tests.kiosk.staff_panel import at_the_door, at_the_panel, steady, touch_child, type_pin, unlock
from tests.kiosk.staff_parts import PIN, RememberedEntries, children
from tests.kiosk.test_screen_browser import opened, see, serving


@pytest.fixture
def door() -> RememberedEntries:
    return RememberedEntries()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AFTERNOON)


@pytest.fixture
def presses() -> RememberedPresses:
    return RememberedPresses()


@pytest.fixture
def shown(door: RememberedEntries, clock: ManualClock, presses: RememberedPresses) -> Screen:
    return at_the_door(door, clock=clock, presses=presses)


@pytest.fixture
def server(shown: Screen) -> Iterator[ScreenServer]:
    with serving(shown) as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: ScreenServer) -> Iterator[Page]:
    with opened(browser, server) as watching:
        yield watching


def test_a_site_without_a_pin_has_no_button(browser: Browser) -> None:
    with at_the_panel(browser, at_the_door(RememberedEntries(pin=None))) as page:
        expect(page.locator("#signs li")).to_have_count(1)
        expect(page.locator("#by-staff")).to_be_hidden()


def test_a_finger_enters_a_child_and_the_page_answers_as_to_a_card(page: Page, door: RememberedEntries) -> None:
    unlock(page)
    touch_child(page, "あおき はな")
    page.locator("#ways button").first.click()
    see(page, "in")
    expect(page.locator("#panel")).to_be_hidden()
    expect(page.locator("#name")).to_contain_text("あおき はな")
    expect(page.locator("#undo")).to_be_visible()
    assert door.entered == [("child-0", Direction.ENTRY)]


def test_a_child_who_is_in_is_offered_the_way_out_first(page: Page, door: RememberedEntries) -> None:
    unlock(page)
    touch_child(page, "いしかわ はな")
    expect(page.locator("#ways button").first).to_have_attribute("data-direction", "exit")
    page.locator("#ways button").last.click()
    see(page, "in")
    assert door.entered == [("child-1", Direction.ENTRY)]


def test_two_quick_touches_enter_once(page: Page, door: RememberedEntries) -> None:
    unlock(page)
    touch_child(page, "あおき はな")
    page.locator("#ways button").first.dblclick()
    see(page, "in")
    assert len(door.entered) == 1


def test_the_second_of_two_quick_touches_does_not_press_what_the_first_brought(
    page: Page, door: RememberedEntries
) -> None:
    unlock(page)
    page.evaluate(
        """() => {
            document.querySelector("#children button").click();
            for (const button of document.querySelectorAll("#ways button")) button.click();
        }"""
    )
    expect(page.locator("#way")).to_be_visible()
    assert door.entered == []


def test_a_wrong_pin_is_told_and_the_children_stay_hidden(page: Page, door: RememberedEntries) -> None:
    page.locator("#by-staff").click()
    type_pin(page, "4712")
    expect(page.locator("#panel-said")).to_contain_text("ちがいます")
    expect(page.locator("#dots")).to_be_empty()
    assert "あおき" not in page.content()
    assert door.looks == 0


def test_after_many_wrong_pins_the_pad_waits(page: Page) -> None:
    page.locator("#by-staff").click()
    for _ in range(5):
        expect(page.locator("#pad [data-digit='1']")).to_be_enabled()
        type_pin(page, "4712")
        expect(page.locator("#panel-said")).to_be_visible()
    expect(page.locator("#panel-said")).to_contain_text("60びょう")
    expect(page.locator("#pad [data-digit='1']")).to_be_disabled()
    page.locator("#panel-close").click()
    see(page, "idle")
    page.locator("#by-staff").click()
    expect(page.locator("#pad [data-digit='1']")).to_be_disabled()
    expect(page.locator("#panel-said")).to_contain_text("まって")


def test_another_child_needs_no_second_pin(page: Page, door: RememberedEntries) -> None:
    unlock(page)
    for name in ("あおき はな", "えんどう はな"):
        touch_child(page, name)
        page.locator("#ways button").first.click()
        page.locator("#more").click()
        expect(page.locator("#who")).to_be_visible()
        steady(page)
    assert [child for child, _ in door.entered] == ["child-0", "child-2"]


def test_back_leads_to_the_children_and_close_forgets_them(page: Page, door: RememberedEntries) -> None:
    unlock(page)
    touch_child(page, "あおき はな")
    page.locator("#panel-back").click()
    expect(page.locator("#who")).to_be_visible()
    page.locator("#panel-close").click()
    expect(page.locator("#panel")).to_be_hidden()
    assert "あおき" not in page.content()
    page.locator("#by-staff").click()
    expect(page.locator("#pin")).to_be_visible()
    assert door.entered == []


def test_a_panel_that_stood_untouched_asks_for_the_pin_again(
    page: Page, clock: ManualClock, shown: Screen, door: RememberedEntries
) -> None:
    unlock(page)
    clock.advance(61)
    shown.status(door_status(by_staff=True))
    expect(page.locator("#pin")).to_be_visible()
    expect(page.locator("#panel-said")).to_contain_text("とじました")
    assert "あおき" not in page.content()


def test_a_panel_that_was_locked_meanwhile_enters_nobody(page: Page, door: RememberedEntries) -> None:
    unlock(page)
    touch_child(page, "あおき はな")
    door.pin = hash_pin("9753")
    page.locator("#ways button").first.click()
    expect(page.locator("#pin")).to_be_visible()
    assert door.entered == []


def test_a_child_who_left_the_roster_meanwhile_is_refused_kindly(page: Page, door: RememberedEntries) -> None:
    unlock(page)
    touch_child(page, "あおき はな")
    door.there = door.there[1:]
    page.locator("#ways button").first.click()
    expect(page.locator("#panel-said")).to_contain_text("めいぼに いません")
    expect(page.locator("#children button")).to_have_count(2)


def test_a_card_read_meanwhile_is_answered_in_the_bar_and_can_be_taken_back(
    shown: Screen, page: Page, presses: RememberedPresses
) -> None:
    unlock(page)
    shown.show(answer(7, AnswerKind.OUT, mark=OWL, undo_s=8))
    expect(page.locator("#strip")).to_contain_text("たなか はな")
    expect(page.locator("#who")).to_be_visible()
    steady(page)
    page.locator("#strip-undo").click()
    expect(page.locator("#strip")).to_contain_text(shown.words.text("screen.undone.title"))
    assert presses.undone == [7]


def test_tiles_and_the_likely_way_follow_the_cards(shown: Screen, page: Page, door: RememberedEntries) -> None:
    unlock(page)
    first = page.locator("#children button").first
    expect(first).to_have_attribute("data-where", "not_yet")
    door.there = (replace(door.there[0], whereabouts=Whereabouts.IN), *door.there[1:])
    shown.show(answer(7, undo_s=8))
    expect(first).to_have_attribute("data-where", "in")
    touch_child(page, "あおき はな")
    expect(page.locator("#ways button").first).to_have_attribute("data-direction", "exit")
    door.there = (replace(door.there[0], whereabouts=Whereabouts.LEFT), *door.there[1:])
    shown.show(answer(8, AnswerKind.OUT, undo_s=8))
    expect(page.locator("#ways button").first).to_have_attribute("data-direction", "entry")


@pytest.mark.parametrize("kind", [AnswerKind.ASK, AnswerKind.BROKEN])
def test_an_answer_that_needs_the_whole_page_gets_it_and_the_panel_comes_back(
    shown: Screen, page: Page, kind: AnswerKind
) -> None:
    unlock(page)
    shown.show(answer(7, kind))
    see(page, kind)
    expect(page.locator("#panel")).to_be_hidden()
    shown.show(answer(8, undo_s=8))
    expect(page.locator("#who")).to_be_visible()


def test_a_record_that_could_not_be_written_is_red(page: Page, door: RememberedEntries) -> None:
    door.kind = AnswerKind.BROKEN
    unlock(page)
    touch_child(page, "あおき はな")
    page.locator("#ways button").first.click()
    see(page, "broken")
    expect(page.locator("#panel")).to_be_hidden()
    expect(page.locator("#more")).to_be_hidden()


def test_a_request_that_fails_calls_for_a_teacher_and_locks(page: Page) -> None:
    unlock(page)
    touch_child(page, "あおき はな")
    page.route("**/staff/enter", lambda route: route.fulfill(status=500))
    page.locator("#ways button").first.click()
    expect(page.locator("#stale")).to_be_visible()
    expect(page.locator("#panel")).to_be_hidden()
    assert "あおき" not in page.content()


def test_a_keyboard_does_it_all(page: Page, door: RememberedEntries) -> None:
    expect(page.locator("#by-staff")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("#by-staff")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#pad [data-digit='1']")).to_be_focused()
    steady(page)
    for digit in PIN:
        page.locator(f"#pad [data-digit='{digit}']").focus()
        page.keyboard.press("Space")
    page.locator("#try").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#children button").first).to_be_focused()
    steady(page)
    page.keyboard.press("Enter")
    expect(page.locator("#ways button").first).to_be_focused()
    steady(page)
    page.keyboard.press("Enter")
    see(page, "in")
    assert door.entered == [("child-0", Direction.ENTRY)]


def test_tab_stays_within_the_panel_and_escape_closes_it(page: Page) -> None:
    unlock(page)
    touch_child(page, "あおき はな")
    seen = set()
    for _ in range(8):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.dataset.direction"))
    assert seen == {"panel-close", "panel-back", "entry", "exit"}
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()


def test_a_scanner_that_types_presses_nothing(page: Page, door: RememberedEntries) -> None:
    page.locator("#by-staff").click()
    steady(page)
    page.locator("#pad [data-digit='4']").focus()
    page.keyboard.type("TABCDEFGHIJKLMNOPQRSTUVWXYZ23")
    page.keyboard.press("Enter")
    page.keyboard.type("4901234567894")
    page.keyboard.press("Enter")
    expect(page.locator("#dots")).to_be_empty()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#dots")).to_have_text("●")


def test_a_name_is_never_markup(page: Page, door: RememberedEntries) -> None:
    evil = "<img src=x onerror=document.title='x'>"
    door.there = (ChildNow("<b>", OWL, DisplayName(evil, evil), door.there[0].whereabouts),)
    title = page.title()
    unlock(page)
    expect(page.locator("#children .name")).to_have_text(evil)
    touch_child(page, evil)
    expect(page.locator("#chosen-name")).to_have_text(evil)
    page.locator("#ways button").first.click()
    see(page, "in")
    assert page.title() == title
    assert door.entered == [("<b>", Direction.ENTRY)]


def test_five_hundred_children_can_be_scrolled_and_parted(page: Page, door: RememberedEntries) -> None:
    door.there = children(500)
    unlock(page)
    expect(page.locator("#children button")).to_have_count(500)
    last = page.locator("#children button").last
    last.scroll_into_view_if_needed()
    expect(last).to_be_in_viewport()
    page.locator("#groups button", has_text="わ").click()
    expect(page.locator("#children button:visible").first).to_contain_text("わたなべ")


def test_no_name_is_asked_for_or_kept_by_anybody(browser: Browser, shown: Screen, server: ScreenServer) -> None:
    with opened(browser, server) as page:
        asked: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(error.message))
        unlock(page)
        touch_child(page, "あおき はな")
        page.locator("#ways button").first.click()
        see(page, "in")
        assert {url.removeprefix(server.url) for url in asked} <= {
            "staff/unlock",
            "staff/children",
            "staff/stay",
            "staff/enter",
        }
        assert complaints == []
        assert page.evaluate("localStorage.length + sessionStorage.length") == 0


def test_the_tiles_follow_who_comes_by_another_door(page: Page, door: RememberedEntries) -> None:
    unlock(page)
    first = page.locator("#children button").first
    expect(first).to_have_attribute("data-where", "not_yet")
    door.there = (replace(door.there[0], whereabouts=Whereabouts.IN), *door.there[1:])
    expect(first).to_have_attribute("data-where", "in")
