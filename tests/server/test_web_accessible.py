"""The pages as axe finds them in a real browser, in a Japanese and an English reading."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from attendance.catalogue import Language
from attendance.clock import ManualClock
from server.app import create_app
from server.config import BindSettings, LiveSettings, ServerSettings
from server.keys import make_secrets
from server.store.engine import Store, open_store
from server.web.live import create_live_app
from tests.server import factories as make
from tests.server import web_site as web

pytestmark = [
    pytest.mark.usefixtures("quick_passwords"),
    pytest.mark.parametrize("language", [Language.JA, Language.EN]),
]
Violations = Callable[[Page], list[str]]


@pytest.fixture
def url(store: Store, store_url: str, tmp_path: Path) -> Iterator[str]:
    """A site where everything is to be seen at once that can be."""
    row = make.site(store, code="MIDORI", name="みどり児童クラブ")
    make.site(store, code="SAKURA", name="さくら児童クラブ")
    children = [
        make.child(store, at=row.id, name=name, kana=kana, animal=animal, colour=colour).id
        for name, kana, animal, colour in web.CHILDREN
    ]
    for number, child in enumerate(children[:8]):
        at_ms = web.AFTERNOON_MS - 7 * number * web.MINUTE_MS
        source = "unsettled" if number == 4 else "anchor"
        make.movement(store, site_id=row.id, child_id=child, at_ms=at_ms, at_source=source)
        make.card(store, child_id=child)
    make.movement(store, site_id=row.id, child_id=children[2], direction="exit", at_ms=web.AFTERNOON_MS - web.MINUTE_MS)
    make.unknown_card(store, site_id=row.id, at_ms=web.AFTERNOON_MS - 20 * web.MINUTE_MS)
    make.kiosk(store, site_id=row.id, name="裏口", heard_at_ms=web.AFTERNOON_MS - 9 * web.MINUTE_MS, unsent=3)
    trouble = "reader:nfc:down chain_differs"
    make.kiosk(store, site_id=row.id, name="玄関", heard_at_ms=web.AFTERNOON_MS - 2000, trouble=trouble)
    make.guardian(store, of=children[0], name="青木 めぐみ", suspended_at_ms=web.AFTERNOON_MS - 60 * web.MINUTE_MS)
    for language in (Language.JA, Language.EN):
        web.add_login(store, f"staff-{language}", site="MIDORI", language=language)
        web.add_login(store, f"office-{language}", language=language)
    make_secrets(tmp_path)
    clock = ManualClock(web.AFTERNOON)
    with closing(open_store(store_url)) as live_store, ExitStack() as up:
        web_port, live_port = up.enter_context(web.free_port()), up.enter_context(web.free_port())
        settings = ServerSettings(
            data_dir=str(tmp_path),
            bind=BindSettings(port=web_port.getsockname()[1]),
            live=LiveSettings(port=live_port.getsockname()[1]),
        )
        up.enter_context(web.served(create_app(settings, store, clock), web_port))
        up.enter_context(web.served(create_live_app(settings, live_store, clock, heartbeat_s=0.2), live_port))
        yield f"http://127.0.0.1:{settings.bind.port}"


@pytest.fixture
def context(browser: Browser, url: str, language: Language) -> Iterator[BrowserContext]:
    """A browser of its own, which goes before the servers do."""
    locale = "ja-JP" if language is Language.JA else "en-GB"
    made = browser.new_context(locale=locale, viewport={"width": 1024, "height": 768})
    yield made
    made.close()


def shown(context: BrowserContext, url: str, login: str, address: str) -> Page:
    page = context.new_page()
    page.goto(f"{url}/login")
    page.fill("#login", login)
    page.fill("#password", web.PASSWORD)
    page.click("button.main")
    page.wait_for_url(lambda there: "/login" not in there)
    page.goto(f"{url}{address}")
    return page


def test_the_login_form(context: BrowserContext, url: str, violations: Violations, language: Language) -> None:
    page = context.new_page()
    page.goto(f"{url}/login")
    page.click(f'button[value="{language}"]')
    assert violations(page) == []
    page.fill("#login", "nobody")
    page.fill("#password", "not a password")
    page.click("button.main")
    expect(page.get_by_role("alert")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("size", [(1024, 768), (390, 844)])
def test_the_staff_page(
    context: BrowserContext, url: str, violations: Violations, language: Language, size: tuple[int, int]
) -> None:
    page = shown(context, url, f"staff-{language}", "/site/MIDORI")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.click("#left summary")
    page.click("#kiosks summary")
    assert page.locator(".care").count() >= 4
    page.evaluate("document.getAnimations().forEach(each => each.finish())")
    assert violations(page) == []
    page.route("**/now", lambda route: route.abort())
    expect(page.locator("#lost")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("size", [(1024, 768), (390, 844)])
def test_the_page_of_the_office(
    context: BrowserContext, url: str, violations: Violations, language: Language, size: tuple[int, int]
) -> None:
    page = shown(context, url, f"office-{language}", "/")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    assert violations(page) == []


@pytest.mark.parametrize(
    "address", ["/cards/MIDORI", "/cards/SAKURA", "/suspended", "/pins", "/nowhere", "/site/NOWHERE"]
)
def test_other_pages(
    context: BrowserContext, url: str, violations: Violations, language: Language, address: str
) -> None:
    page = shown(context, url, f"office-{language}", address)
    assert violations(page) == []
