"""What every channel must do, held against each channel that is shipped, with a local server that answers for it.

To add a channel: give a `Rig` that opens it against a server which takes everything, and one for each refusal it knows.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest

from attendance.clock import ManualClock
from server.config import SmtpSettings
from server.errors import TransportError
from server.notify.mail import MailTransport
from server.notify.transport import Message, Transport
from tests.server import factories as make
from tests.server.smtp_servers import Postbox, closing_server, port_of_nobody, smtp_server

ADDRESS = "hogosha@example.jp"
NAME = "\N{CJK UNIFIED IDEOGRAPH-9AD9}\N{CJK UNIFIED IDEOGRAPH-6A4B}"


@dataclass
class Rig:
    """A channel, and the keys against doubles that its provider received."""

    transport: Transport
    keys: Callable[[], list[str]]


def mail(port: int) -> MailTransport:
    settings = SmtpSettings(port=port, sender="Tadaima <tadaima@example.jp>", timeout_s=5)
    return MailTransport(settings, password=None, clock=ManualClock(make.NOON))


def _mail_keys(postbox: Postbox) -> list[str]:
    return [str(message["Message-ID"]).strip("<>").partition("@")[0] for _, message in postbox.taken]


@contextmanager
def mail_taken() -> Iterator[Rig]:
    with smtp_server() as postbox:
        yield Rig(mail(postbox.port), lambda: _mail_keys(postbox))


@contextmanager
def mail_refused() -> Iterator[Rig]:
    with smtp_server(to_recipient="550 5.1.1 no such user") as postbox:
        yield Rig(mail(postbox.port), lambda: _mail_keys(postbox))


@contextmanager
def mail_busy() -> Iterator[Rig]:
    with smtp_server(to_recipient="450 4.2.0 greylisted") as postbox:
        yield Rig(mail(postbox.port), lambda: _mail_keys(postbox))


@contextmanager
def mail_down() -> Iterator[Rig]:
    yield Rig(mail(port_of_nobody()), list)


@contextmanager
def mail_hanging_up() -> Iterator[Rig]:
    with closing_server() as port:
        yield Rig(mail(port), list)


Open = Callable[[], AbstractContextManager[Rig]]
TAKEN: dict[str, Open] = {"mail": mail_taken}
REFUSED_FOR_GOOD: dict[str, Open] = {"mail": mail_refused}
NOT_NOW: dict[str, Open] = {"mail-busy": mail_busy, "mail-down": mail_down, "mail-hanging-up": mail_hanging_up}


def each(rigs: dict[str, Open]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("rig", rigs.values(), ids=rigs.keys())


def message(delivery_id: str = "01926f3a-0000-7000-8000-000000000001") -> Message:
    return Message(delivery_id=delivery_id, address=ADDRESS, subject=NAME, body=f"{NAME}\n", language="ja")


@each(TAKEN)
def test_the_delivery_id_reaches_the_provider_as_the_key_against_doubles(rig: Open) -> None:
    with rig() as channel:
        channel.transport.send(message("one"))
        channel.transport.send(message("two"))
        channel.transport.send(message("one"))
        channel.transport.close()
        assert channel.keys() == ["one", "two", "one"]


@each(TAKEN)
def test_what_is_returned_names_the_message_at_the_provider(rig: Open) -> None:
    with rig() as channel:
        assert "one" in channel.transport.send(message("one"))
        channel.transport.close()


@each(TAKEN)
def test_a_closed_channel_opens_again_by_itself(rig: Open) -> None:
    with rig() as channel:
        channel.transport.send(message("one"))
        channel.transport.close()
        channel.transport.close()
        channel.transport.send(message("two"))
        channel.transport.close()
        assert channel.keys() == ["one", "two"]


@each(REFUSED_FOR_GOOD)
def test_an_address_that_is_gone_is_told_as_permanent(rig: Open) -> None:
    with rig() as channel:
        with pytest.raises(TransportError) as refusal:
            channel.transport.send(message())
        channel.transport.close()
    assert (refusal.value.permanent, refusal.value.address_refused) == (True, True)


@each(NOT_NOW)
def test_a_channel_that_does_not_work_now_is_told_as_not_permanent(rig: Open) -> None:
    with rig() as channel:
        with pytest.raises(TransportError) as refusal:
            channel.transport.send(message())
        channel.transport.close()
    assert (refusal.value.permanent, refusal.value.address_refused) == (False, False)


@each(REFUSED_FOR_GOOD | NOT_NOW)
def test_a_refusal_holds_neither_address_nor_name(rig: Open) -> None:
    with rig() as channel:
        with pytest.raises(TransportError) as refusal:
            channel.transport.send(message())
        channel.transport.close()
    assert ADDRESS not in str(refusal.value)
    assert NAME not in str(refusal.value)


def test_a_message_shows_no_address_and_no_words_of_its_own() -> None:
    assert ADDRESS not in repr(message())
    assert NAME not in repr(message())
