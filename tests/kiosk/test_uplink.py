"""The uplink: signed both ways of saying it, bounded, and never taken in by somebody else's answer."""

import gzip
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attendance.chain import place
from attendance.clock import ManualClock
from attendance.records import Head, JournalLine
from attendance.signatures import ANSWERS_HEADER
from attendance.wire import (
    EntriesRequest,
    ErrorCode,
    ErrorResponse,
    Health,
    KioskNow,
    OfferRequest,
    OfferResponse,
    Problem,
    Receipt,
    encode,
)
from bench.fault_proxy import FaultProxy, Harm
from kiosk.errors import Trouble, UplinkError
from kiosk.uplink import MAX_ANSWER_BYTES, MAX_RETRY_AFTER_S, Timeout, Uplink, enrol, is_server_url
from tests.attendance.factories import draft, opened
from tests.kiosk.sync_parts import model, uplink_to
from tests.model_server import BROKEN, HTML, KIOSK, NOON, PORTAL, UID_KEY, Canned, ModelServer

IMPATIENT = Timeout(connect_s=2.0, read_s=0.3, whole_s=0.5)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model() as running:
        yield running


@pytest.fixture
def uplink(server: ModelServer) -> Iterator[Uplink]:
    with uplink_to(server.url) as connected:
        yield connected


def offer(*heads: Head) -> OfferRequest:
    now = KioskNow(session=None, boot="b0", at=ManualClock(NOON).read())
    return OfferRequest(now=now, heads=heads, health=Health(app="test", unsent=0))


def lines() -> tuple[JournalLine, ...]:
    return (place(draft(opened()), kiosk=KIOSK, session="s", after=None)[1],)


