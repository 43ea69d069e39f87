"""Whether the mail server takes us: asked as far as logging in, and no further."""

import smtplib
import ssl
from collections.abc import Iterator

import msgspec

from attendance.clock import SystemClock
from attendance.finding import Finding
from server.config import ServerSettings
from server.errors import PasswordMissing, TransportError
from server.notify.mail import MailTransport, read_password

PATIENCE_S = 10


def check_mail(settings: ServerSettings) -> Iterator[Finding]:
    """Say hello to the mail server and goodbye."""
    values: dict[str, object] = {"where": f"{settings.smtp.host}:{settings.smtp.port}"}
    patient = msgspec.structs.replace(settings.smtp, timeout_s=min(settings.smtp.timeout_s, PATIENCE_S))
    try:
        MailTransport(patient, password=read_password(settings.smtp), clock=SystemClock()).reach()
    except PasswordMissing as error:
        yield Finding("mail_password", wrong=True, values={"reason": error})
    except TransportError as error:
        yield Finding(_code(error.__cause__), wrong=True, values=values | {"reason": error})
    else:
        yield Finding("mail", values=values)


def _code(cause: BaseException | None) -> str:
    match cause:
        case smtplib.SMTPAuthenticationError() | smtplib.SMTPNotSupportedError():
            return "mail_login"
        case ssl.SSLError():
            return "mail_tls"
        case TimeoutError() | smtplib.SMTPServerDisconnected(__context__=TimeoutError()):
            return "mail_silent"
        case _:
            return "mail_unreached"
