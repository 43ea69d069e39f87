"""E-mail through any SMTP server, one connection kept for a burst."""

import contextlib
import re
import smtplib
import ssl
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from pathlib import Path

from attendance.clock import Clock, now
from server.config import SmtpSecurity, SmtpSettings
from server.errors import PasswordMissing, TransportError
from server.notify.transport import Message

KEEP_S = 20.0
RECONNECT_S = 60.0
"""A mail server that is down says nothing of the message: soon after it is back, all that waited is sent."""

_STATUS = re.compile(rb"\s*5\.(\d{1,3}\.\d{1,3})")
_ADDRESS_STATUS = re.compile(rb"1\.\d+|2\.1")  # RFC 3463: no such address; mailbox disabled (a full one is not)
_ADDRESS_CODES = frozenset({550, 551, 553})  # RFC 5321, section 4.2.2, of servers without enhanced codes


class MailTransport:
    """Sends notices by SMTP; the delivery id is the local part of Message-ID."""

    name = "mail"

    def __init__(self, settings: SmtpSettings, *, password: str | None, clock: Clock) -> None:
        self._settings = settings
        self._password = password
        self._clock = clock
        self._connection: smtplib.SMTP | None = None
        self._used_at_s = 0.0
        self._broke_off = False
        """Whether a connection was lost, or not heard of, while this message was handed over."""

    def send(self, message: Message) -> str:
        """Hand the message to the SMTP server. Raises: TransportError, permanent when it was refused for good."""
        mail = self._compose(message)
        try:
            self._with_connection(lambda smtp: smtp.send_message(mail, to_addrs=[message.address]))
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            gone = is_address_refused(code, said)
            raise TransportError(f"recipient refused with {code}", permanent=gone, address_refused=gone) from error
        except smtplib.SMTPDataError as error:
            raise TransportError(f"message refused with {error.smtp_code}", permanent=error.smtp_code >= 500) from error
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise TransportError(
                type(error).__name__,
                permanent=False,
                retry_after_s=RECONNECT_S,
                perhaps_taken=self._broke_off and not isinstance(error, smtplib.SMTPResponseException),
            ) from error
        return str(mail["Message-ID"])

    def reach(self) -> None:
        """Say hello to the SMTP server, as far as logging in, and goodbye. Raises: TransportError."""
        try:
            self._connect().quit()
        except (smtplib.SMTPException, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise TransportError(reason, permanent=False) from error

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
        self._broke_off = False
        if self._connection is not None:
            self._broke_off = True
            try:
                hand_over(self._connection)
            except smtplib.SMTPServerDisconnected:
                self.close()
            else:
                return
        self._connection = self._connect()
        self._broke_off = True
        hand_over(self._connection)

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        smtp = self._greeted()
        try:
            if settings.security is SmtpSecurity.STARTTLS:
                smtp.starttls(context=self._trust())
            if settings.user and self._password is not None:
                smtp.login(settings.user, self._password)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _greeted(self) -> smtplib.SMTP:
        settings = self._settings
        if settings.security is SmtpSecurity.TLS:
            return smtplib.SMTP_SSL(settings.host, settings.port, timeout=settings.timeout_s, context=self._trust())
        return smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_s)

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._settings.ca_file or None)

    def _compose(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        domain = parseaddr(self._settings.sender)[1].rpartition("@")[2]
        # The header parser answers a malformed address with either of these.
        try:
            mail["From"] = self._settings.sender
        except (ValueError, IndexError) as error:
            raise TransportError("sender malformed", permanent=False) from error
        try:
            mail["To"] = message.address
        except (ValueError, IndexError) as error:
            raise TransportError("address malformed", permanent=True, address_refused=True) from error
        mail["Subject"] = " ".join(message.subject.split())  # a header is one line, whatever a name holds
        mail["Date"] = format_datetime(now(self._clock))
        mail["Message-ID"] = f"<{message.delivery_id}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        mail.set_content(message.body, cte="base64")  # passes every server, 8BITMIME or not
        mail["Content-Language"] = message.language
        return mail


def read_password(settings: SmtpSettings) -> str | None:
    """Return the password for the SMTP server, None when there is none. Raises: PasswordMissing."""
    if not settings.password_file:
        return None
    try:
        return Path(settings.password_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = f"smtp.password_file: {settings.password_file} cannot be read ({error})"
        raise PasswordMissing(reason) from error


def is_address_refused(code: int, said: bytes) -> bool:
    """Say whether an SMTP reply to a recipient is about that address for good.

    A relay that refuses us (5.7.x) refuses everybody: that is ours to mend, and no guardian loses notices by it.
    """
    if code < 500:
        return False
    enhanced = _STATUS.match(said)
    if enhanced is None:
        return code in _ADDRESS_CODES
    return _ADDRESS_STATUS.fullmatch(enhanced[1]) is not None
