"""Mail over an encrypted way: real TLS, with a certificate that the test makes and the settings name."""

import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from attendance.clock import SystemClock
from server.config import SmtpSecurity, SmtpSettings
from server.errors import TransportError
from server.notify.mail import MailTransport
from server.notify.transport import Message
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


@dataclass(frozen=True)
class Certificate:
    file: Path
    context: ssl.SSLContext


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.invalid")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(encoding))
    (folder / "key.pem").write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return Certificate(folder / "cert.pem", context)


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
