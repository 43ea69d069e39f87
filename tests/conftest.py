"""What tests of any package share: Hypothesis without a clock; one headless chromium and one PostgreSQL per worker."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bench.postgresql import Cluster

# No test fails because a machine is slow. What else Hypothesis chooses, as for CI, stays.
settings.register_profile("untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

EXPECT_MS = 20_000
"""How long `expect` waits for what must come: no test fails because a machine is slow."""
CHROMIUM = Path("/usr/bin/chromium")
# As root and off the network: no sandbox, and nothing that looks up hosts of its own.
CHROMIUM_ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use a browser, and keep them on one worker so that chromium starts once."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium, headless; a test makes its own context and closes it."""
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing: sudo apt-get install --no-install-recommends chromium", pytrace=False)
    expect.set_options(timeout=EXPECT_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A PostgreSQL of this worker's own; a test makes its databases and drops them."""
    try:
        cluster = Cluster()
    except RuntimeError as error:
        pytest.fail(str(error), pytrace=False)
    yield cluster
    cluster.close()


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """The folder that browser tests put their pictures in: TADAIMA_SCREENSHOTS, or one that pytest throws away."""
    folder = Path(os.environ.get("TADAIMA_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def violations() -> Callable[[Page], list[str]]:
    """What axe finds wrong with a page as it stands, by WCAG 2.2 AA and good practice: the rule and the elements."""

    def find(page: Page) -> list[str]:
        found = Axe().run(page).response["violations"]
        return [f"{rule['id']}: {[node['html'] for node in rule['nodes']]}" for rule in found]

    return find
