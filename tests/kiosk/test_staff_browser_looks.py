"""What the staff panel looks like in a real browser: each step fits each screen, for fingers and for all eyes."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from attendance.catalogue import Language
from attendance.roster import DisplayName
from kiosk.answer import AnswerKind
from tests.kiosk.screen_parts import OWL, answer
from tests.kiosk.staff_panel import at_the_door, at_the_panel, steady, touch_child, type_pin
from tests.kiosk.staff_parts import RememberedEntries, children
from tests.kiosk.test_screen_browser import IN_DOCUMENTS, PALETTE, SIZES, see

FULL = 120
LONG = DisplayName("勘解由小路 左衛門三郎", "かでのこうじ さえもんさぶろう")
# Buttons that a finger cannot hit or that are cut off: outside of where nothing scrolls, small, or on each other.
BADLY_PLACED = """() => {
    const bad = [];
    const looked = "#panel button, #by-staff, #more, #panel-title, #panel-said, #strip p";
    const shown = [...document.querySelectorAll(looked)]
        .filter((each) => each.checkVisibility() && !each.closest("#page[inert]"));
    const scrolls = document.querySelector("#children").getBoundingClientRect();
    for (const each of shown) {
        const {left, top, right, bottom, width, height} = each.getBoundingClientRect();
        const name = each.id || each.textContent.trim();
        const tile = each.closest("#children");
        const beside = tile ? left < scrolls.left || right > scrolls.right + 0.5 : left < 0 || right > innerWidth + 0.5;
        if (beside || (!tile && (top < 0 || bottom > innerHeight + 0.5))) bad.push(`${name} outside`);
        const cut = each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 1;
        if (cut) bad.push(`${name} cut off`);
        if (each.tagName === "BUTTON" && (width < 48 || height < 56)) bad.push(`${name} small`);
    }
    const fixed = shown.filter((each) => !each.closest("#children"));
    for (const one of fixed) for (const other of fixed) {
        if (one === other || one.contains(other) || other.contains(one)) continue;
        const a = one.getBoundingClientRect(), b = other.getBoundingClientRect();
        if (one.id === "panel-title" || other.id === "panel-title") continue;
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
            bad.push(`${one.id || one.textContent.trim()} on ${other.id || other.textContent.trim()}`);
    }
    return bad;
}"""
# What the button that opens the panel lies on.
UNDER_THE_BUTTON = """() => ["#title", "#name", "#note", "#staff", "#figure"].filter((id) => {
    const a = document.querySelector(id), b = document.querySelector("#by-staff");
    const [one, other] = [a.getBoundingClientRect(), b.getBoundingClientRect()];
    return a.checkVisibility() && one.height > 0 && one.bottom > other.top + 1 && one.right > other.left;
})"""


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("size", SIZES)
def test_every_step_fits_every_screen(
    browser: Browser, screenshots: Path, tmp_path: Path, size: str, language: Language
) -> None:
    door = RememberedEntries(children(FULL))
    shown = at_the_door(door, language=language)
    in_documents = language is Language.JA and (size, language) in IN_DOCUMENTS
    ending = IN_DOCUMENTS[size, language] if in_documents else ""
    folder = screenshots if in_documents else tmp_path
    badly: dict[str, list[str]] = {}

    def look(page: Page, name: str) -> None:
        if problems := page.evaluate(BADLY_PLACED):
            badly[name] = problems
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        picture.quantize(PALETTE, dither=Image.Dither.NONE).save(folder / f"panel-{name}{ending}.png", optimize=True)

    with at_the_panel(browser, shown, size) as page:
        expect(page.locator("#by-staff")).to_be_visible()
        look(page, "button")
        page.locator("#by-staff").tap()
        type_pin(page, "4712")
        expect(page.locator("#panel-said")).to_be_visible()
        look(page, "pin")
        type_pin(page)
        expect(page.locator("#who")).to_be_visible()
        look(page, "children")
        steady(page)
        page.locator("#groups button").nth(4).tap()
        look(page, "row")
        shown.show(answer(7, mark=OWL, name=LONG, undo_s=8))
        expect(page.locator("#strip")).to_be_visible()
        look(page, "card")
        steady(page)
        page.locator("#children button:visible").nth(2).tap()
        expect(page.locator("#way")).to_be_visible()
        look(page, "way")
        steady(page)
        page.locator("#ways button").first.tap()
        expect(page.locator("#more")).to_be_visible()
        look(page, "answer")
    assert badly == {}


@pytest.mark.parametrize("kind", [kind for kind in AnswerKind if kind not in {AnswerKind.ASK, AnswerKind.BROKEN}])
def test_the_button_lies_on_nothing_else(browser: Browser, kind: AnswerKind) -> None:
    shown = at_the_door(RememberedEntries())
    with at_the_panel(browser, shown) as page:
        shown.show(answer(1, kind))
        see(page, kind)
        expect(page.locator("#by-staff")).to_be_visible()
        assert page.evaluate(UNDER_THE_BUTTON) == []


def test_axe_finds_nothing_wrong_with_any_step(browser: Browser, violations: Callable[[Page], list[str]]) -> None:
    shown = at_the_door(RememberedEntries(children(30)))
    wrong = {}
    with at_the_panel(browser, shown) as page:
        expect(page.locator("#by-staff")).to_be_visible()
        wrong["button"] = violations(page)
        page.locator("#by-staff").click()
        type_pin(page, "4712")
        expect(page.locator("#panel-said")).to_be_visible()
        wrong["pin"] = violations(page)
        type_pin(page)
        expect(page.locator("#who")).to_be_visible()
        shown.show(answer(7, mark=OWL, undo_s=8))
        expect(page.locator("#strip")).to_be_visible()
        wrong["children"] = violations(page)
        steady(page)
        touch_child(page, "あおき はな")
        wrong["way"] = violations(page)
        page.locator("#ways button").first.click()
        expect(page.locator("#more")).to_be_visible()
        wrong["answer"] = violations(page)
    assert {step: found for step, found in wrong.items() if found} == {}