def refused(code: ErrorCode = ErrorCode.BUSY, *, status: int = 503, **headers: str) -> Canned:
    body = encode(ErrorResponse(error=Problem(code=code, message="why")))
    return Canned(status, body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def trouble(uplink: Uplink) -> UplinkError:
    with pytest.raises(UplinkError) as raised:
        uplink.offer(offer())
    return raised.value


def test_an_offer_is_heard_and_answered(uplink: Uplink, server: ModelServer) -> None:
    answer = uplink.offer(offer(Head("s", 4, "ab" * 32)))
    assert [(want.session, want.from_seq) for want in answer.want] == [("s", 0)]
    assert server.offers == [offer(Head("s", 4, "ab" * 32))]


def test_entries_are_sent_and_acknowledged(uplink: Uplink, server: ModelServer) -> None:
    receipt = uplink.send(EntriesRequest("s", 0, lines()))
    assert receipt == Receipt("s", 0, lines()[0].hash)
    assert server.ledger.sessions["s"] == list(lines())


def test_a_query_is_signed_as_it_goes_over_the_wire(uplink: Uplink) -> None:
    state = uplink.state(roster_version="7 & ü", presence_version="", boot="b0/?")
    assert state.roster is not None


def test_enrolment_hands_over_the_key_that_signs(server: ModelServer) -> None:
    key = Ed25519PrivateKey.generate()
    with requests.Session() as session:
        answer = enrol(server.url, "GOODCODE23", key, app="test", session=session, clock=ManualClock(NOON))
    assert (answer.kiosk, answer.uid_key) == (KIOSK, UID_KEY)
    with uplink_to(server.url, key=key) as uplink:
        uplink.offer(offer())


def test_a_key_the_server_does_not_know_is_refused_for_good(server: ModelServer) -> None:
    with uplink_to(server.url, key=Ed25519PrivateKey.generate()) as uplink:
        error = trouble(uplink)
    assert (error.trouble, error.permanent, error.code) == (Trouble.REFUSED, True, ErrorCode.SIGNATURE_REFUSED)


@pytest.mark.parametrize(
    "answer",
    [
        PORTAL,
        BROKEN,
        Canned(body=HTML),
        Canned(body=encode(OfferResponse((), 0, 500, 0, "1", "1")), content_type="text/html"),
        Canned(503, encode(ErrorResponse(error=Problem(ErrorCode.BUSY, "x"))), content_type="text/plain"),
        Canned(body=b"{}"),
        Canned(body=b'{"ok":true}', content_type=""),
        Canned(body=b"", status=204),
        Canned(status=302, headers={"Location": "/login"}, content_type="text/html"),
        Canned(status=307, headers={"Location": "http://127.0.0.1:1/"}),
        Canned(status=403, body=HTML, content_type="text/html"),
        Canned(status=404, body=b'{"detail":"no such page"}'),
        Canned(status=407, body=b"", content_type="text/plain"),
    ],
    ids=repr,
)
def test_the_answer_of_somebody_else_is_neither_believed_nor_final(
    uplink: Uplink, server: ModelServer, answer: Canned
) -> None:
    server.always = answer
    error = trouble(uplink)
    assert (error.trouble, error.permanent, error.code) == (Trouble.FOREIGN, False, None)
    assert len(server.requests) == 1  # no redirect was followed


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_what_the_server_itself_refuses_stays_refused(uplink: Uplink, server: ModelServer, status: int) -> None:
    server.always = refused(ErrorCode.BAD_REQUEST, status=status)
    error = trouble(uplink)
    assert (error.trouble, error.permanent, error.code) == (Trouble.REFUSED, True, ErrorCode.BAD_REQUEST)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_the_server_cannot_now_can_be_asked_again(uplink: Uplink, server: ModelServer, status: int) -> None:
    server.always = refused(status=status)
    error = trouble(uplink)
    assert (error.trouble, error.permanent, error.code) == (Trouble.FAILED, False, ErrorCode.BUSY)
    assert error.retry_after_s is None


@pytest.mark.parametrize(
    ("value", "wanted_s"),
    [
        ("30", 30.0),
        ("0", 0.0),
        ("Wed, 01 Apr 2026 03:00:45 GMT", 45.0),
        ("Wed, 01 Apr 2026 02:00:00 GMT", 0.0),
        ("99999999", MAX_RETRY_AFTER_S),
        ("-5", None),
        ("soon", None),
        ("\u00b2", None),
    ],
)
def test_retry_after_is_heeded_by_the_clock_of_the_server(
    uplink: Uplink, server: ModelServer, value: str, wanted_s: float | None
) -> None:
    server.always = refused(Retry_After=value, Date="Wed, 01 Apr 2026 03:00:00 GMT")
    assert trouble(uplink).retry_after_s == wanted_s


def test_a_receipt_for_something_else_is_no_receipt(uplink: Uplink, server: ModelServer) -> None:
    for receipt in (Receipt("other", 0, "ab" * 32), Receipt("s", 0, ""), Receipt("s", -1, "ab" * 32)):
        server.once.append(Canned(body=encode(receipt)))
        with pytest.raises(UplinkError) as raised:
            uplink.send(EntriesRequest("s", 0, lines()))
        assert raised.value.trouble is Trouble.FOREIGN


def test_an_answer_to_another_request_is_not_believed(uplink: Uplink, server: ModelServer) -> None:
    answered = uplink.offer(offer())
    server.always = Canned(body=encode(answered), headers={ANSWERS_HEADER: "an older one"})
    assert trouble(uplink).trouble is Trouble.FOREIGN
    server.always = Canned(body=encode(answered))
    assert uplink.offer(offer()) == answered


def test_an_answer_without_end_is_cut_off(uplink: Uplink, server: ModelServer) -> None:
    bomb = gzip.compress(bytes(MAX_ANSWER_BYTES + 1))
    assert len(bomb) < MAX_ANSWER_BYTES / 100
    server.always = Canned(body=bomb, headers={"Content-Encoding": "gzip"})
    error = trouble(uplink)
    assert (error.trouble, error.detail) == (Trouble.FOREIGN, "the answer is too large")


def test_a_compressed_answer_is_read(uplink: Uplink, server: ModelServer) -> None:
    honest = server.answer("GET", "/nowhere", {}, b"")
    assert honest is not None
    server.always = Canned(404, gzip.compress(honest.body), headers={"Content-Encoding": "gzip"})
    assert trouble(uplink).code is ErrorCode.SIGNATURE_REFUSED


@pytest.mark.parametrize(
    "answer",
    [Canned(body=b"{}", missing_bytes=5), Canned(body=b"no gzip", headers={"Content-Encoding": "gzip"})],
)
def test_an_answer_torn_on_the_way_is_a_lost_connection(uplink: Uplink, server: ModelServer, answer: Canned) -> None:
    server.always = answer
    error = trouble(uplink)
    assert (error.trouble, error.permanent) == (Trouble.UNREACHABLE, False)


def test_a_connection_that_is_cut_instead_of_answered_is_a_lost_connection(uplink: Uplink, server: ModelServer) -> None:
    server.drop_answers = 1
    assert trouble(uplink).trouble is Trouble.UNREACHABLE


def test_a_server_that_does_not_answer_is_not_waited_for_forever(server: ModelServer) -> None:
    server.always = Canned(body=b"{}", delay_s=2.0)
    with uplink_to(server.url, timeout=IMPATIENT) as uplink:
        assert trouble(uplink).trouble is Trouble.TIMEOUT


@pytest.mark.parametrize("harm", [Harm.DRIPPING_HEAD, Harm.DRIPPING_BODY])
def test_a_server_that_drips_is_not_waited_for_forever(server: ModelServer, harm: Harm) -> None:
    server.always = Canned(body=b" " * 1000)
    with FaultProxy(lambda: harm) as proxy, uplink_to(proxy.url, timeout=IMPATIENT) as uplink:
        url = urlsplit(server.url)
        proxy.upstream = str(url.hostname), int(url.port or 0)
        assert trouble(uplink).trouble is Trouble.TIMEOUT


def test_a_server_that_is_down_is_unreachable(server: ModelServer) -> None:
    server.stop()
    with uplink_to(server.url) as uplink:
        assert trouble(uplink).trouble is Trouble.UNREACHABLE


def test_a_name_that_nobody_knows_is_unreachable() -> None:
    with uplink_to("http://tadaima.invalid") as uplink:
        assert trouble(uplink).trouble is Trouble.UNREACHABLE


def test_a_server_without_a_certificate_is_not_trusted(server: ModelServer) -> None:
    with uplink_to(server.url.replace("http:", "https:")) as uplink:
        assert trouble(uplink).trouble is Trouble.TLS


def test_the_address_of_a_server_never_stands_in_an_error(server: ModelServer) -> None:
    server.stop()
    with uplink_to(server.url) as uplink:
        assert "127.0.0.1" not in str(trouble(uplink))


@pytest.mark.parametrize("url", ["https://t.example", "https://t.example/", "http://10.0.0.5:8000", "https://[::1]:1"])
def test_a_server_is_named_by_scheme_host_and_port(url: str) -> None:
    assert is_server_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "t.example",
        "ftp://t.example",
        "https://",
        "https://t.example/app",
        "https://t.example?x=1",
        "https://t.example#x",
        "https://me:secret@t.example",
        "https://t.example:port",
        "https://t.example:99999",
        "https://[::1",
    ],
)
def test_anything_more_or_less_is_no_server(url: str) -> None:
    assert not is_server_url(url)
