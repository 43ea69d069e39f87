"""What does not add up, as staff and office see it in a real browser: it comes by itself, and fits every screen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import Row

from attendance.catalogue import Language
from attendance.clock import ManualClock
from server.store.engine import Store
from tests.server import factories as make
from tests.server import web_site as web
from tests.server.browser import PATIENCE_MS, SIZES, keep, logged_in, served, without_polling

pytestmark = pytest.mark.usefixtures("quick_passwords")

AGO_MS = web.AFTERNOON_MS - 60 * web.MINUTE_MS


@dataclass(frozen=True)
class House:
    """A site with two kiosks at 16:00; nobody moved yet."""

    store: Store
    site: Row[Any]
    children: list[str]
    front: str
    back: str
    clock: ManualClock
    url: str

    def moves(self, number: int, direction: str, minutes: int, kiosk: str, **values: Any) -> None:
        """Child `number` goes in or out so many minutes after 15:00."""
        at_ms = AGO_MS + minutes * web.MINUTE_MS
        which = {"direction": direction, "kiosk_id": kiosk, "at_ms": at_ms} | values
        make.movement(self.store, site_id=self.site.id, child_id=self.children[number], **which)

    def disagrees(self) -> None:
        """Everything that staff can be asked to check, and every doubt about a time."""
        self.moves(3, "entry", 2, self.front)
        self.moves(3, "entry", 31, self.back, at_source="unsettled", at_err_ms=25 * web.MINUTE_MS)
        self.moves(9, "exit", 40, self.front, made_by="staff")
        self.moves(10, "entry", 3, self.front, at_err_ms=160_000)
        self.moves(10, "exit", 20, self.front)
        self.moves(10, "exit", 45, self.back, made_by="button", at_err_ms=160_000)
        self.moves(5, "entry", 10, self.front, at_err_ms=170_000)
        self.moves(6, "entry", 12, self.front, at_source="unsettled", at_err_ms=20 * web.MINUTE_MS)
        self.moves(7, "entry", 14, self.front, at_source="unsettled")


@pytest.fixture
def house(store: Store, store_url: str, tmp_path: Path) -> Iterator[House]:
    row = make.site(store, code="MIDORI", name="みどり児童クラブ")
    children = [
        make.child(store, name=name, kana=kana, animal=animal, colour=colour).id
        for name, kana, animal, colour in web.CHILDREN
    ]
    heard_at_ms = web.AFTERNOON_MS - 2000
    front, back = (
        make.kiosk(store, site_id=row.id, name=name, heard_at_ms=heard_at_ms).id for name in ("玄関", "校庭側")
    )
    web.add_login(store, "hana", site="MIDORI")
    web.add_login(store, "office")
    clock = ManualClock(web.AFTERNOON)
    with served(store, store_url, tmp_path, clock) as (url, _):
        yield House(store, row, children, front, back, clock, url)


@pytest.fixture
def context(browser: Browser, house: House) -> Iterator[BrowserContext]:
    """A browser of its own, which goes before the servers do."""
    made = browser.new_context(locale="ja-JP", timezone_id="Asia/Tokyo", viewport={"width": 1024, "height": 768})
    made.set_default_timeout(PATIENCE_MS)
    yield made
    made.close()


def test_what_does_not_add_up_shows_without_a_reload_and_once(context: BrowserContext, house: House) -> None:
    page = logged_in(context, house.url, "hana")
    without_polling(page)
    page.reload()
    page.evaluate("window.sameAsBefore = true")
    house.moves(3, "entry", 2, house.front)
    expect(page.locator("[data-present]")).to_have_text("1")
    expect(page.locator("#check")).to_have_count(0)
    house.moves(3, "entry", 31, house.back)
    expect(page.locator("[data-contradiction]")).to_have_count(1)
    expect(page.locator("#check")).to_contain_text("大﨑 ゆい")
    expect(page.locator("#check")).to_contain_text(
        "15:02に来たあと、帰った記録がないのに、15:31にまた来た記録があります。"
    )
    expect(page.locator("#check")).to_contain_text("校庭側・カード")
    assert page.evaluate("window.sameAsBefore")


def test_a_list_of_what_to_check_stays_as_it_is_while_nothing_changes(context: BrowserContext, house: House) -> None:
    house.disagrees()
    page = logged_in(context, house.url, "hana")
    with page.expect_response(lambda answer: answer.url.endswith("/now") and answer.status == 304):
        page.evaluate("document.querySelector('#check').dataset.sameAsBefore = 'yes'")
    assert page.locator("[data-same-as-before]").count() == 1


def test_how_far_off_a_time_may_be_stands_beside_it(context: BrowserContext, house: House, screenshots: Path) -> None:
    house.disagrees()
    page = logged_in(context, house.url, "hana")
    for number, said in ((5, "±3分"), (6, "14:52〜15:32の間"), (7, "時刻未確定")):
        expect(page.locator(f".in [data-child='{house.children[number]}']")).to_contain_text(said)
    expect(page.locator(f".in [data-child='{house.children[7]}']")).not_to_contain_text("の間")
    keep(page, screenshots / "staff-check.png", full_page=False)


def test_after_closing_a_site_is_told_of_children_without_an_exit(context: BrowserContext, house: House) -> None:
    house.moves(3, "entry", 2, house.front)
    page = logged_in(context, house.url, "hana")
    expect(page.locator("[data-closed]")).to_have_count(0)
    house.clock.advance(3 * 3600)
    expect(page.locator("[data-closed]")).to_contain_text("帰った記録のない子が1人います", timeout=PATIENCE_MS)


@pytest.mark.parametrize("language", list(Language))
def test_what_to_check_fits_every_screen_in_every_language(
    context: BrowserContext,
    house: House,
    screenshots: Path,
    violations: Callable[[Page], list[str]],
    language: Language,
) -> None:
    house.disagrees()
    page = logged_in(context, house.url, "hana")
    page.click(f'button[value="{language}"]')
    expect(page.locator(f'button[value="{language}"]')).to_have_attribute("aria-current", "true")
    ending = "" if language is Language.JA else f"-{language}"
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        keep(page, screenshots / f"staff-check-{size}{ending}.png")
    sizes = page.evaluate(
        "[...document.querySelectorAll('#check *')].map(each => parseFloat(getComputedStyle(each).fontSize))"
    )
    assert min(sizes) >= 18
    assert violations(page) == []


def test_the_office_sees_how_many_records_do_not_fit(context: BrowserContext, house: House, screenshots: Path) -> None:
    house.disagrees()
    page = logged_in(context, house.url, "office")
    expect(page.locator('[data-site="MIDORI"] [data-contradictions]')).to_have_text("3")
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        keep(page, screenshots / f"office-check-{size}.png")
