"""The whole tap: a tag laid on a reader until the answer is painted on the child's screen in a real Chromium.

Nothing is left out but the hardware: the driver and nfcpy on an antenna as slow as a real one, the door, its journal on
a disk, its web server, and the page it serves, at the size of a kiosk's screen.
"""

import random
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from attendance.policy import Policy
from bench.figure import Row, measured, percentile
from bench.practice_door import WAIT_S, PracticeDoor, Watch, card_tap, disk_folder, new_tokens
from hardware.nfc_nfcpy import NfcReader
from hardware.reader import RawRead, boot_ns
from hardware.simulated_nfc import SimulatedAntenna
from kiosk.screen import ScreenServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BAR_MS = 200.0
SEED = 31
CHILDREN = 60
CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
SEEN_S = 0.1
"""A child takes the card away so long after the door answered."""
AWAY_S = (0.25, 0.6)
LAST_SEEN_S = 1.5
"""The page has so long for the last answer."""
_CALIBRATIONS = 100
# Notes for each answer when the frame after the one that drew it begins; that one is then as good as on the glass.
_NOTE_PAINTED = """
    window.painted = [];
    let last = null;
    function note(view) {
        if (view.answer === last || document.body.dataset.kind !== view.kind) return;
        last = view.answer;
        requestAnimationFrame(() => requestAnimationFrame(() => painted.push([view.answer, performance.now()])));
    }
    window.EventSource = class extends EventSource {
        set onmessage(draw) {
            super.onmessage = (event) => {
                draw(event);
                note(JSON.parse(event.data));
            };
        }
    };
"""
# A page without a push: it fetches the newest view once a second.
_ASK_EACH_SECOND = """
    window.EventSource = class {
        constructor(url) { this.timer = setInterval(() => this.ask(url), 1000); }
        close() { clearInterval(this.timer); }
        async ask(url) {
            const leave = new AbortController();
            const body = (await fetch(url, {signal: leave.signal})).body.pipeThrough(new TextDecoderStream());
            const reader = body.getReader();
            let text = "";
            while (!/data: .*\\n\\n/.test(text)) {
                const {done, value} = await reader.read();
                if (done) return;
                text += value;
            }
            leave.abort();
            this.onmessage({data: text.match(/data: (.*)\\n\\n/)[1]});
        }
    };
"""


@dataclass(frozen=True, slots=True)
class Tap:
    """The stations of one tap, in ms after the tag was laid on the reader."""

    read_ms: float
    sent_ms: float
    """Committed, and handed to the screen."""
    painted_ms: float


def rows(taps: int, control_taps: int) -> list[Row]:
    """So many taps at the page, and a few at one that asks once a second; no value where there is no Chromium."""
    name = f"whole tap, tag in field to answer painted in Chromium, p95 of {taps}"
    if not CHROMIUM.exists():
        return [measured(name, None, "ms", bar=BAR_MS)]
    with _chromium() as browser:
        stations, error_ms = measure(browser, taps)
        polled, _ = measure(browser, control_taps, _ASK_EACH_SECOND)
    parts = {
        "field to RawRead": [tap.read_ms for tap in stations],
        "RawRead to committed and handed to the screen": [tap.sent_ms - tap.read_ms for tap in stations],
        "handed to the screen to painted": [tap.painted_ms - tap.sent_ms for tap in stations],
    }
    whole_ms = [tap.painted_ms for tap in stations]
    return [
        measured(name, percentile(whole_ms, 0.95), "ms", bar=BAR_MS),
        measured("whole tap, p50", percentile(whole_ms, 0.5), "ms"),
        *(
            measured(f"  {part}, p{share * 100:.0f}", percentile(part_ms, share), "ms")
            for part, part_ms in parts.items()
            for share in (0.5, 0.95)
        ),
        measured("  the browser's clock against ours, known to within", error_ms, "ms"),
        measured(
            "whole tap at a page that asks once a second",
            percentile([tap.painted_ms for tap in polled], 0.95),
            "ms",
            bar=BAR_MS,
            control=True,
        ),
    ]


def measure(browser: "Browser", taps: int, script: str = "") -> tuple[list[Tap], float]:
    """The stations of every tap, and the error of the page's clock in ms. Raises: RuntimeError for no answer."""
    chance = random.Random(SEED)
    tokens, antenna = new_tokens(CHILDREN), SimulatedAntenna()
    reader = _NotingReader("bench", "usb", connect=antenna.connect)
    laid: list[tuple[int, int, int, int]] = []
    with disk_folder() as folder, closing(PracticeDoor(folder, tokens, Policy(repeat_window_s=0), [reader])) as door:
        server = ScreenServer(door.screen, "127.0.0.1", 0)
        server.start()
        door.consumer.start()
        with _page(browser, server.url, script) as page:
            for number in range(taps):
                time.sleep(chance.uniform(*AWAY_S))
                child = number % CHILDREN
                tag = card_tap(child, tokens[child]).tag()
                door.watch.expect()
                laid_ns = boot_ns()
                antenna.lay(tag)
                _await_answer(door.watch)
                laid.append((laid_ns, reader.read_at_ns, door.watch.shown_at_ns, door.watch.answer_id))
                time.sleep(SEEN_S)
                antenna.lift()
            time.sleep(LAST_SEEN_S)
            ended_ns = boot_ns()
            offset_ns, error_ns = _calibrate(page)
            painted_ns = {answer: at_ms * 1e6 + offset_ns for answer, at_ms in page.evaluate("painted") if answer}
        server.stop()
    if not painted_ns:
        raise RuntimeError("the page noted no answer")
    return [
        Tap(
            (read_ns - laid_ns) / 1e6,
            (sent_ns - laid_ns) / 1e6,
            # One that the page never saw was overtaken by a later one, or lost.
            (min((at_ns for later, at_ns in painted_ns.items() if later >= answer), default=ended_ns) - laid_ns) / 1e6,
        )
        for laid_ns, read_ns, sent_ns, answer in laid
    ], error_ns / 1e6


def _await_answer(watch: Watch) -> None:
    if not watch.settled.wait(WAIT_S):
        raise RuntimeError("the door did not answer")


def _calibrate(page: "Page") -> tuple[float, float]:
    """What to add to the page's clock to have ours, and how far off that may be. Units: ns."""
    spans = []
    for _ in range(_CALIBRATIONS):
        before_ns = boot_ns()
        page_ns = page.evaluate("performance.now()") * 1e6
        spans.append((boot_ns() - before_ns, before_ns, page_ns))
    span_ns, before_ns, page_ns = min(spans)
    return before_ns + span_ns / 2 - page_ns, span_ns / 2


@contextmanager
def _chromium() -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def _page(browser: "Browser", url: str, script: str) -> "Iterator[Page]":
    context = browser.new_context(viewport={"width": 800, "height": 480})
    page = context.new_page()
    page.add_init_script(script + _NOTE_PAINTED)
    page.goto(url)
    page.locator("#stale").wait_for(state="hidden")
    yield page
    context.close()


class _NotingReader(NfcReader):
    """A reader that notes when its last read was."""

    read_at_ns = 0

    def reads(self) -> Iterator[RawRead]:
        for raw in super().reads():
            self.read_at_ns = raw.read_at_ns
            yield raw
