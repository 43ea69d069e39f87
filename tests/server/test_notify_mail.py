"""Mail against real SMTP servers: what goes over the wire, and what each refusal means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.clock import ManualClock
from server.config import SmtpSettings
from server.errors import TransportError
from server.notify.mail import MailTransport, is_address_refused
from server.notify.transport import Message
from tests.server import factories as make
from tests.server.smtp_servers import hanging_server, smtp_server

ADDRESS = "hogosha@example.jp"


def transport(port: int, *, timeout_s: int = 5, sender: str = "tadaima@example.jp") -> MailTransport:
    settings = SmtpSettings(port=port, sender=sender, timeout_s=timeout_s)
    return MailTransport(settings, password=None, clock=ManualClock(make.NOON))


def message(*, subject: str = "hello", body: str = "hello\n", address: str = ADDRESS) -> Message:
    return Message(delivery_id="one", address=address, subject=subject, body=body, language="ja")


def refusal(to_recipient: str = "250 OK", to_data: str = "250 OK", *, address: str = ADDRESS) -> TransportError:
    with smtp_server(to_recipient, to_data) as postbox:
        mail = transport(postbox.port)
        with pytest.raises(TransportError) as raised:
            mail.send(message(address=address))
        mail.close()
        assert postbox.taken == []
    return raised.value


def test_a_notice_arrives_with_its_headers_and_its_words() -> None:
    words = "\N{CJK UNIFIED IDEOGRAPH-9AD9}\N{HIRAGANA LETTER SA}\N{HIRAGANA LETTER N}"
    with smtp_server() as postbox:
        mail = transport(postbox.port)
        mail.send(message(subject=words, body=f"{words}\n"))
        mail.close()
    ((address, arrived),) = postbox.taken
    assert (address, arrived["To"], arrived["From"]) == (ADDRESS, ADDRESS, "tadaima@example.jp")
    assert (arrived["Subject"], arrived.get_content().strip()) == (words, words)
    assert (arrived["Message-ID"], arrived["Auto-Submitted"]) == ("<one@example.jp>", "auto-generated")
    assert (arrived["Content-Language"], arrived["Date"]) == ("ja", "Wed, 15 Apr 2026 03:00:00 +0000")


def test_nothing_on_the_wire_needs_more_than_seven_bits() -> None:
    with smtp_server() as postbox:
        mail = transport(postbox.port)
        mail.send(message(subject="\N{HIRAGANA LETTER A}" * 60, body="\N{HIRAGANA LETTER A}" * 2000))
        mail.send(message(body="\N{HIRAGANA LETTER A}\n"))
        mail.close()
    assert [raw.isascii() for raw in postbox.raw] == [True, True]
    assert max(len(line) for raw in postbox.raw for line in raw.splitlines()) <= 78


def test_a_newline_in_a_name_makes_no_header() -> None:
    with smtp_server() as postbox:
        mail = transport(postbox.port)
        mail.send(message(subject="Taro\r\nBcc: everybody@example.jp\r\n\r\nHello"))
        mail.close()
    ((address, arrived),) = postbox.taken
    assert address == ADDRESS
    assert arrived["Bcc"] is None
    assert arrived["Subject"] == "Taro Bcc: everybody@example.jp Hello"


def test_a_newline_in_an_address_is_refused_and_sent_to_nobody() -> None:
    refused = refusal(address="a@example.jp\nBcc: b@example.jp")
    assert (refused.permanent, refused.address_refused) == (True, True)


@pytest.mark.parametrize("address", ["taro..yamada@example.jp", "taro.@example.jp"])
def test_addresses_with_dots_as_japanese_carriers_once_gave_them_are_reached(address: str) -> None:
    with smtp_server() as postbox:
        mail = transport(postbox.port)
        mail.send(message(address=address))
        mail.close()
    assert [to for to, _ in postbox.taken] == [address]


def test_a_burst_goes_over_one_connection() -> None:
    with smtp_server() as postbox:
        mail = transport(postbox.port)
        for _ in range(5):
            mail.send(message())
        mail.rest()
        mail.send(message())
        mail.close()
    assert (len(postbox.taken), postbox.connections) == (6, 1)


def test_a_refused_recipient_does_not_spoil_the_connection_for_the_next() -> None:
    with smtp_server("550 5.1.1 gone") as postbox:
        mail = transport(postbox.port)
        with pytest.raises(TransportError):
            mail.send(message())
        postbox.to_recipient = "250 OK"
        mail.send(message())
        mail.close()
    assert (len(postbox.taken), postbox.connections) == (1, 1)


def test_a_server_that_was_started_anew_is_reached_anew() -> None:
    with smtp_server() as postbox:
        mail = transport(postbox.port)
        mail.send(message())
        # What a server's idle timeout does to a connection that we still hold.
        held = mail._connection
        assert held is not None
        assert held.sock is not None
        held.sock.shutdown(2)
        mail.send(message())
        mail.close()
    assert (len(postbox.taken), postbox.connections) == (2, 2)


def test_a_message_refused_for_good_leaves_the_address_alone() -> None:
    refused = refusal(to_data="554 5.6.0 not wanted")
    assert (refused.permanent, refused.address_refused) == (True, False)


def test_a_message_refused_for_now_is_tried_again() -> None:
    assert not refusal(to_data="451 4.3.0 later").permanent


def test_a_relay_that_refuses_us_suspends_no_guardian() -> None:
    refused = refusal(to_recipient="550 5.7.1 relaying denied")
    assert (refused.permanent, refused.address_refused) == (False, False)


def test_a_server_that_says_nothing_is_given_up_after_the_timeout() -> None:
    with hanging_server() as port:
        mail = transport(port, timeout_s=1)
        with pytest.raises(TransportError) as raised:
            mail.send(message())
        mail.close()
    assert not raised.value.permanent
    assert raised.value.retry_after_s is not None


def test_a_sender_that_is_no_address_blames_no_guardian() -> None:
    with smtp_server() as postbox:
        mail = transport(postbox.port, sender="a\nb")
        with pytest.raises(TransportError) as raised:
            mail.send(message())
    assert (raised.value.permanent, raised.value.address_refused) == (False, False)


@pytest.mark.parametrize(
    ("code", "said", "refused"),
    [
        (550, b"5.1.1 no such user", True),
        (550, b"5.2.1 mailbox disabled", True),
        (550, b"no such user", True),
        (553, b"mailbox name not allowed", True),
        (550, b"5.7.1 relaying denied", False),
        (554, b"5.7.1 your host is listed", False),
        (530, b"authentication required", False),
        (552, b"5.2.2 mailbox full", False),
        (450, b"4.2.0 greylisted", False),
        (421, b"too many connections", False),
    ],
)
def test_a_reply_tells_whether_the_address_is_to_blame(code: int, said: bytes, refused: bool) -> None:
    assert is_address_refused(code, said) is refused


@given(code=st.integers(200, 599), said=st.binary())
def test_any_reply_is_judged_and_only_a_permanent_one_blames_the_address(code: int, said: bytes) -> None:
    assert not is_address_refused(code, said) or code >= 500
