"""The pages in a real browser: figures that move by themselves, at every size, in a real Japanese typeface."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import Row

from attendance.catalogue import Language
from attendance.clock import ManualClock
from server.store.engine import Store
from tests.server import browser as pages
from tests.server import factories as make
from tests.server import web_site as web
from tests.server.browser import PATIENCE_MS, SIZES, keep, served, without_polling

pytestmark = pytest.mark.usefixtures("quick_passwords")


@dataclass(frozen=True)
class Site:
    """A site on a Wednesday at 16:00, served to a browser."""

    row: Row[tuple[object, ...]]
    children: list[str]
    store: Store
    clock: ManualClock
    url: str
    web: ExitStack
    """Closing it takes the pages away."""

    def enters(self, child: str) -> None:
        make.movement(self.store, site_id=self.row.id, child_id=child, at_ms=self.clock.read().wall_ms)


@pytest.fixture
def site(store: Store, store_url: str, tmp_path: Path) -> Iterator[Site]:
    """Five in, four not arrived, three left; a kiosk that works. Child 13 is the next to come."""
    row = make.site(store, code="MIDORI", name="みどり児童クラブ")
    children = [
        make.child(store, at=row.id, name=name, kana=kana, animal=animal, colour=colour).id
        for name, kana, animal, colour in sorted(web.CHILDREN, key=lambda each: each[1])
    ]
    for number, child in enumerate(children[:8]):
        minutes = 75 - 7 * number
        source = "unsettled" if number == 4 else "anchor"
        at_ms = web.AFTERNOON_MS - minutes * web.MINUTE_MS
        make.movement(store, site_id=row.id, child_id=child, at_ms=at_ms, at_source=source)
    for child in children[1:4]:
        at_ms = web.AFTERNOON_MS - 5 * web.MINUTE_MS
        make.movement(store, site_id=row.id, child_id=child, direction="exit", at_ms=at_ms)
    for child in children[8:10]:
        make.absence(store, child_id=child)
    make.kiosk(store, site_id=row.id, name="玄関", heard_at_ms=web.AFTERNOON_MS - 2000)
    web.add_login(store, "hana", site="MIDORI")
    web.add_login(store, "office")
    clock = ManualClock(web.AFTERNOON)
    with served(store, store_url, tmp_path, clock) as (url, pages_up):
        yield Site(row, children, store, clock, url, pages_up)


@pytest.fixture
def context(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    """A browser of its own, which goes before the servers do."""
    made = browser.new_context(locale="ja-JP", timezone_id="Asia/Tokyo", viewport={"width": 1024, "height": 768})
    made.set_default_timeout(PATIENCE_MS)
    yield made
    made.close()


def logged_in(context: BrowserContext, site: Site, login: str = "hana") -> Page:
    return pages.logged_in(context, site.url, login)


def test_a_tap_shows_without_a_reload(context: BrowserContext, site: Site) -> None:
    page = logged_in(context, site)
    without_polling(page)
    page.reload()
    page.evaluate("window.sameAsBefore = true")
    expect(page.locator("[data-present]")).to_have_text("5")
    site.enters(site.children[12])
    expect(page.locator("[data-present]")).to_have_text("6", timeout=PATIENCE_MS)
    expect(page.locator("li.new")).to_contain_text("いま来ました")
    assert page.evaluate("window.sameAsBefore")


def test_figures_move_when_the_live_stream_is_away(context: BrowserContext, site: Site) -> None:
    context.route("**/live/**", lambda route: route.abort())
    page = logged_in(context, site)
    site.enters(site.children[12])
    expect(page.locator("[data-present]")).to_have_text("6", timeout=PATIENCE_MS)


def test_a_page_without_its_server_says_so_and_how_old_its_figures_are(
    context: BrowserContext, site: Site, screenshots: Path
) -> None:
    page = logged_in(context, site)
    expect(page.locator("#lost")).to_be_hidden()
    site.web.close()
    expect(page.locator("#lost")).to_contain_text("16:00", timeout=PATIENCE_MS)
    keep(page, screenshots / "staff-lost.png", full_page=False)


def test_a_page_that_is_up_to_date_is_not_drawn_again(context: BrowserContext, site: Site) -> None:
    page = logged_in(context, site)
    with page.expect_response(lambda answer: answer.url.endswith("/now") and answer.status == 304):
        page.evaluate("document.querySelector('.board').dataset.sameAsBefore = 'yes'")
    assert page.locator("[data-same-as-before]").count() == 1


def test_what_a_person_opened_stays_open(context: BrowserContext, site: Site) -> None:
    page = logged_in(context, site)
    page.click("#left summary")
    site.enters(site.children[12])
    expect(page.locator("[data-present]")).to_have_text("6", timeout=PATIENCE_MS)
    expect(page.locator("#left")).to_have_attribute("open", "")


def test_a_page_without_script_looks_again_by_itself(browser: Browser, site: Site) -> None:
    with closing(browser.new_context(java_script_enabled=False)) as plain:
        page = logged_in(plain, site)
        expect(page.locator("[data-present]")).to_have_text("5")
        site.enters(site.children[12])
        expect(page.locator("[data-present]")).to_have_text("6", timeout=PATIENCE_MS)


@pytest.mark.parametrize("language", list(Language))
def test_no_language_is_too_long_for_a_phone(
    context: BrowserContext, site: Site, screenshots: Path, language: Language
) -> None:
    page = logged_in(context, site)
    page.set_viewport_size({"width": 390, "height": 844})
    page.click(f'button[value="{language}"]')
    expect(page.locator(f'button[value="{language}"]')).to_have_attribute("aria-current", "true")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    keep(page, screenshots / f"staff-phone-{language}.png")


@pytest.mark.parametrize("size", SIZES)
def test_the_staff_page_fits_every_screen(context: BrowserContext, site: Site, screenshots: Path, size: str) -> None:
    make.kiosk(site.store, site_id=site.row.id, name="裏口", heard_at_ms=web.AFTERNOON_MS - 9 * web.MINUTE_MS, unsent=3)
    make.unknown_card(site.store, site_id=site.row.id, at_ms=web.AFTERNOON_MS - 20 * web.MINUTE_MS)
    site.enters(site.children[12])
    page = logged_in(context, site)
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    keep(page, screenshots / f"staff-{size}.png")
    keep(page, screenshots / f"staff-{size}-first.png", full_page=False)
    page.click("#left summary")
    page.click("#kiosks summary")
    keep(page, screenshots / f"staff-{size}-opened.png")


def test_trouble_at_the_door_is_told_in_sentences(context: BrowserContext, site: Site, screenshots: Path) -> None:
    heard_at_ms = web.AFTERNOON_MS - 2000
    make.kiosk(site.store, site_id=site.row.id, name="校庭側", heard_at_ms=heard_at_ms, trouble="reader:nfc:down")
    page = logged_in(context, site)
    expect(page.locator("[data-trouble]")).to_contain_text("「校庭側」の読み取り機「nfc」が動いていません")
    keep(page, screenshots / "staff-trouble.png", full_page=False)


@pytest.mark.parametrize("size", SIZES)
def test_the_number_stays_in_sight_beside_a_full_house(
    context: BrowserContext, site: Site, screenshots: Path, size: str
) -> None:
    for number in range(40):
        name, kana, animal, colour = web.CHILDREN[number % len(web.CHILDREN)]
        child = make.child(site.store, at=site.row.id, name=name, kana=kana, animal=animal, colour=colour)
        make.movement(site.store, site_id=site.row.id, child_id=child.id, at_ms=web.AFTERNOON_MS - number * 90_000)
    page = logged_in(context, site)
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    columns = page.evaluate(
        """new Set([...document.querySelectorAll(".in section:first-child .people li")]
           .map(each => Math.round(each.getBoundingClientRect().left / 20))).size"""
    )
    assert columns == (1 if size == "phone" else 2)
    page.evaluate("document.querySelector('#kiosks').scrollIntoView({block: 'end'})")
    expect(page.locator("[data-present]")).to_have_text("45")
    expect(page.locator("[data-present]")).to_be_in_viewport(ratio=1)
    keep(page, screenshots / f"staff-{size}-full.png", full_page=False)


def test_text_is_large_and_every_target_is_large_enough_for_a_thumb(context: BrowserContext, site: Site) -> None:
    page = logged_in(context, site)
    sizes = page.evaluate(
        """[...document.querySelectorAll("body *")].filter(each => each.checkVisibility() && each.innerText?.trim())
           .map(each => parseFloat(getComputedStyle(each).fontSize))"""
    )
    assert min(sizes) >= 18
    heights = page.evaluate(
        """[...document.querySelectorAll("button, summary, .button")]
           .map(each => each.getBoundingClientRect().height)"""
    )
    assert min(heights) >= 48


def test_japanese_is_drawn_in_the_typeface_that_ships(context: BrowserContext, site: Site) -> None:
    page = logged_in(context, site)
    loaded = page.evaluate(
        """async () => { await document.fonts.ready;
             return [...document.fonts].map(each => [each.family, each.weight, each.status]); }"""
    )
    assert ["Tadaima UD", "400", "loaded"] in [[family.strip('"'), weight, status] for family, weight, status in loaded]
    assert ["Tadaima UD", "700", "loaded"] in [[family.strip('"'), weight, status] for family, weight, status in loaded]


@pytest.mark.parametrize("language", ["ja", "ja_easy", "en"])
def test_the_office_sees_all_sites(context: BrowserContext, site: Site, screenshots: Path, language: str) -> None:
    other = make.site(site.store, code="SAKURA", name="さくら児童クラブ", expected_by="16:30")
    make.child(site.store, at=other.id)
    make.kiosk(site.store, site_id=other.id, heard_at_ms=web.AFTERNOON_MS - 9 * web.MINUTE_MS)
    page = logged_in(context, site, "office")
    page.click(f"button[name=language][value={language}]")
    expect(page.locator("[data-total]")).to_have_text("5")
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        keep(page, screenshots / (f"office-{size}.png" if language == "ja" else f"office-{size}-{language}.png"))


def test_the_page_of_the_office_moves_by_itself_and_says_when_it_cannot(context: BrowserContext, site: Site) -> None:
    page = logged_in(context, site, "office")
    page.focus("#site-MIDORI")
    site.enters(site.children[12])
    page.evaluate("htmx.trigger('#live', 'look')")
    expect(page.locator("[data-total]")).to_have_text("6")
    expect(page.locator("#site-MIDORI")).to_be_focused()
    site.web.close()
    page.evaluate("htmx.trigger('#live', 'look')")
    expect(page.locator("#lost")).to_contain_text("16:00", timeout=PATIENCE_MS)


def test_the_login_form_fits_a_phone(context: BrowserContext, site: Site, screenshots: Path) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{site.url}/login")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    keep(page, screenshots / "staff-login.png")


def test_no_page_breaks_its_own_rules_for_content(context: BrowserContext, site: Site) -> None:
    complaints: list[str] = []
    page = logged_in(context, site)
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.reload()
    site.clock.advance(timedelta(minutes=1).total_seconds())
    site.enters(site.children[12])
    expect(page.locator("[data-present]")).to_have_text("6", timeout=PATIENCE_MS)
    assert complaints == []
