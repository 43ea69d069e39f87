"""The way out of a municipal network: a proxy and its certificate, from the settings."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from attendance.clock import ManualClock
from attendance.errors import SettingsError
from kiosk import config
from kiosk.config import SyncSettings
from kiosk.errors import Trouble, UplinkError
from kiosk.http_session import open_session
from kiosk.uplink import Uplink
from tests.certificate import Certificate, make_certificate
from tests.kiosk.sync_parts import KEY, QUICK, identity, model
from tests.model_server import NOON, ModelServer

ELSEWHERE = "http://tadaima.invalid"
NO_PROXY_THERE = "http://127.0.0.1:9"


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model() as running:
        yield running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def ask(session: requests.Session, url: str) -> None:
    Uplink(identity(url), KEY, session, ManualClock(NOON), QUICK).state(
        roster_version="", presence_version="", boot="b0"
    )


@contextmanager
def tls_before(server: ModelServer, certificate: Certificate) -> Iterator[str]:
    """End TLS with a certificate of one's own for one connection, and pass on what is said."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listening.settimeout(10)
        relay = threading.Thread(target=_relay, args=(listening, certificate.context, server.url))
        relay.start()
        stack.callback(relay.join)
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"


def _relay(listening: socket.socket, context: ssl.SSLContext, url: str) -> None:
    plain, _ = listening.accept()
    try:
        outside = context.wrap_socket(plain, server_side=True)
    except OSError:  # it does not trust us
        return
    host, _, port = url.removeprefix("http://").rstrip("/").partition(":")
    with outside, socket.create_connection((host, int(port))) as inside:
        inside.sendall(outside.recv(65536))
        inside.shutdown(socket.SHUT_WR)
        while answer := inside.recv(65536):
            outside.sendall(answer)


def test_a_proxy_of_the_settings_is_used_whatever_the_environment_says(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", NO_PROXY_THERE)
    with open_session(SyncSettings(proxy=server.url), ELSEWHERE) as session:
        ask(session, ELSEWHERE)
    assert len(server.requests) == 1


def test_without_settings_the_environment_says(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with open_session(SyncSettings(), ELSEWHERE) as session:
        ask(session, ELSEWHERE)
    assert len(server.requests) == 1


def test_certificates_of_the_settings_leave_the_proxy_to_the_environment(
    server: ModelServer, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with open_session(SyncSettings(ca_file=str(certificate.file)), ELSEWHERE) as session:
        ask(session, ELSEWHERE)
    assert len(server.requests) == 1


def test_a_proxy_of_the_settings_leaves_the_certificates_to_the_environment(
    server: ModelServer, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.file))
    with open_session(SyncSettings(proxy=server.url), ELSEWHERE) as session:
        assert session.verify == str(certificate.file)


def test_a_proxy_that_looks_into_tls_is_trusted_by_its_certificate(
    server: ModelServer, certificate: Certificate
) -> None:
    with (
        tls_before(server, certificate) as url,
        open_session(SyncSettings(ca_file=str(certificate.file)), url) as session,
    ):
        ask(session, url)
    assert len(server.requests) == 1


def test_without_its_certificate_it_is_not(server: ModelServer, certificate: Certificate) -> None:
    with (
        tls_before(server, certificate) as url,
        open_session(SyncSettings(), url) as session,
        pytest.raises(UplinkError) as raised,
    ):
        ask(session, url)
    assert raised.value.trouble is Trouble.TLS
    assert server.requests == []


@pytest.mark.parametrize("proxy", ["proxy.example:8080", "http://proxy.example", "http://:8080", "http://proxy:port"])
def test_a_proxy_without_scheme_name_or_port_is_refused(tmp_path: Path, proxy: str) -> None:
    with pytest.raises(SettingsError) as raised:
        config.load(_empty(tmp_path), environ={}, flags={"sync.proxy": proxy})
    assert raised.value.problems == (
        "sync: proxy: an address with its port is wanted, such as http://proxy.example:8080",
    )


def test_a_proxy_with_a_password_is_taken_and_not_shown(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from kiosk.cli import main

    given = ["show-config", "--config", str(_empty(tmp_path)), "--set", "sync.proxy=http://name:secret@proxy:8080"]
    said = CliRunner().invoke(main, given)
    assert said.exit_code == 0, said.output
    assert "* sync.proxy = ***" in said.output


def _empty(folder: Path) -> Path:
    (folder / "kiosk.toml").write_text("")
    return folder / "kiosk.toml"
