import smtplib
import socket
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller

from attendance.catalogue import Language
from provisioning.catalogues import catalogues
from provisioning.demo.mailbox import Keeper, create_app, messages


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def delivered(tmp_path: Path) -> Path:
    smtp = Controller(Keeper(tmp_path / "mail"), hostname="127.0.0.1", port=free_port())
    smtp.start()
    try:
        with smtplib.SMTP("127.0.0.1", smtp.port) as client:
            for number in (1, 2):
                mail = EmailMessage()
                mail["From"], mail["To"] = "a@example.com", "b@example.com"
                mail["Date"] = "Tue, 24 Nov 2026 06:05:07 +0000"
                mail["Subject"] = f"お知らせ {number} <b>"
                mail["Content-Language"] = "ja"
                mail.set_content(f"{number} さくら学童です。\n.\n<script>")
                client.send_message(mail)
    finally:
        smtp.stop()
    return tmp_path / "mail"


def test_mail_is_kept_whole_newest_first(delivered: Path) -> None:
    kept = messages(delivered)

    assert [mail["Subject"] for mail in kept] == ["お知らせ 2 <b>", "お知らせ 1 <b>"]
    assert kept[1].get_content() == "1 さくら学童です。\n.\n<script>\n"


def test_the_page_shows_mail_as_text_and_never_as_markup(delivered: Path) -> None:
    page = create_app(delivered, catalogues()[Language.JA]).test_client().get("/").get_data(as_text=True)

    assert "お知らせ 2 &lt;b&gt;" in page
    assert "<script>" not in page


def test_the_page_tells_the_time_on_the_wall_clock_of_japan(delivered: Path) -> None:
    page = create_app(delivered, catalogues()[Language.JA]).test_client().get("/").get_data(as_text=True)

    assert "15:05:07" in page


def test_an_empty_mailbox_says_so(tmp_path: Path) -> None:
    words = catalogues()[Language.EN]

    assert words.text("demo.inbox_empty") in create_app(tmp_path / "none", words).test_client().get("/").get_data(True)
