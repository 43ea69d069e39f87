"""The doctor finds a web process, a live process and a mail server that are away, silent, or somebody else."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from flask import Flask

from attendance.clock import SystemClock
from server.app import create_app
from server.config import BindSettings, LiveSettings, SmtpSecurity, SmtpSettings
from server.doctor import mail, web
from server.store.engine import Store
from server.web.live import create_live_app
from tests.certificate import make_certificate
from tests.server.doctor_parts import found, settings, wrong
from tests.server.smtp_servers import closing_server, free_port, hanging_server, port_of_nobody, smtp_server
from tests.server.web_site import free_port as listening_socket
from tests.server.web_site import served

PORTAL = b"<!doctype html><title>Log in to the network</title>"


@contextmanager
def answering(*parts: bytes, pause_s: float = 0) -> Iterator[int]:
    """A server that gives everybody the same bytes, with a pause before each but the first; its port."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    for number, part in enumerate(parts):
                        if number and stop.wait(pause_s):
                            return
                        try:
                            connection.sendall(part)
                        except OSError:
                            break

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            stop.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def http(status: str, body: bytes, *headers: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers])
    return head.encode() + b"\r\n\r\n" + body


OTHERS = {
    "a captive portal": http("200 OK", PORTAL, "Content-Type: text/html"),
    "a redirect": http("302 Found", b"", "Location: http://portal.invalid/"),
    "another program": http("404 Not Found", b"nothing here"),
    "a proxy without us": http("502 Bad Gateway", b"bad gateway"),
}


def at(folder: Path, port: int) -> dict[str, Any]:
    """What is found of the web process and of the live process at a port, and at it as the address of both."""
    url = f"http://127.0.0.1:{port}"
    return found(folder, bind=BindSettings(port=port), live=LiveSettings(port=port), base_url=url, live_url=url + "/")


@contextmanager
def serving(app: Flask) -> Iterator[int]:
    listening = listening_socket()
    with served(app, listening):
        yield listening.getsockname()[1]
    listening.detach()


def test_a_server_that_answers(folder: Path, store: Store) -> None:
    clock = SystemClock()
    with serving(create_app(settings(folder), store, clock)) as port:
        seen = at(folder, port)
        assert {"web", "public"} <= seen.keys()
        assert wrong(seen) == {"live_wrong", "public_live_wrong"}, "they are processes of their own"
    with serving(create_live_app(settings(folder), store, clock)) as port:
        seen = at(folder, port)
        assert {"live", "public_live"} <= seen.keys()
        assert wrong(seen) == {"web_wrong", "public_wrong"}


def test_every_address_of_this_machine_is_asked_at_one_of_them(folder: Path, store: Store) -> None:
    with serving(create_app(settings(folder), store, SystemClock())) as port:
        assert "web" in found(folder, bind=BindSettings(host="0.0.0.0", port=port))


def test_a_server_that_cannot_use_its_database(folder: Path, store: Store) -> None:
    with serving(create_app(settings(folder), store, SystemClock())) as port:
        with store.write() as conn:
            conn.exec_driver_sql("ALTER TABLE site RENAME TO elsewhere")
        assert "web_failing" in wrong(at(folder, port))


@pytest.mark.parametrize("answer", OTHERS.values(), ids=OTHERS)
def test_somebody_else_who_answers(folder: Path, answer: bytes) -> None:
    with answering(answer) as port:
        assert wrong(at(folder, port)) == {"web_wrong", "public_wrong", "live_wrong", "public_live_wrong"}


def test_nobody_who_answers(folder: Path) -> None:
    away = {"web_unreached", "public_unreached", "live_unreached", "public_live_unreached"}
    assert wrong(at(folder, port_of_nobody())) == away
    with closing_server() as port:
        assert wrong(at(folder, port)) == away
    with answering(b"SSH-2.0-OpenSSH_9.6\r\n") as port:
        assert wrong(at(folder, port)) == away
    assert "public_unreached" in wrong(found(folder, base_url="http://tadaima.invalid"))


def test_a_server_that_is_silent_or_drips(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "REACH_S", 0.2)
    with hanging_server() as port:
        assert "web_unreached" in wrong(found(folder, bind=BindSettings(port=port)))
    monkeypatch.setattr(web, "REACH_S", 30.0)
    monkeypatch.setattr(web, "WHOLE_S", 0.3)
    with answering(b"HTTP/1.1 200 OK\r\n", *[b"X-Slow: yes\r\n"] * 10_000, pause_s=0.05) as port:
        assert "web_unreached" in wrong(found(folder, bind=BindSettings(port=port)))


def test_a_certificate_that_nobody_trusts(folder: Path, tmp_path: Path) -> None:
    context = make_certificate(tmp_path).context
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, pytest.raises(ssl.SSLError, match=r"(?i)unknown.ca"):
                context.wrap_socket(connection, server_side=True)

        thread = threading.Thread(target=serve)
        thread.start()
        seen = found(folder, base_url=f"https://127.0.0.1:{listening.getsockname()[1]}")
        thread.join()
    assert "public_untrusted" in wrong(seen)


# ---- mail ----


def of_mail(folder: Path, **smtp: Any) -> str:
    [code] = [code for code in found(folder, smtp=SmtpSettings(**smtp)) if code.startswith("mail")]
    return code


@contextmanager
def guarded_server() -> Iterator[int]:
    """A mail server that wants a login, and lets nobody in; its port."""
    controller: Any = Controller(
        object(),
        hostname="127.0.0.1",
        port=free_port(),
        ready_timeout=30,
        authenticator=lambda *_: AuthResult(success=False, handled=False),
        auth_require_tls=False,
    )
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def test_a_mail_server_that_is_not_there_or_hangs_up(folder: Path) -> None:
    assert of_mail(folder, port=port_of_nobody()) == "mail_unreached"
    assert of_mail(folder, host="mail.invalid") == "mail_unreached"
    with closing_server() as port:
        assert of_mail(folder, port=port) == "mail_unreached"


def test_a_mail_server_that_says_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "PATIENCE_S", 1)
    with hanging_server() as port:
        assert of_mail(folder, port=port) == "mail_silent"


def test_a_mail_server_that_refuses_the_login(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("wrong\n")
    login = {"user": "tadaima", "password_file": str(tmp_path / "password")}
    with guarded_server() as port:
        assert of_mail(folder, port=port, **login) == "mail_login"
    with smtp_server() as postbox:
        assert of_mail(folder, port=postbox.port, **login) == "mail_login", "it knows no logins without TLS"


def test_a_password_that_is_not_there(folder: Path, tmp_path: Path) -> None:
    assert of_mail(folder, password_file=str(tmp_path / "none")) == "mail_password"


def test_a_mail_server_without_the_encryption_that_is_set(folder: Path) -> None:
    with answering(b"220 mail.example ESMTP\r\n") as port:
        assert of_mail(folder, port=port, security=SmtpSecurity.TLS, timeout_s=5) == "mail_tls"
    with smtp_server() as postbox:
        assert of_mail(folder, port=postbox.port, security=SmtpSecurity.STARTTLS) == "mail_login"


def test_a_mail_server_that_takes_us(folder: Path) -> None:
    with smtp_server() as postbox:
        assert of_mail(folder, port=postbox.port) == "mail"
