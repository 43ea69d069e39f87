"""E-mail through any SMTP server, one connection kept for a burst."""

import contextlib
import smtplib
import ssl
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

from attendance.clock import Clock, now
from server.config import SmtpSettings
from server.errors import TransportError
from server.notify.transport import Message

KEEP_S = 20.0


class MailTransport:
    """Sends notices by SMTP; the delivery id is the local part of Message-ID."""

    name = "mail"

    def __init__(self, settings: SmtpSettings, *, password: str | None, clock: Clock) -> None:
        self._settings = settings
        self._password = password
        self._clock = clock
        self._connection: smtplib.SMTP | None = None
        self._used_at_s = 0.0

    def send(self, message: Message) -> str:
        """Hand the message to the SMTP server. Raises: TransportError, permanent when it was refused for good."""
        mail = self._compose(message)
        try:
            self._with_connection(lambda smtp: smtp.send_message(mail, to_addrs=[message.address]))
        except smtplib.SMTPRecipientsRefused as error:
            code, _ = next(iter(error.recipients.values()))
            raise TransportError(
                f"recipient refused with {code}", permanent=code >= 500, address_refused=code >= 500
            ) from error
        except smtplib.SMTPDataError as error:
            raise TransportError(f"message refused with {error.smtp_code}", permanent=error.smtp_code >= 500) from error
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise TransportError(type(error).__name__, permanent=False) from error
        return str(mail["Message-ID"])

    def rest(self) -> None:
        """Let an idle connection go before the SMTP server loses patience with it."""
        if self._connection is not None and time.monotonic() - self._used_at_s > KEEP_S:
            self.close()

    def close(self) -> None:
        """Say goodbye to the SMTP server."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                connection.quit()
            connection.close()

    def _with_connection(self, hand_over: Callable[[smtplib.SMTP], object]) -> None:
        """Use the open connection; a server may have closed it since, so that one alone is tried afresh."""
        self._used_at_s = time.monotonic()
        if self._connection is not None:
            try:
                hand_over(self._connection)
            except smtplib.SMTPServerDisconnected:
                self.close()
            else:
                return
        self._connection = self._connect()
        hand_over(self._connection)

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        smtp = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_s)
        try:
            if settings.starttls:
                smtp.starttls(context=ssl.create_default_context())
            if settings.user and self._password is not None:
                smtp.login(settings.user, self._password)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _compose(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        domain = parseaddr(self._settings.sender)[1].rpartition("@")[2]
        try:
            mail["From"] = self._settings.sender
            mail["To"] = message.address
            mail["Subject"] = message.subject
        except (ValueError, IndexError) as error:  # the header parser's answers to a malformed address
            raise TransportError("address or sender malformed", permanent=True, address_refused=True) from error
        mail["Date"] = format_datetime(now(self._clock))
        mail["Message-ID"] = f"<{message.delivery_id}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        mail["Content-Language"] = message.language
        mail.set_content(message.body)
        return mail
