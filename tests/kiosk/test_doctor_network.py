"""What the doctor says of the way to the server: each trouble brought about on real sockets."""

import errno
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from attendance.clock import ManualClock
from attendance.finding import Finding
from attendance.signatures import key_id
from attendance.wire import ErrorCode, ErrorResponse, Problem, encode
from bench.fault_proxy import FaultProxy, Harm
from kiosk.beside import Known, look_up
from kiosk.config import KioskSettings, SyncSettings
from kiosk.doctor.network import check_server, explain
from kiosk.errors import Trouble, UplinkError
from kiosk.identity import load_key
from tests.certificate import make_certificate
from tests.kiosk.doctor_parts import examined, house, settings, wrong_of
from tests.kiosk.enrolled import enrol
from tests.kiosk.sync_parts import BOOT
from tests.model_server import BROKEN, HTML, NOON, PORTAL, Canned, ModelServer


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def refusal(status: int, code: ErrorCode) -> Canned:
    return Canned(status, encode(ErrorResponse(error=Problem(code=code, message="model"))))


def asked(folder: Path, url: str, **of_sync: object) -> Finding:
    """What a kiosk enrolled at a URL finds of its server."""
    enrol(folder / "data", server_url=url)
    sync = SyncSettings(**{"timeout_s": 5, **of_sync})  # type: ignore[arg-type]
    wanted = settings(folder, sync=sync)
    (finding,) = check_server(wanted, ManualClock(NOON), BOOT, Known())
    return finding


@contextmanager
def listening() -> Iterator[tuple[socket.socket, str]]:
    with socket.create_server(("127.0.0.1", 0)) as there:
        yield there, f"127.0.0.1:{there.getsockname()[1]}"


@contextmanager
def tls(context: ssl.SSLContext) -> Iterator[str]:
    """A server that shows a certificate, to one who comes."""
    with listening() as (there, address):
        there.settimeout(10)

        def greet() -> None:
            outside, _ = there.accept()
            with outside, pytest.raises(OSError, match=r".*"), context.wrap_socket(outside, server_side=True):
                raise OSError("nobody took the certificate")

        greeting = threading.Thread(target=greet)
        greeting.start()
        yield f"https://{address}"
        greeting.join()


@pytest.mark.parametrize(
    ("canned", "code"),
    [
        (PORTAL, "server_foreign"),
        (Canned(302, headers={"Location": "http://portal.invalid/"}, content_type=""), "server_foreign"),
        (Canned(302, HTML, "text/html", {"Location": "http://portal.invalid/"}), "server_foreign"),
        (Canned(200, b'{"welcome": true}'), "server_foreign"),
        (Canned(502, b"<h1>Bad Gateway</h1>", "text/html"), "server_foreign"),
        (BROKEN, "server_foreign"),
        (refusal(500, ErrorCode.INTERNAL), "server_ill"),
        (refusal(503, ErrorCode.BUSY), "server_ill"),
        (refusal(404, ErrorCode.NOT_FOUND), "server_refuses"),
        (refusal(401, ErrorCode.SIGNATURE_REFUSED), "server_unknown"),
        (refusal(403, ErrorCode.REVOKED), "server_revoked"),
    ],
)
def test_an_answer_that_is_not_the_state_is_told_by_whose_it_is(
    tmp_path: Path, server: ModelServer, canned: Canned, code: str
) -> None:
    with house(tmp_path, server) as kiosk:
        server.always = canned
        assert kiosk.wrong() == {code}
        server.always = None
        assert kiosk.wrong() == set()


