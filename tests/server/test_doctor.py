"""The server's doctor finds each kind of trouble when it is there, and says what to do in every language."""

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from attendance.catalogue import Language
from attendance.finding import Finding
from server import doctor
from server.backup.make import make_backup
from server.backup.restore import make_key
from server.catalogues import catalogues
from server.cli import main
from server.config import BackupSettings, BindSettings, ServerSettings, SmtpSecurity, SmtpSettings
from server.doctor import BACKUP_OLD_MS, STUCK_MS, examine
from server.doors import SILENT_MS
from server.keys import make_secrets
from server.notify.outbox import queue_moved
from server.store.engine import Store, sqlite_url
from server.store.tables import entry
from tests.server import factories as make
from tests.server.factories import NOON_MS
from tests.server.smtp_servers import smtp_server

HOUR_MS = 3_600_000


@pytest.fixture
def folder(store: Store, tmp_path: Path) -> Path:
    """The data folder of a server that was set up; `store` is open in it."""
    make_secrets(tmp_path)
    return tmp_path


def settings(folder: Path, **values: Any) -> ServerSettings:
    usual: dict[str, Any] = {"data_dir": str(folder), "bind": BindSettings(port=0), "smtp": SmtpSettings(port=1)}
    return ServerSettings(**usual | values)


def found(folder: Path, now_ms: int = NOON_MS, **values: Any) -> dict[str, Finding]:
    return {finding.code: finding for finding in examine(settings(folder, **values), now_ms)}


def test_a_well_server_is_well(folder: Path, store: Store, tmp_path: Path) -> None:
    make.kiosk(store, site_id=make.site(store).id, heard_at_ms=NOON_MS)
    public = make_key(tmp_path / "key")
    made = make_backup(
        sqlite_url(folder / "tadaima.db"), folder, tmp_path / "b", recipients=[public], keep=1, now_ms=NOON_MS
    )
    with smtp_server() as smtp:
        seen = found(
            folder,
            now_ms=round(made.path.stat().st_mtime * 1000),
            backup=BackupSettings(folder=str(tmp_path / "b"), recipients=(public,)),
            smtp=SmtpSettings(port=smtp.port),
        )
    assert {code for code, finding in seen.items() if finding.wrong} == {"kiosks_silent", "backup_same_disk"}
    assert {"secrets", "disk", "backup", "database", "clock", "notices", "mail"} <= seen.keys()


def test_missing_and_open_secrets(folder: Path) -> None:
    (folder / "secrets" / "uid.key").chmod(0o644)
    assert found(folder)["secrets_open"].values == {"files": "uid.key"}
    (folder / "secrets" / "uid.key").unlink()
    assert found(folder)["secrets_missing"].wrong


def test_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "FREE_MIN_MB", 10**12)
    assert found(folder)["disk_full"].wrong


def test_no_old_and_missing_backups(folder: Path, tmp_path: Path) -> None:
    assert found(folder)["backup_none"].wrong
    public = make_key(tmp_path / "key")
    backup = BackupSettings(folder=str(tmp_path / "b"), recipients=(public,))
    assert found(folder, backup=backup)["backup_missing"].wrong
    made = make_backup(
        sqlite_url(folder / "tadaima.db"), folder, tmp_path / "b", recipients=[public], keep=1, now_ms=NOON_MS
    )
    made_ms = round(made.path.stat().st_mtime * 1000)
    assert not found(folder, now_ms=made_ms + BACKUP_OLD_MS, backup=backup)["backup"].wrong
    assert found(folder, now_ms=made_ms + BACKUP_OLD_MS + 1, backup=backup)["backup_old"].wrong


