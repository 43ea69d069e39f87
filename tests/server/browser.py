"""The pages of a server in a real browser: served with their live stream, logged in to, and photographed."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, Page

from attendance.clock import Clock
from server.config import BindSettings, LiveSettings, ServerSettings
from server.store.engine import Store, open_store
from server.web.live import create_live_app
from tests.server import web_site as web

PATIENCE_MS = 20_000
SIZES = {"phone": (390, 844), "tablet": (1024, 768), "tablet-upright": (768, 1024)}


@contextmanager
def served(store: Store, store_url: str, folder: Path, clock: Clock) -> Iterator[tuple[str, ExitStack]]:
    """Serve the pages on a store; give their address, and what takes them away when it is closed."""
    with closing(open_store(store_url)) as live_store, ExitStack() as live_up, ExitStack() as pages_up:
        web_port, live_port = pages_up.enter_context(web.free_port()), live_up.enter_context(web.free_port())
        settings = ServerSettings(
            data_dir=str(folder),
            bind=BindSettings(port=web_port.getsockname()[1]),
            live=LiveSettings(port=live_port.getsockname()[1]),
        )
        pages_up.enter_context(web.served(web.pages(store, settings, clock), web_port))
        live_up.enter_context(web.served(create_live_app(settings, live_store, clock, heartbeat_s=0.2), live_port))
        yield f"http://127.0.0.1:{settings.bind.port}", pages_up


def logged_in(context: BrowserContext, url: str, login: str) -> Page:
    """Return a page that somebody has logged in to."""
    page = context.new_page()
    page.goto(f"{url}/login")
    page.fill("#login", login)
    page.fill("#password", web.PASSWORD)
    page.click("button.main")
    page.wait_for_url(lambda there: "/login" not in there)
    return page


def without_polling(page: Page) -> None:
    """Leave the page with the live stream alone, so that a test shows that it works."""
    page.add_init_script(
        """const later = window.setTimeout;
           window.setTimeout = (run, ms, ...rest) => ms === 4000 ? 0 : later(run, ms, ...rest);"""
    )


def keep(page: Page, path: Path, *, full_page: bool = True) -> None:
    """Take a picture when every letter has its typeface."""
    page.evaluate("document.fonts.ready")
    page.screenshot(path=path, full_page=full_page)