def test_a_kiosk_that_the_server_does_not_know_or_revoked_is_told(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        named = key_id(load_key(kiosk.settings.data_dir).public_key())
        server.revoked.add(named)
        assert kiosk.wrong() == {"server_revoked"}
        del server.keys[named]
        assert kiosk.wrong() == {"server_unknown"}


def test_a_name_that_is_not_found_is_told(tmp_path: Path) -> None:
    assert asked(tmp_path, "https://tadaima.invalid").code == "server_name"


def test_a_port_where_nobody_listens_is_told(tmp_path: Path) -> None:
    with listening() as (_, address):
        pass
    assert asked(tmp_path, f"http://{address}").code == "server_closed"


def test_a_server_that_says_nothing_is_waited_for_as_long_as_is_set(tmp_path: Path) -> None:
    with listening() as (_, address):
        assert asked(tmp_path, f"http://{address}", timeout_s=0.2).code == "server_timeout"


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        (Harm.NONE, "server"),
        (Harm.SLOW, "server"),
        (Harm.REFUSED, "server_unreached"),
        (Harm.HALF_OPEN, "server_timeout"),
        (Harm.ANSWER_LOST, "server_timeout"),
        (Harm.RESET_IN_REQUEST, "server_unreached"),
        (Harm.RESET_IN_ANSWER, "server_unreached"),
        (Harm.TRUNCATED, "server_unreached"),
        (Harm.SHORTENED, "server_foreign"),
        (Harm.PORTAL, "server_foreign"),
        (Harm.PORTAL_JSON, "server_foreign"),
        (Harm.REDIRECT, "server_foreign"),
        (Harm.BAD_GATEWAY, "server_foreign"),
        (Harm.GARBAGE, "server_unreached"),
        (Harm.TLS, "server_unreached"),
        (Harm.DRIPPING_BODY, "server_timeout"),
        (Harm.DRIPPING_HEAD, "server_timeout"),
    ],
)
def test_what_a_bad_network_does_to_the_question_is_told(
    tmp_path: Path, server: ModelServer, harm: Harm, code: str
) -> None:
    with FaultProxy(lambda: harm) as proxy:
        parts = urlsplit(server.url)
        assert parts.hostname is not None
        assert parts.port is not None
        proxy.upstream = parts.hostname, parts.port
        enrol(tmp_path / "data", server_url=proxy.url)
        server.trust(load_key(tmp_path / "data").public_key())
        wanted = settings(tmp_path, sync=SyncSettings(timeout_s=0.5 if code == "server_timeout" else 20))
        (finding,) = check_server(wanted, ManualClock(NOON), BOOT, Known())
    assert finding.code == code


def test_a_connection_that_is_cut_is_told(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        server.drop_answers = 1
        assert kiosk.wrong() == {"server_unreached"}


def test_a_certificate_that_nobody_vouches_for_is_told_with_openssls_reason(tmp_path: Path) -> None:
    with tls(make_certificate(tmp_path).context) as url:
        finding = asked(tmp_path, url)
    assert finding.code == "server_tls"
    assert "self" in str(finding.values["reason"])


def test_a_certificate_that_has_run_out_is_told_as_a_matter_of_dates(tmp_path: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=10)
    certificate = make_certificate(tmp_path, at=long_ago)
    with tls(certificate.context) as url:
        assert asked(tmp_path, url, ca_file=str(certificate.file)).code == "server_tls_date"


def test_tls_where_none_is_spoken_is_told(tmp_path: Path, server: ModelServer) -> None:
    assert asked(tmp_path, server.url.replace("http:", "https:")).code == "server_tls"


def test_a_proxy_that_is_not_there_is_told_as_the_proxy(tmp_path: Path, server: ModelServer) -> None:
    with listening() as (_, address):
        pass
    assert asked(tmp_path, server.url, proxy=f"http://{address}").code == "server_proxy"


def test_certificates_that_are_not_there_are_told(tmp_path: Path) -> None:
    finding = asked(tmp_path, "https://127.0.0.1:1", ca_file=str(tmp_path / "none.pem"))
    assert finding.wrong
    assert finding.code == "server_ca_file"


@pytest.mark.parametrize("number", [errno.ENETUNREACH, errno.EHOSTUNREACH])
def test_a_machine_without_network_is_told(number: int) -> None:
    error = UplinkError(Trouble.UNREACHABLE, "OSError")
    error.__cause__ = OSError(number, "no way")
    assert explain(error, {"url": "u"}).code == "network_none"


def test_a_kiosk_that_is_not_enrolled_tries_the_way_all_the_same(tmp_path: Path, server: ModelServer) -> None:
    wanted = settings(tmp_path, server_url=server.url)
    assert "server" in examined(wanted)
    server.always = PORTAL
    assert "server_foreign" in wrong_of(examined(wanted))
    assert not {code for code in examined(settings(tmp_path)) if code.startswith("server")}


def test_a_newer_roster_that_does_not_arrive_is_told(tmp_path: Path, server: ModelServer) -> None:
    with house(tmp_path, server) as kiosk:
        server.roster_version += 1
        assert kiosk.wrong() == {"roster_old"}
        kiosk.step()
        assert kiosk.wrong() == set()


def test_a_roster_that_sync_fetches_at_its_next_question_is_not_told(
    tmp_path: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house(tmp_path, server) as kiosk:
        server.roster_version += 1

        def looked_up(wanted: KioskSettings, boot: str) -> Known:
            known = look_up(wanted, boot)
            kiosk.step()
            return known

        monkeypatch.setattr("kiosk.doctor.network.look_up", looked_up)
        assert kiosk.wrong() == set()
