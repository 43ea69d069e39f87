"""Mail over an encrypted way: real TLS, with a certificate that the test makes and the settings name."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from attendance.clock import SystemClock
from server.config import SmtpSecurity, SmtpSettings
from server.errors import TransportError
from server.notify.mail import MailTransport
from server.notify.transport import Message
from tests.certificate import Certificate, make_certificate
from tests.server.smtp_servers import free_port

MESSAGE = Message(delivery_id="d1", address="a@example.com", subject="s", body="b", language="ja")


class Inbox:
    """Keeps what came, and whether it came encrypted."""

    def __init__(self) -> None:
        self.encrypted: list[bool] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        assert server.transport is not None
        self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        return "250 kept"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=[SmtpSecurity.STARTTLS, SmtpSecurity.TLS])
def settings(request: pytest.FixtureRequest, certificate: Certificate, inbox: Inbox) -> Iterator[SmtpSettings]:
    security = SmtpSecurity(request.param)
    tls: dict[str, Any] = (
        {"ssl_context": certificate.context}
        if security is SmtpSecurity.TLS
        else {"tls_context": certificate.context, "require_starttls": True}
    )
    server = Controller(inbox, hostname="127.0.0.1", port=free_port(), **tls)
    server.start()
    try:
        yield SmtpSettings(
            port=server.port, security=security, ca_file=str(certificate.file), sender="t@example.com", timeout_s=5
        )
    finally:
        server.stop()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def send(settings: SmtpSettings) -> str:
    transport = MailTransport(settings, password=None, clock=SystemClock())
    try:
        return transport.send(MESSAGE)
    finally:
        transport.close()


def test_mail_goes_encrypted_to_a_server_whose_certificate_is_named(settings: SmtpSettings, inbox: Inbox) -> None:
    assert send(settings) == "<d1@example.com>"
    assert inbox.encrypted == [True]


def test_mail_does_not_go_to_a_server_whose_certificate_nobody_vouches_for(
    settings: SmtpSettings, inbox: Inbox
) -> None:
    with pytest.raises(TransportError) as refused:
        send(msgspec.structs.replace(settings, ca_file=""))

    assert not refused.value.permanent
    assert inbox.encrypted == []


def test_mail_does_not_go_in_clear_when_the_server_offers_no_encryption(inbox: Inbox) -> None:
    server = Controller(inbox, hostname="127.0.0.1", port=free_port())
    server.start()
    try:
        with pytest.raises(TransportError):
            send(SmtpSettings(port=server.port, security=SmtpSecurity.STARTTLS, sender="t@example.com", timeout_s=5))
    finally:
        server.stop()
    assert inbox.encrypted == []
