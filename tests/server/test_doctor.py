"""The server's doctor as a person meets it: the command, its sentences in every language, and that it harms nothing."""

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from attendance import process_owner
from attendance.catalogue import Language
from attendance.finding import Finding
from attendance.wire import DoorProblem, SyncProblem
from server import doctor
from server.backup.make import make_backup
from server.backup.restore import make_key
from server.catalogues import catalogues
from server.cli import main
from server.config import BackupSettings, SmtpSettings
from server.doctor import examination
from server.doctor.entries import _KINDS
from server.ledger import accept
from server.store.engine import Store, sqlite_url
from server.store.migrations import Schema
from server.store.tables import anchor
from tests.server import factories as make
from tests.server.doctor_parts import found, wrong
from tests.server.factories import NOON_MS
from tests.server.kiosk_side import BOOT, S, Session
from tests.server.smtp_servers import smtp_server

WELL = {
    *("folder", "disk", "secrets", "database", "database_large", "database_other", "chains", "chains_all", "derived"),
    *("quarantine_old", "kiosks", "kiosks_none", "clock", "clock_kept", "notices", "dispatcher", "backup"),
    *("backup_other", "replica", "web", "public", "live", "public_live", "mail"),
}


def record(store: Store) -> None:
    """A kiosk that is well, and a session of it with everything in it."""
    door = make.kiosk(store, heard_at_ms=NOON_MS)
    child = make.child(store, at=door.site_id).id
    make.guardian(store, of=child)
    make.link(store, anchor, kiosk_id=door.id, boot=BOOT, boot_ns=1000 * S, server_ms=NOON_MS)
    session = Session(door.id)
    session.undone(session.moved(child))
    session.moved(child)
    session.unknown()
    accept(store, door, session.request(), NOON_MS)


def codes() -> set[str]:
    """Every code that the doctor's source can say."""
    modules = [*Path(doctor.__file__).parent.glob("*.py"), Path(process_owner.__file__)]
    source = "".join(path.read_text(encoding="utf-8") for path in modules)
    said = {each for each in re.findall(r'"([a-z_]+)"', source) if f"doctor.{each}" in catalogues()[Language.EN].ids}
    said |= {f"database_{age}" for age in Schema if age is not Schema.CURRENT}
    said |= {f"quarantine_{kind}" for kind in {*_KINDS.values(), "strange"}}
    said |= {f"kiosk_{code}" for code in {*DoorProblem, *SyncProblem, "other"}}
    for code in ("web", "public", "live", "public_live"):
        said |= {f"{code}_wrong", f"{code}_unreached"}
    return said


def test_a_well_server_is_well(folder: Path, store: Store, tmp_path: Path) -> None:
    record(store)
    public = make_key(tmp_path / "key")
    made = make_backup(
        sqlite_url(folder / "tadaima.db"), folder, tmp_path / "b", recipients=[public], keep=1, now_ms=NOON_MS
    )
    with smtp_server() as smtp:
        seen = found(
            folder,
            now_ms=round(made.path.stat().st_mtime * 1000),
            full=True,
            backup=BackupSettings(folder=str(tmp_path / "b"), recipients=(public,)),
            smtp=SmtpSettings(port=smtp.port),
        )
    # The kiosk and its notice are of a day long past, and a test has one disk.
    assert wrong(seen) == {"kiosks_silent", "notices_stuck", "backup_same_disk"}
    assert {"folder", "secrets", "backup", "database", "chains_all", "derived", "clock", "mail"} <= seen.keys()
    assert wrong(found(folder)) == set()


def content(folder: Path) -> dict[str, str]:
    """The files that count, by what is in them; -shm is SQLite's own, and may come and go."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm")]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_doctor_changes_nothing_beside_a_running_server(folder: Path, store: Store) -> None:
    record(store)
    before = content(folder)
    assert any(name.endswith("-wal") for name in before)
    assert not wrong(found(folder, full=True))
    assert content(folder) == before


def test_the_doctor_changes_nothing_after_a_server_was_killed(folder: Path, store: Store, tmp_path: Path) -> None:
    record(store)
    killed = tmp_path / "killed"
    killed.mkdir()
    for path in [*folder.glob("tadaima.db*"), folder / "secrets"]:
        (shutil.copytree if path.is_dir() else shutil.copyfile)(path, killed / path.name)
    before = content(killed)
    assert not wrong(found(killed, full=True))
    assert content(killed) == before


def test_it_goes_on_after_each_trouble(tmp_path: Path) -> None:
    seen = found(tmp_path / "nowhere", base_url="http://127.0.0.1:1")
    assert {"folder_missing", "secrets_missing", "database_missing", "backup_none", "public_unreached"} <= seen.keys()
    assert "mail_unreached" in seen


@pytest.mark.parametrize(("step", "lost"), [("check_folder", "folder"), ("check_kiosks", "kiosks_none")])
def test_a_fault_of_its_own_hides_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch, step: str, lost: str
) -> None:
    def stumble(*_: object) -> Iterator[Finding]:
        raise UnicodeError("a secret")

    usual = found(folder).keys()
    records = tuple(stumble if each.__name__ == step else each for each in examination._RECORDS)
    monkeypatch.setattr(examination, "_RECORDS", records)
    monkeypatch.setattr(examination, step, stumble)
    seen = found(folder)
    assert seen.keys() == (usual - {lost, *({"disk", "disk_full"} if lost == "folder" else ())}) | {"doctor_fault"}
    assert seen["doctor_fault"].values["reason"] == "UnicodeError"
    assert "secret" not in str(seen["doctor_fault"].values)


@pytest.mark.parametrize("language", Language)
def test_every_finding_has_a_sentence_and_what_is_wrong_a_remedy(language: Language) -> None:
    words = catalogues()[language]
    assert {code for code in codes() if f"doctor.{code}" not in words.ids} == set()
    told = {each.split(".")[1] for each in words.ids if each.startswith("doctor.")} - {"line", "well", "wrong"}
    assert told == codes()
    for code in codes():
        said = "".join(form for part in ("", ".remedy") for form in _forms(words, f"doctor.{code}{part}"))
        values: dict[str, object] = dict.fromkeys(re.findall(r"\{([a-z_]+)\}", said), "VALUE")
        is_wrong = code not in WELL
        assert len(Finding(code, wrong=is_wrong, values=values).sentences(words)) == 1 + is_wrong
        assert (f"doctor.{code}.remedy" in words.ids) is is_wrong


def _forms(words: object, message: str) -> tuple[str, ...]:
    return words.forms(message) if message in words.ids else ()  # type: ignore[attr-defined]


def run(folder: Path, *pairs: str, full: bool = False) -> Result:
    options = [text for pair in (f"data_dir={folder}", "languages=en", *pairs) for text in ("--set", pair)]
    return CliRunner().invoke(main, [*options, "doctor", *(["--full"] if full else [])])


def test_the_command_says_what_to_do_and_fails_when_something_is_wrong(folder: Path) -> None:
    said = run(folder, "bind.port=0", "live.port=0", "smtp.port=1")
    assert said.exit_code == 1
    assert "WRONG  Nothing is backed up." in said.output
    assert "-> Set backup.folder" in said.output
    assert "things are wrong." in said.output


def test_the_command_reads_all_records_when_it_is_told_to(folder: Path, store: Store) -> None:
    record(store)
    said = run(folder, "bind.port=0", "live.port=0", "smtp.port=1", full=True)
    assert "All records are unbroken and unchanged (5 in 1 sessions)." in said.output
