"""The command tadaima-server, from an empty folder to a served page and a clean end."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from attendance.staff_pin import matches
from bench.postgresql import Cluster
from server.cli import main
from server.config import ServerSettings
from server.enrolment import redeem
from server.keys import KEY_BYTES, load_secrets, make_secrets
from server.store.engine import using_store
from server.store.tables import audit, site
from tests.server import factories as make
from tests.server import web_site as web
from tests.server.factories import NOON_MS

ENGLISH = {"TADAIMA_SERVER_LANGUAGES": '["en"]'}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def english(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that speak English, with no settings of this machine."""
    file = tmp_path / "server.toml"
    file.write_text('languages = ["en"]\n', encoding="utf-8")
    monkeypatch.setattr("server.config.DEFAULT_FILE", file)


def command(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--set", f"data_dir={folder}", *arguments])


def done(folder: Path, *arguments: str) -> str:
    result = command(folder, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def ready(folder: Path) -> Path:
    """The data folder of a server that was set up, with the site A1."""
    done(folder, "init")
    done(folder, "sites", "add", "A1", "Naka")
    return folder


def test_init_makes_all_a_server_needs_for_its_owner_only(folder: Path) -> None:
    assert str(folder) in done(folder, "init")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    keys = list((folder / "secrets").iterdir())
    assert sorted(key.name for key in keys) == ["flask.key", "names.key", "uid.key"]
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert {key.stat().st_size for key in keys} == {KEY_BYTES}
    assert len({key.read_bytes() for key in keys}) == 3


def test_init_again_keeps_what_is_there(ready: Path) -> None:
    before = load_secrets(ready)
    done(ready, "init")
    assert load_secrets(ready) == before
    assert "A1" in done(ready, "sites", "list")


@pytest.mark.parametrize(
    "arguments",
    [("run",), ("sites", "list"), ("kiosks", "list"), ("kiosks", "code", "A1", "x"), ("sites", "add", "A", "A")],
)
def test_a_command_before_init_says_so(folder: Path, arguments: tuple[str, ...]) -> None:
    result = command(folder, *arguments)
    assert result.exit_code == 1
    assert "tadaima-server init" in result.stderr


def test_a_damaged_secret_is_told(ready: Path) -> None:
    (ready / "secrets" / "uid.key").write_bytes(b"short")
    assert "uid.key is damaged" in command(ready, "run").stderr


def test_secrets_that_were_lost_are_restored_and_not_drawn_anew(ready: Path) -> None:
    """By them kiosks know cards by their UID, and a roster brought in again gives the children it gave before."""
    lost = (ready / "secrets" / "uid.key").rename(ready / "uid.key")
    assert "uid.key is missing; restore it from a backup" in command(ready, "run").stderr
    refused = command(ready, "init")
    assert refused.exit_code == 1
    assert "uid.key is missing, and the database is there: restore the secrets too" in refused.stderr
    lost.rename(ready / "secrets" / "uid.key")
    done(ready, "init")


def test_a_second_server_of_a_database_draws_no_secrets_of_its_own(
    folder: Path, tmp_path: Path, postgresql: Cluster
) -> None:
    second = tmp_path / "second"
    with postgresql.empty_database() as url:
        database = ("--set", f"database_url={url}")
        done(folder, *database, "init")
        refused = command(second, *database, "init")
        assert refused.exit_code == 1
        assert "copy them from another server" in refused.stderr
        shutil.copytree(folder / "secrets", second / "secrets")
        done(second, *database, "init")
    assert load_secrets(second) == load_secrets(folder)


def test_two_that_make_secrets_at_once_get_the_same(folder: Path) -> None:
    made = []
    threads = [threading.Thread(target=lambda: made.append(make_secrets(folder))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert all(each == load_secrets(folder) for each in made)


def test_rules_of_a_site_are_set_and_listed(ready: Path) -> None:
    done(ready, "sites", "set", "A1", "expected_by=16:00", "reentry_allowed=false", "name=Minami")
    header, line = (row.split("\t") for row in done(ready, "sites", "list").splitlines())
    listed = dict(zip(header, line, strict=True))
    assert (listed["expected_by"], listed["reentry_allowed"], listed["name"]) == ("16:00", "false", "Minami")
    assert listed["closes_at"] == "19:00"
    with using_store(ServerSettings(data_dir=str(ready)).store_url) as store:
        [row] = make.rows(store, site)
        assert row.roster_version != 1
        assert [each.action for each in make.rows(store, audit)] == ["site.add", "site.pin", "site.set"]


def pin_hash(folder: Path) -> str | None:
    with using_store(ServerSettings(data_dir=str(folder)).store_url) as store:
        [row] = make.rows(store, site)
        found: str | None = row.staff_pin
        return found


def test_a_new_site_has_a_pin_which_is_told_once_and_kept_as_a_hash(folder: Path) -> None:
    done(folder, "init")
    told = re.search(r"\b[0-9]{6}\b", done(folder, "sites", "add", "A1", "Naka"))
    assert told
    hashed = pin_hash(folder)
    assert hashed
    assert matches(told[0], hashed)
    assert told[0] not in hashed
    assert told[0] not in done(folder, "sites", "list")


def test_a_new_pin_takes_the_place_of_the_old_one_and_kiosks_are_told(ready: Path) -> None:
    old = pin_hash(ready)
    told = re.search(r"\b[0-9]{6}\b", done(ready, "sites", "pin", "A1"))
    new = pin_hash(ready)
    assert told
    assert new
    assert new != old
    assert matches(told[0], new)
    assert "4711" in done(ready, "sites", "pin", "A1", "--pin", "4711")
    assert matches("4711", pin_hash(ready) or "")
    with using_store(ServerSettings(data_dir=str(ready)).store_url) as store:
        [row] = make.rows(store, site)
        assert row.roster_version != 1
        acts = [(each.action, each.who, each.subject) for each in make.rows(store, audit)]
        assert acts[1:] == [("site.pin", "command", "A1")] * 3
        assert "4711" not in str(acts)


def test_a_pin_can_be_taken_away(ready: Path) -> None:
    done(ready, "sites", "pin", "A1", "--remove")
    assert pin_hash(ready) is None
    with using_store(ServerSettings(data_dir=str(ready)).store_url) as store:
        assert [each.action for each in make.rows(store, audit)][-1] == "site.no-pin"


def test_a_pin_is_not_given_and_taken_away_at_once(ready: Path) -> None:
    before = pin_hash(ready)
    assert command(ready, "sites", "pin", "A1", "--remove", "--pin", "4711").exit_code == 2
    assert pin_hash(ready) == before


@pytest.mark.parametrize("wish", ["123", "123456789", "12a4", "", "１２３５", "0000", "1234", "987654"])
def test_a_pin_that_is_none_or_too_easy_is_refused_and_the_old_one_stays(ready: Path, wish: str) -> None:
    before = pin_hash(ready)
    result = command(ready, "sites", "pin", "A1", "--pin", wish)
    assert result.exit_code == 1
    assert "digits" in result.stderr
    assert pin_hash(ready) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sites", "add", "A1", "Again"), "A1"),
        (("sites", "add", "with space", "X"), "letters"),
        (("sites", "add", "B", ""), "name"),
        (("sites", "set", "B", "undo_s=1"), "no site B"),
        (("sites", "set", "A1", "undo_s"), "KEY=VALUE"),
        (("sites", "set", "A1", "undo=9"), "did you mean 'undo_s'"),
        (("sites", "set", "A1", "expected_by=24:00"), "expected_by"),
        (("sites", "set", "A1", "way=sideways"), "way"),
        (("sites", "pin", "B"), "no site B"),
        (("kiosks", "code", "B", "x"), "no site B"),
        (("kiosks", "revoke", "nobody"), "no kiosk nobody"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(ready: Path, arguments: tuple[str, ...], said: str) -> None:
    result = command(ready, *arguments)
    assert result.exit_code == 1
    assert said in result.stderr
    assert done(ready, "sites", "list").count("\n") == 2


def test_a_kiosk_is_enrolled_listed_and_shut_out(ready: Path) -> None:
    code = done(ready, "kiosks", "code", "A1", "Front").strip()
    with using_store(ServerSettings(data_dir=str(ready)).store_url) as store:
        made = redeem(store, code, Ed25519PrivateKey.generate().public_key(), "1.0", NOON_MS)
    assert f"{made.id}\tA1\tFront\tin_service" in done(ready, "kiosks", "list")
    assert "tadaima-provision" not in command(ready, "kiosks", "revoke", made.id).output
    assert f"{made.id}\tA1\tFront\trevoked" in done(ready, "kiosks", "list")


def test_who_shuts_a_kiosk_out_is_told_what_has_not_arrived_and_how_it_can(ready: Path) -> None:
    with using_store(ServerSettings(data_dir=str(ready)).store_url) as store:
        made = make.kiosk(store, unsent=3, heard_at_ms=NOON_MS)
    said = command(ready, "kiosks", "revoke", made.id).stderr
    assert "2026-04-15 12:00:00" in said
    assert "3 records" in said
    assert "tadaima-provision enrol --replace --with-unsent" in said


def test_settings_are_shown_with_a_star_where_they_differ(folder: Path) -> None:
    shown = done(folder, "--set", "database_url=postgresql://u:secret@h/d", "show-config")
    assert "  threads = 8" in shown
    assert f'* data_dir = "{folder}"' in shown
    assert "secret" not in shown


def test_wrong_settings_are_all_told(folder: Path) -> None:
    result = CliRunner().invoke(main, ["--set", "threads=x", "--set", "port=1", "show-config"])
    assert result.exit_code == 2
    assert "threads" in result.stderr
    assert "port" in result.stderr


class Served:
    """A running `tadaima-server run`."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        settings = (f"data_dir={folder}", "bind.port=0", "live.port=0")
        self._complaints = folder.parent / "complaints.log"
        with self._complaints.open("ab") as complaints:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-c", "from server.cli import main; main()"),
                    *(part for setting in settings for part in ("--set", setting)),
                    *("run", *arguments),
                ],
                cwd=Path(__file__).parents[2],
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
                process_group=0,
            )
        assert self.process.stdout
        self.line = self.process.stdout.readline().strip()
        self.urls = dict(re.findall(r"(web|live)=(http://\S+)", self.line))

    @property
    def complaints(self) -> str:
        """What it logged of warnings and worse."""
        lines = self._complaints.read_text(encoding="utf-8").splitlines()
        return "\n".join(line for line in lines if "level=INFO" not in line)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


@pytest.fixture
def served(ready: Path) -> Iterator[Served]:
    running = Served(ready)
    yield running
    if running.process.poll() is None:
        running.end()
    assert running.process.stdout
    running.process.stdout.close()


def ask(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        body: bytes = answer.read()
    return body.decode()


HEADERS = b"POST /kiosk/v1/offer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n"


def test_clients_that_stop_in_the_middle_of_a_request_do_not_silence_the_server(served: Served) -> None:
    address = urlsplit(served.urls["web"])
    with ExitStack() as stack:
        for number in range(ServerSettings().threads):
            stopped = stack.enter_context(socket.create_connection((str(address.hostname), address.port or 0)))
            stopped.sendall(HEADERS if number % 2 else HEADERS + b'\r\n{"now":')
        assert ask(served.urls["web"] + "/health") == "ok\n"
    assert "Traceback" not in served.complaints


def children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_serves_both_parts_and_ends_when_told(served: Served, number: int) -> None:
    assert set(served.urls) == {"web", "live"}
    assert ask(served.urls["web"] + "/health") == "ok\n"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask(served.urls["live"] + "/live/site/A1")
    parts = children_of(served.process.pid)
    assert len(parts) == 2
    assert served.end(number) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in parts)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("told", [os.kill, os.killpg])
def test_run_ends_cleanly_while_screens_are_open(
    ready: Path, served: Served, number: int, told: Callable[[int, int], None]
) -> None:
    """Whether it is told alone, or all its processes at once, as by systemd and by Ctrl-C in a terminal."""
    with using_store(ServerSettings(data_dir=str(ready)).store_url) as store:
        web.add_login(store, "hana", site="A1")
    with requests.Session() as browser:
        form = {
            "csrf_token": web.find_csrf_token(browser.get(f"{served.urls['web']}/login", timeout=30).text),
            "login": "hana",
            "password": web.PASSWORD,
        }
        browser.post(f"{served.urls['web']}/login", data=form, timeout=30)
        streams = [browser.get(f"{served.urls['live']}/live/site/A1", stream=True, timeout=30) for _ in range(3)]
        assert [stream.status_code for stream in streams] == [200] * 3
        told(served.process.pid, number)
        assert served.process.wait(timeout=30) == 0
        for stream in streams:
            assert "event: changed" in stream.text, "it ended whole"
    assert served.complaints == ""


@pytest.mark.parametrize("victim", [0, 1])
def test_when_one_part_dies_the_command_fails(served: Served, victim: int) -> None:
    ask(served.urls["web"] + "/health")
    os.kill(children_of(served.process.pid)[victim], signal.SIGKILL)
    assert served.process.wait(timeout=30) == 1


@pytest.mark.parametrize("part", ["web", "live"])
def test_one_part_may_be_run_alone(ready: Path, part: str) -> None:
    running = Served(ready, "--only", part)
    assert set(running.urls) == {part}
    assert running.end() == 0
    assert running.process.stdout
    running.process.stdout.close()


def test_a_port_that_is_taken_is_told(ready: Path, served: Served) -> None:
    port = served.urls["web"].rpartition(":")[2]
    result = command(ready, "--set", f"bind.port={port}", "run", "--only", "web")
    assert result.exit_code == 1
    assert f"127.0.0.1:{port} cannot be listened on" in result.stderr
