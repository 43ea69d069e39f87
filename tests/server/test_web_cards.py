"""The card sheet: printed in real millimetres, and every code on it reads back as its token."""

import re
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import pytest
import zxingcpp
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from playwright.sync_api import Browser, Page
from sqlalchemy import update

from attendance.cards import CardForm, CardRef, CardToken
from server.cards import bind
from server.config import ServerSettings
from server.store import tables
from server.store.engine import Store
from tests.server import factories as make
from tests.server import web_site as web

pytestmark = pytest.mark.usefixtures("quick_passwords")

MM_PER_CSS_PX = 25.4 / 96
SCALE = 3
TOLERANCE_MM = 0.3


@pytest.fixture
def tokens(store: Store) -> list[str]:
    """The tokens of 13 children of site A, by kana: a full sheet and a begun one."""
    site = make.site(store, code="A", name="みどり児童クラブ")
    drawn = [CardToken.new() for _ in range(13)]
    for token, (name, kana, animal, colour) in zip(drawn, web.CHILDREN, strict=False):
        child = make.child(store, at=site.id, name=name, kana=kana, animal=animal, colour=colour)
        make.card(store, child_id=child.id, token=token)
    with store.write() as conn:  # a name of two lines, kana too
        long = {
            "name": "ハリソン・プリンセス・ヴァレンティナ 愛子",
            "kana": "はりそん・ぷりんせす・ゔぁれんてぃな あいこ",
        }
        conn.execute(update(tables.child).where(tables.child.c.id == child.id).values(long))
    web.add_login(store, "hana")
    return [token.text for token in drawn]


@pytest.fixture
def app(store: Store, tmp_path: Path) -> Flask:
    return web.pages(store, ServerSettings(data_dir=str(tmp_path)))


@pytest.fixture
def client(app: Flask, tokens: list[str]) -> FlaskClient:
    client = app.test_client()
    web.log_in(client, "hana")
    return client


@pytest.fixture
def sheet(browser: Browser, app: Flask, tokens: list[str]) -> Iterator[Page]:
    """The sheet of site A as it goes to a printer, three dots a CSS pixel."""
    with ExitStack() as up:
        listening = up.enter_context(web.free_port())
        up.enter_context(web.served(app, listening))
        context = browser.new_context(viewport={"width": 794, "height": 1123}, device_scale_factor=SCALE)
        up.callback(context.close)
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{listening.getsockname()[1]}/login?next=/cards/A")
        page.fill("#login", "hana")
        page.fill("#password", web.PASSWORD)
        page.click("button.main")
        page.wait_for_url("**/cards/A")
        page.emulate_media(media="print")
        page.evaluate("document.fonts.ready")
        yield page


def codes(page: Page) -> list[zxingcpp.Barcode]:
    picture = Image.open(BytesIO(page.screenshot(full_page=True))).convert("L")
    return list(zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)))


def test_every_printed_code_reads_back_as_its_token(sheet: Page, tokens: list[str]) -> None:
    assert sorted(code.text for code in codes(sheet)) == sorted(tokens)


def test_codes_are_35_mm_wide_and_cards_91_by_55_mm_on_paper(sheet: Page) -> None:
    mm_per_dot = MM_PER_CSS_PX / SCALE
    found = sorted(codes(sheet), key=lambda code: (code.position.top_left.y // 100, code.position.top_left.x))
    first, beside, below = found[0], found[1], found[2]
    corner = first.position.top_left
    assert (first.position.top_right.x - corner.x) * mm_per_dot == pytest.approx(35, abs=TOLERANCE_MM)
    assert (first.position.bottom_left.y - corner.y) * mm_per_dot == pytest.approx(35, abs=TOLERANCE_MM)
    assert (beside.position.top_left.x - corner.x) * mm_per_dot == pytest.approx(91, abs=TOLERANCE_MM)
    assert (below.position.top_left.y - corner.y) * mm_per_dot == pytest.approx(55, abs=TOLERANCE_MM)
    assert corner.x * mm_per_dot == pytest.approx(14 + 10, abs=TOLERANCE_MM)
    assert corner.y * mm_per_dot == pytest.approx(11 + 10, abs=TOLERANCE_MM)


def test_nothing_on_a_card_is_cut_off(sheet: Page) -> None:
    too_long = sheet.evaluate(
        """[...document.querySelectorAll(".card")].filter(card => {
             const grip = card.querySelector(".grip").getBoundingClientRect();
             const last = card.querySelector(".say > :last-child").getBoundingClientRect();
             const first = card.querySelector(".say > :first-child").getBoundingClientRect();
             return last.bottom > grip.top || first.top < card.getBoundingClientRect().top;
           }).length"""
    )
    assert too_long == 0


def test_thirteen_cards_are_two_pages_of_a4(sheet: Page, screenshots: Path) -> None:
    pdf = sheet.pdf(prefer_css_page_size=True, print_background=True)
    boxes = [tuple(map(float, box.split())) for box in re.findall(rb"/MediaBox \[([^\]]+)\]", pdf)]
    assert len(boxes) == 2
    for box in boxes:
        assert box == pytest.approx((0, 0, 595.28, 841.89), abs=1)
    sheet.set_viewport_size({"width": 794, "height": 1123})
    sheet.screenshot(path=screenshots / "card-sheet.png", scale="css")
    sheet.locator(".card").first.screenshot(path=screenshots / "card.png")


def test_cutting_marks_are_printed_though_browsers_bleach_backgrounds(sheet: Page) -> None:
    def drawn() -> list[bytes]:
        pdf = sheet.pdf(prefer_css_page_size=True, print_background=False)
        streams = re.findall(rb"/FlateDecode\b[^>]*>>\s*stream\r?\n(.*?)endstream", pdf, re.DOTALL)
        return [zlib.decompress(stream) for stream in streams]

    with_marks = drawn()
    sheet.evaluate("document.querySelectorAll('.cut').forEach(mark => { mark.style.background = '#fff' })")
    assert with_marks != drawn()


def test_names_can_be_left_out(client: FlaskClient) -> None:
    assert "髙橋 さくら" in client.get("/cards/A").text
    without = client.get("/cards/A?names=0&found=0").text
    assert "髙橋 さくら" not in without
    assert "たかはし さくら" not in without
    assert "ひろったかた" not in without


def test_a_card_names_its_child_by_its_token_alone(client: FlaskClient, store: Store, tokens: list[str]) -> None:
    drawn = re.findall(r"<svg[^>]*class=\"qr\".*?</svg>", client.get("/cards/A").text, re.DOTALL)
    assert len(drawn) == len(tokens)
    assert not any("髙" in code or make.rows(store, tables.child)[0].number in code for code in drawn)


def test_revoked_cards_and_cards_without_a_token_are_not_printed(client: FlaskClient, store: Store) -> None:
    with store.write() as conn:
        conn.execute(update(tables.card).values(revoked_at_ms=make.NOON_MS))
    [some_child, *_] = make.rows(store, tables.child)
    with store.write() as conn:
        bind(conn, some_child.id, CardRef(card_hash="0" * 64, form=CardForm.UID), make.NOON_MS)
    assert 'class="qr"' not in client.get("/cards/A").text


def test_printing_is_audited(client: FlaskClient, store: Store) -> None:
    client.get("/cards/A")
    assert [row.action for row in make.rows(store, tables.audit)][-1] == "cards.print"
