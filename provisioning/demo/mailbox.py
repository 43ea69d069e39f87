"""The demo's mailbox: a real SMTP server that keeps what it is sent, and a page that shows it.

Run as a process of its own: `python -m provisioning.demo.mailbox`. It prints `listening smtp=PORT web=PORT`,
then a line `mail boot_ns=... id=...` for each message, when the message is on disk.
"""

import logging
import mailbox
import signal
import threading
import time
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as mail_policy
from pathlib import Path

import click
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Flask, render_template
from waitress.server import create_server

from attendance.catalogue import Catalogue, Language
from attendance.clock import JST
from provisioning.catalogues import catalogues

LOOPBACK = "127.0.0.1"
RECEIVED = "X-Tadaima-Received-Boot-Ns"
SHOWN = 200


class Keeper:
    """Takes each message of the SMTP server to a Maildir."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802, ARG002
        """Keep one message and answer the sender."""
        boot_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        content = envelope.content or b""
        message = mailbox.MaildirMessage(content.encode() if isinstance(content, str) else content)
        message[RECEIVED] = str(boot_ns)
        mailbox.Maildir(self._directory, create=True).add(message)
        click.echo(f"mail boot_ns={boot_ns} id={message['Message-ID']}")
        return "250 kept"


def messages(directory: Path) -> list[EmailMessage]:
    """Return the kept messages, newest first."""
    kept = mailbox.Maildir(directory, factory=None, create=True)
    parser = BytesParser(policy=mail_policy)
    parsed = [parser.parsebytes(kept.get_bytes(key)) for key in kept.keys()]  # noqa: SIM118
    return sorted(parsed, key=lambda message: int(message[RECEIVED]), reverse=True)


def create_app(directory: Path, words: Catalogue) -> Flask:
    """Return the page that shows the kept messages; it loads itself again every two seconds."""
    app = Flask(__name__)

    @app.get("/")
    def inbox() -> str:
        shown = [
            {
                "to": message["To"],
                "subject": message["Subject"],
                "date": _time_of(message),
                "body": message.get_content(),
                "lang": message["Content-Language"] or "ja",
            }
            for message in messages(directory)[:SHOWN]
        ]
        return render_template(
            "mailbox.html",
            messages=shown,
            lang=words.language.html,
            title=words.text("demo.inbox"),
            empty=words.text("demo.inbox_empty"),
        )

    return app


def _time_of(message: EmailMessage) -> str:
    """Return when a message was written, on the wall clock of whom it is for."""
    date = message["Date"]
    return "" if date is None else f"{date.datetime.astimezone(JST):%H:%M:%S}"


@click.command()
@click.option("--dir", "directory", type=click.Path(path_type=Path), required=True)
@click.option("--smtp-port", type=int, required=True)
@click.option("--web-port", type=int, required=True)
@click.option("--language", type=click.Choice([language.value for language in Language]), default=Language.JA.value)
def main(directory: Path, smtp_port: int, web_port: int, language: str) -> None:
    """Keep and show mail until stopped."""
    logging.basicConfig(level=logging.WARNING)
    ending = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)  # before any thread begins, so that `sigwait` gets them
    mailbox.Maildir(directory, create=True)
    smtp = Controller(Keeper(directory), hostname=LOOPBACK, port=smtp_port, server_hostname="mailbox.invalid")
    smtp.start()
    web = create_server(
        create_app(directory, catalogues()[Language(language)]), host=LOOPBACK, port=web_port, threads=4
    )
    thread = threading.Thread(target=web.run, daemon=True)
    thread.start()
    click.echo(f"listening smtp={smtp_port} web={web_port}")
    signal.sigwait(ending)
    web.close()
    smtp.stop()


if __name__ == "__main__":
    main()
