"""Enrolment: the real handshake with the model server, and a sentence with a way out for everything that goes wrong."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from attendance.catalogue import Language
from attendance.clock import ManualClock
from attendance.records import Head
from attendance.signatures import key_id
from attendance.wire import ErrorCode, ErrorResponse, Problem, encode
from kiosk.errors import NotEnrolled
from kiosk.identity import load_identity, load_key
from kiosk.journal import Journal
from kiosk.roster_cache import RosterCache
from kiosk.uplink import Timeout
from provisioning.catalogues import catalogues
from provisioning.cli import language_of, main
from provisioning.enrol import Enrolled, enrol
from provisioning.errors import EnrolmentFailed, EnrolmentTrouble
from tests.kiosk.sync_parts import moved
from tests.model_server import BROKEN, KIOSK, NOON, PORTAL, UID_KEY, Canned, ModelServer

CODE = "GOODCODE23"


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def enrolled(
    url: str, data_dir: Path, *, code: str = CODE, replace: bool = False, allow_http: bool = False
) -> Enrolled:
    return enrol(
        url,
        code,
        data_dir,
        clock=ManualClock(NOON),
        replace=replace,
        allow_http=allow_http,
        timeout=Timeout(2.0, 0.5, 1.0),
    )


def trouble(url: str, data_dir: Path, *, code: str = CODE, replace: bool = False) -> EnrolmentTrouble:
    with pytest.raises(EnrolmentFailed) as failed:
        enrolled(url, data_dir, code=code, replace=replace)
    return failed.value.trouble


def command(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(main, ["enrol", *arguments], env={"LC_ALL": "", "LC_MESSAGES": "", "LANG": "", **environ})


def test_a_good_code_makes_a_kiosk_whose_key_the_server_knows(server: ModelServer, tmp_path: Path) -> None:
    done = enrolled(server.url + "/", tmp_path)
    identity = load_identity(tmp_path)
    assert identity == done.identity
    assert (identity.kiosk, identity.server_url, identity.uid_key) == (KIOSK, server.url, UID_KEY)
    assert set(server.keys) == {key_id(load_key(tmp_path).public_key())}


def test_a_code_that_is_not_taken_leaves_no_identity(server: ModelServer, tmp_path: Path) -> None:
    assert trouble(server.url, tmp_path, code="WRONGCODE2") is EnrolmentTrouble.CODE_REFUSED
    with pytest.raises(NotEnrolled):
        load_identity(tmp_path)


def test_after_a_lost_answer_the_same_code_still_serves(server: ModelServer, tmp_path: Path) -> None:
    server.drop_answers = 1
    assert trouble(server.url, tmp_path) is EnrolmentTrouble.UNREACHABLE
    enrolled(server.url, tmp_path)
    assert len(server.keys) == 1


def test_a_code_that_served_one_kiosk_serves_no_other(server: ModelServer, tmp_path: Path) -> None:
    enrolled(server.url, tmp_path / "one")
    assert trouble(server.url, tmp_path / "other") is EnrolmentTrouble.CODE_REFUSED


def test_an_identity_is_not_given_up_by_mistake(server: ModelServer, tmp_path: Path) -> None:
    enrolled(server.url, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    server.codes.add("SECOND2345")
    assert trouble(server.url, tmp_path, code="SECOND2345") is EnrolmentTrouble.ALREADY_ENROLLED
    assert trouble(server.url, tmp_path, code="WRONGCODE2", replace=True) is EnrolmentTrouble.CODE_REFUSED
    assert before.items() <= {path.name: path.read_bytes() for path in tmp_path.iterdir()}.items()


def test_an_identity_can_be_replaced_on_purpose(server: ModelServer, tmp_path: Path) -> None:
    enrolled(server.url, tmp_path)
    before = load_key(tmp_path).private_bytes_raw()
    server.codes.add("SECOND2345")
    enrolled(server.url, tmp_path, code="SECOND2345", replace=True)
    assert load_key(tmp_path).private_bytes_raw() != before
    assert len(server.keys) == 2


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (PORTAL, EnrolmentTrouble.FOREIGN),
        (BROKEN, EnrolmentTrouble.FOREIGN),
        (Canned(status=302, headers={"Location": "/login"}), EnrolmentTrouble.FOREIGN),
        (Canned(delay_s=2.0), EnrolmentTrouble.UNREACHABLE),
        (
            Canned(503, encode(ErrorResponse(error=Problem(code=ErrorCode.BUSY, message="x")))),
            EnrolmentTrouble.BUSY,
        ),
        (
            Canned(400, encode(ErrorResponse(error=Problem(code=ErrorCode.BAD_REQUEST, message="x")))),
            EnrolmentTrouble.REFUSED,
        ),
    ],
)
def test_another_answer_is_told_apart(
    server: ModelServer, tmp_path: Path, answer: Canned, wanted: EnrolmentTrouble
) -> None:
    server.always = answer
    assert trouble(server.url, tmp_path) is wanted


def test_a_server_that_is_down_or_has_no_certificate_is_told_apart(server: ModelServer, tmp_path: Path) -> None:
    assert trouble(server.url.replace("http:", "https:"), tmp_path) is EnrolmentTrouble.TLS
    server.stop()
    assert trouble(server.url, tmp_path) is EnrolmentTrouble.UNREACHABLE


@pytest.mark.parametrize("url", ["tadaima.example", "https://tadaima.example/app", "ftp://tadaima.example", ""])
def test_an_address_that_is_none_is_told_before_anything_is_written(tmp_path: Path, url: str) -> None:
    assert trouble(url, tmp_path) is EnrolmentTrouble.NOT_A_SERVER
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["http://tadaima.invalid", "http://192.0.2.1:8000", "http://127.0.0.1.invalid"])
def test_plain_http_to_another_machine_must_be_meant(tmp_path: Path, url: str) -> None:
    assert trouble(url, tmp_path) is EnrolmentTrouble.INSECURE
    assert list(tmp_path.iterdir()) == []


def test_plain_http_that_is_meant_is_used(server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert enrolled("http://tadaima.invalid", tmp_path, allow_http=True).identity.kiosk == KIOSK


def test_a_folder_that_cannot_be_written_is_told_before_the_code_is_used(server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert trouble(server.url, tmp_path / "file" / "kiosk") is EnrolmentTrouble.STORAGE
    assert server.requests == []


def test_a_clock_that_is_off_is_noticed(server: ModelServer, tmp_path: Path) -> None:
    done = enrol(server.url, CODE, tmp_path, clock=ManualClock(NOON + timedelta(minutes=-10)))
    assert done.clock_off_s == -600


def test_the_command_says_which_site_it_is_and_what_comes_next(server: ModelServer, tmp_path: Path) -> None:
    result = command("--server", server.url, "--code", CODE, "--data-dir", str(tmp_path / "kiosk"), LANG="en_GB.UTF-8")
    assert result.exit_code == 0, result.output
    assert "さくら児童クラブ" in result.output
    assert "tadaima-kiosk doctor" in result.output
    assert "clock is off" in result.output  # the model server lives at noon of a fixed day
    assert load_identity(tmp_path / "kiosk").kiosk == KIOSK


def test_the_command_takes_folder_and_proxy_from_the_settings_of_the_kiosk(server: ModelServer, tmp_path: Path) -> None:
    file = tmp_path / "kiosk.toml"
    file.write_text(f'data_dir = "{tmp_path / "kiosk"}"\n[sync]\nproxy = "{server.url.rstrip("/")}"\n')
    given = ("--server", "http://tadaima.invalid", "--allow-http", "--code", CODE, "--config", str(file))
    assert command(*given).exit_code == 0
    assert load_identity(tmp_path / "kiosk").server_url == "http://tadaima.invalid"


def test_the_command_says_what_is_wrong_in_the_settings_before_the_code_is_used(
    server: ModelServer, tmp_path: Path
) -> None:
    (tmp_path / "kiosk.toml").write_text("[sync]\nproxi = ''\n")
    result = command("--server", server.url, "--code", CODE, "--config", str(tmp_path / "kiosk.toml"))
    assert (result.exit_code, server.requests) == (2, [])
    assert "sync.proxi" in result.stderr


def test_who_replaces_an_identity_is_told_to_restart(server: ModelServer, tmp_path: Path) -> None:
    restart = catalogues()[Language.EN].text("enrol.restart")
    given = ("--server", server.url, "--data-dir", str(tmp_path), "--language", "en")
    assert restart not in command(*given, "--code", CODE).output
    server.codes.add("SECOND2345")
    assert restart in command(*given, "--code", "SECOND2345", "--replace").output


def test_who_replaces_an_identity_is_told_of_entries_that_would_be_left_behind(
    server: ModelServer, tmp_path: Path
) -> None:
    enrolled(server.url, tmp_path)
    clock = ManualClock(NOON)
    with closing(Journal(tmp_path / "journal.db", kiosk=KIOSK, clock=clock, boot="b", app="1", key_id="k")) as journal:
        opened = journal.begin().append(moved())
    server.codes.add("SECOND2345")
    given = ("--server", server.url, "--data-dir", str(tmp_path), "--language", "en", "--code", "SECOND2345")
    before, asked = load_identity(tmp_path), len(server.requests)
    refused = command(*given, "--replace")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("2 entries on this machine have not been sent yet. Nothing was changed.")
    assert "--with-unsent" in refused.stderr
    assert (load_identity(tmp_path), len(server.requests)) == (before, asked)
    with closing(RosterCache.open(tmp_path / "cache.db", boot="b")) as cache:
        cache.store_acks([Head(session=opened.session, seq=0, hash="0" * 64)])
    assert command(*given, "--replace").stderr.startswith("1 entry on this machine has")
    assert command(*given, "--replace", "--with-unsent").exit_code == 0


def test_a_journal_that_cannot_be_read_keeps_nobody_from_replacing_an_identity(
    server: ModelServer, tmp_path: Path
) -> None:
    (tmp_path / "journal.db").write_bytes(b"no database" * 1000)
    given = ("--server", server.url, "--data-dir", str(tmp_path), "--code", CODE, "--replace")
    assert command(*given).exit_code == 0


def test_the_command_asks_for_the_code_when_it_is_not_given(server: ModelServer, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        main, ["enrol", "--server", server.url, "--data-dir", str(tmp_path), "--language", "en"], input=f"{CODE}\n"
    )
    assert result.exit_code == 0, result.output


def test_the_command_fails_with_one_sentence_and_the_detail(server: ModelServer, tmp_path: Path) -> None:
    result = command("--server", server.url, "--code", "WRONGCODE2", "--data-dir", str(tmp_path), "--language", "ja")
    assert result.exit_code == 1
    sentence, detail = result.stderr.splitlines()
    assert sentence == catalogues()[Language.JA].text("enrol.code_refused")
    assert "code_refused" in detail
    assert result.stdout == ""


@pytest.mark.parametrize("language", Language)
def test_every_trouble_has_its_sentence_in_every_language(language: Language) -> None:
    words = catalogues()[language]
    for each in EnrolmentTrouble:
        assert words.text(f"enrol.{each}")


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, Language.EN),
        ({"LANG": "ja_JP.UTF-8"}, Language.JA),
        ({"LANG": "C.UTF-8"}, Language.EN),
        ({"LC_ALL": "en_US.UTF-8", "LANG": "ja_JP.UTF-8"}, Language.EN),
        ({"LC_ALL": "", "LANG": "ja_JP.UTF-8"}, Language.JA),
    ],
)
def test_the_language_is_that_of_the_terminal(environ: dict[str, str], language: Language) -> None:
    assert language_of(environ) is language


def test_enrolling_needs_nothing_that_only_the_demo_or_the_doctor_needs() -> None:
    others = {"aiosmtpd", "flask", "hardware", "waitress"}
    code = f"import sys, provisioning.cli; print(sorted({others} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert said.stdout == "[]\n"


def test_the_commands_are_enrol_and_demo() -> None:
    said = CliRunner().invoke(main, ["--help"]).output
    assert "  enrol " in said
    assert "  demo " in said