def test_a_database_that_is_missing_or_damaged(folder: Path, store: Store) -> None:
    for _ in range(200):
        make.site(store)
    store.close()
    raw = bytearray((folder / "tadaima.db").read_bytes())
    for page in range(20, len(raw) // 4096):
        raw[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    (folder / "tadaima.db").write_bytes(raw)
    seen = found(folder)
    assert "database_damaged" in seen or "database_unusable" in seen
    for path in folder.glob("tadaima.db*"):
        path.unlink()
    assert found(folder)["database_unusable"].wrong


@pytest.mark.parametrize(("ahead_ms", "code"), [(HOUR_MS, "clock_ahead"), (-HOUR_MS, "clock_behind")])
def test_a_wrong_clock(folder: Path, store: Store, ahead_ms: int, code: str) -> None:
    make.kiosk(store, site_id=make.site(store).id, heard_at_ms=NOON_MS, clock_ahead_ms=ahead_ms)
    assert found(folder)[code].values == {"seconds": 3600}


def test_kiosks_that_are_silent_or_in_trouble(folder: Path, store: Store) -> None:
    here = make.site(store).id
    make.kiosk(store, site_id=here, name="north", heard_at_ms=NOON_MS - SILENT_MS - 1, trouble="old news")
    make.kiosk(store, site_id=here, name="south", heard_at_ms=NOON_MS, trouble="chain_differs")
    make.kiosk(store, site_id=here, name="gone", revoked_at_ms=NOON_MS)
    seen = found(folder)
    assert seen["kiosks_silent"].values == {"names": "north"}
    assert seen["kiosks_troubled"].values == {"names": "south (chain_differs)"}


def test_entries_that_are_not_understood(folder: Path, store: Store) -> None:
    kiosk = make.kiosk(store, site_id=make.site(store).id)
    make.put(
        store,
        entry,
        id="1",
        kiosk_id=kiosk.id,
        session="s",
        seq=0,
        kind="",
        line="?",
        hash="0" * 64,
        received_at_ms=NOON_MS,
        quarantined="unknown child",
    )
    assert found(folder)["quarantine"].values == {"reasons": "unknown child (1)"}


def test_notices_that_nobody_sends(folder: Path, store: Store) -> None:
    here = make.site(store)
    child = make.child(store, at=here.id)
    make.guardian(store, of=child.id)
    moved = make.movement(store, site_id=here.id, child_id=child.id)
    with store.write() as conn:
        queue_moved(conn, [moved.id], NOON_MS)
    assert "notices_stuck" not in found(folder, now_ms=NOON_MS + STUCK_MS)
    assert found(folder, now_ms=NOON_MS + 2 * STUCK_MS)["notices_stuck"].values == {"number": 1}


def test_a_mail_server_that_is_not_there_or_lets_nobody_in(folder: Path, tmp_path: Path) -> None:
    assert found(folder)["mail_unreached"].wrong
    no_file = SmtpSettings(password_file=str(tmp_path / "none"))
    assert "cannot be read" in str(found(folder, smtp=no_file)["mail_unreached"].values["reason"])
    with smtp_server() as smtp:
        wrong_way = SmtpSettings(port=smtp.port, security=SmtpSecurity.TLS, timeout_s=2)
        assert found(folder, smtp=wrong_way)["mail_unreached"].wrong


def test_a_server_that_does_not_answer(folder: Path) -> None:
    assert found(folder, base_url="http://127.0.0.1:1")["web_unreached"].wrong


WELL = ("secrets", "disk", "backup", "database", "database_other", "clock", "kiosks", "notices", "web", "mail")
WRONG = (
    *(
        "secrets_missing",
        "secrets_open",
        "disk_full",
        "backup_none",
        "backup_missing",
        "backup_same_disk",
        "backup_old",
        "database_damaged",
    ),
    *("database_unusable", "clock_ahead", "clock_behind", "kiosks_silent", "kiosks_troubled", "quarantine"),
    *("notices_stuck", "web_unreached", "mail_unreached"),
)
VALUES = ("reason", "files", "free_mb", "made", "folder", "seconds", "names", "reasons", "number", "url", "where")


def test_the_codes_here_are_those_of_the_doctor() -> None:
    source = Path(doctor.__file__).read_text(encoding="utf-8")
    assert {code for code in (*WELL, *WRONG) if f'"{code}"' not in source} == set()
    assert set(re.findall(r'Finding\(\s*"([a-z_]+)"', source)) <= {*WELL, *WRONG}


@pytest.mark.parametrize("language", Language)
def test_every_finding_has_a_sentence_and_what_is_wrong_a_remedy(language: Language) -> None:
    words = catalogues()[language]
    values: dict[str, object] = dict.fromkeys(VALUES, "VALUE")
    for code in WELL:
        assert len(Finding(code, values=values).sentences(words)) == 1
    for code in WRONG:
        assert len(Finding(code, wrong=True, values=values).sentences(words)) == 2


def run(folder: Path, *pairs: str) -> Result:
    options = [text for pair in (f"data_dir={folder}", "languages=en", *pairs) for text in ("--set", pair)]
    return CliRunner().invoke(main, [*options, "doctor"])


def test_the_command_says_what_to_do_and_fails_when_something_is_wrong(folder: Path) -> None:
    said = run(folder, "bind.port=0", "smtp.port=1")
    assert said.exit_code == 1
    assert "WRONG  Nothing is backed up." in said.output
    assert "-> Set backup.folder" in said.output
    assert "things are wrong." in said.output
